// What earlier builds have left: looked up by keys, checked before it is believed, kept for later builds. Trouble is a warning, never an error.

import type { Digest } from "../image/digest.ts";
import { digestOf } from "../image/encode.ts";
import type { Layer } from "../image/image.ts";
import type { LayerIndex } from "../layer/entry.ts";
import { decodeIndex, encodeIndex, type IndexSink, openIndexWriter } from "../layer/layer.ts";
import { type JointOptions, joinStores, messageOf } from "./joint-stores.ts";
import { keyOf } from "./key.ts";
import { LastBuild, needsAny } from "./last-build.ts";
import type { CacheRecord, ChainRecord, LastRecord, RecordedLayer, StageRecord, Variant } from "./record.ts";
import type { CacheBlob, Key, Store } from "./store.ts";
import { openStoredBlobs } from "./stored-blobs.ts";

export type { CiAccess } from "./ci-service.ts";
export { openCiStore } from "./ci-store.ts";
export { openDirectoryStore } from "./directory-store.ts";
export { keyOf } from "./key.ts";
export { openOciStore } from "./oci-store.ts";
export { openRegistryStore } from "./registry-store.ts";
export type { Key, PruneLimits, PruneResult, Store } from "./store.ts";

/** A layer that a step has left, with what is known of it. */
export interface CachedLayer {
  readonly layer: Layer;
  /** What compressed it. */
  readonly compressor: string;
  /** RFC 3339. */
  readonly created: string;
  readonly seconds: number;
  /** Its index, as a blob that opens. */
  readonly index: CacheBlob;
}

/** The layers that a stage has after a step, from the one above the base image to the step's own. */
export interface Chain {
  readonly layers: readonly CachedLayer[];
  /** `full`, or the sandbox whose limits some command ran under. */
  readonly fidelity: string;
  /** The store it was found in, as messages call it. */
  readonly store?: string;
}

export interface Cache {
  /** Chains that may be used, by key. Their layers open lazily; how they are compressed is as it is. */
  find(keys: readonly Key[]): Promise<ReadonlyMap<Key, Chain>>;
  /** Keeps a chain under each of the keys, in the background, unless it comes to nothing. */
  keep(keys: readonly Key[], chain: Chain | Promise<Chain | undefined>): void;
  /** A layer's index as a blob. */
  indexBlob(index: LayerIndex): Promise<CacheBlob>;
  /** The index of a layer, where one is kept. */
  findIndex(layer: Layer): Promise<LayerIndex | undefined>;
  /** Keeps the indexes of layers that come from elsewhere. */
  readonly indexes: IndexSink;
  /**
   * What the last build of a name left of itself: a value, and chains that `find` then knows without asking. To be awaited before `find`.
   */
  findLast(key: Key): Promise<unknown>;
  /**
   * Leaves the same for the next one, with its layers; of a stage without a chain what the last one had under the same keys. A value that makes
   * it longer than stores take is left out, and where that does not help nothing is left.
   */
  keepLast(key: Key, value: unknown, stages: readonly { readonly keys: readonly Key[]; readonly chain: Chain | undefined }[]): void;
  findNote(key: Key): Promise<unknown>;
  keepNote(key: Key, value: unknown): void;
  /** Takes note that a layer could not be read; what names it is no hit any more. Gives whether it came from here. */
  blame(layer: Layer, error: unknown): boolean;
  /** How many layers could not be read. */
  readonly blamed: number;
  /** Waits for what is still being written. */
  close(): Promise<void>;
}

export interface CacheOptions extends JointOptions {
  /** Seconds for which a layer is valid, counted from when its step ran. */
  readonly maxAge: number;
}

export function openCache(options: CacheOptions): Cache {
  const { signal } = options;
  const stores = joinStores(options);
  const own = new Map<Key, Chain>();
  let last: LastBuild | undefined;
  const indexes = new Map<Digest, Promise<CacheBlob>>();
  const blobs = openStoredBlobs({
    signal,
    warn: stores.warn,
    forget(digest) {
      for (const [key, chain] of own) if (chain.layers.some(({ layer }) => layer.descriptor.digest === digest)) own.delete(key);
    },
  });

  function isYoung({ created }: RecordedLayer): boolean {
    return Date.now() - Date.parse(created) <= options.maxAge * 1000;
  }

  function acceptChain(record: CacheRecord): ChainRecord | undefined {
    if (record.kind !== "chain") throw new Error("it is no chain of layers");
    return record.layers.every((layer) => isYoung(layer) && variantOf(layer) !== undefined) ? record : undefined;
  }

  /** The first that is not known to be bad. */
  function variantOf({ variants }: RecordedLayer): Variant | undefined {
    return variants.find(({ digest }) => !blobs.bad.has(digest));
  }

  function openChain({ layers, fidelity }: ChainRecord, store: Store): Chain {
    return { fidelity, layers: layers.map((layer) => openLayer(layer, store)), store: store.name };
  }

  function openLayer(recorded: RecordedLayer, store: Store): CachedLayer {
    const variant = variantOf(recorded);
    if (variant === undefined) throw new Error("Cannot open a cached layer: nothing of it can be read");
    const { diffId, index, created, seconds } = recorded;
    const { compression, compressor } = variant;
    const blob = blobs.openLayer(variant, store);
    const at = blobs.open({ mediaType: indexType, ...index }, store);
    indexes.set(diffId, Promise.resolve(at));
    return { layer: { ...blob, diffId, compression }, compressor, created, seconds, index: at };
  }

  function write(key: Key, record: CacheRecord, needed: readonly CacheBlob[]): void {
    stores.write(key, record, needed, blobs.isLost);
  }

  function indexBlob(index: LayerIndex): Promise<CacheBlob> {
    const made = encodeIndex(index).then(blobOf);
    indexes.set(index.diffId, made);
    return made;
  }

  async function knownIndex(diffId: Digest): Promise<CacheBlob | undefined> {
    const known = await indexes.get(diffId);
    return known === undefined || blobs.isLost(known) ? undefined : known;
  }

  /** A chain's layers as a record has them, and the blobs that they need. */
  async function recordLayers({
    layers,
  }: Chain): Promise<{ readonly layers: readonly RecordedLayer[]; readonly needed: readonly CacheBlob[] }> {
    const whole = async (one: CachedLayer) =>
      blobs.isLost(one.index) ? { ...one, index: (await knownIndex(one.layer.diffId)) ?? one.index } : one;
    const known = await Promise.all(layers.map(whole));
    return { layers: known.map(recordLayer), needed: known.flatMap(({ layer, index }) => [layer, index]) };
  }

  /** The same of a stage that this build did not need, as the last one had it. */
  function recordAgain(keys: readonly Key[]): { readonly stage: StageRecord; readonly needed: readonly CacheBlob[] } | undefined {
    const stage = last?.stage(keys);
    if (last === undefined || stage === undefined || stage.layers.some((layer) => needsAny(layer, blobs.bad))) return undefined;
    const { store } = last;
    const needed = stage.layers.flatMap(({ variants, index }) => [
      ...variants.map((variant) => blobs.openLayer(variant, store)),
      blobs.open({ mediaType: indexType, ...index }, store),
    ]);
    return { stage, needed };
  }

  async function readIndex(blob: CacheBlob, diffId: Digest): Promise<LayerIndex | undefined> {
    try {
      return await decodeIndex(blob.open(signal), diffId);
    } catch (error) {
      signal.throwIfAborted();
      indexes.delete(diffId);
      stores.warn(`Cannot use the index of layer ${diffId} from the cache: ${messageOf(error)}; the layer is read instead`);
      return undefined;
    }
  }

  function keepIndex(diffId: Digest, blob: CacheBlob): void {
    const { digest, size } = blob.descriptor;
    write(keyOf("index", [diffId]), { kind: "index", diffId, index: { digest, size } }, [blob]);
  }

  return {
    indexBlob,
    async find(keys) {
      const known = [...new Set(keys)];
      const hints = new Map(
        known.flatMap((key) => {
          const hint = own.has(key) ? undefined : last?.hint(key);
          return hint !== undefined && acceptChain(hint.record) !== undefined ? [[key, hint] as const] : [];
        }),
      );
      const asked = known.filter((key) => !own.has(key) && !hints.has(key));
      const found = new Map([...hints, ...(asked.length === 0 ? [] : await stores.look(asked, acceptChain))]);
      return new Map(
        known.flatMap((key): [Key, Chain][] => {
          const mine = own.get(key);
          if (mine !== undefined) return [[key, mine]];
          const hit = found.get(key);
          return hit === undefined ? [] : [[key, openChain(hit.record, hit.store)]];
        }),
      );
    },
    keep: (keys, chain) =>
      stores.track(
        Promise.resolve(chain).then(async (known) => {
          if (known === undefined) return;
          for (const key of keys) own.set(key, known);
          const { layers, needed } = await recordLayers(known);
          const record: ChainRecord = { kind: "chain", layers, fidelity: known.fidelity };
          for (const key of new Set(keys)) write(key, record, needed);
        }),
      ),
    async findIndex({ diffId }) {
      const known = await knownIndex(diffId);
      if (known !== undefined) return readIndex(known, diffId);
      const key = keyOf("index", [diffId]);
      const hit = (await stores.look([key], (record) => (record.kind === "index" && record.diffId === diffId ? record : undefined))).get(
        key,
      );
      return hit && readIndex(blobs.open({ mediaType: indexType, ...hit.record.index }, hit.store), diffId);
    },
    indexes: {
      begin(diffId) {
        if (options.readOnly || indexes.has(diffId)) return undefined;
        const writer = openIndexWriter(diffId);
        const end = () => {
          const made = writer.end().then(blobOf);
          indexes.set(diffId, made);
          stores.track(made.then((blob) => keepIndex(diffId, blob)));
        };
        return { add: writer.add, end };
      },
    },
    async findLast(key) {
      const found = (await stores.look([key], (record) => (record.kind === "last" ? record : undefined))).get(key);
      if (found === undefined) return undefined;
      last = new LastBuild(found);
      return found.record.value;
    },
    keepLast(key, value, stages) {
      const recorded = stages.map(async ({ keys, chain }) => {
        if (chain === undefined) return recordAgain(keys);
        const { layers, needed } = await recordLayers(chain);
        return { stage: { keys, layers, fidelity: chain.fidelity }, needed };
      });
      stores.track(
        Promise.all(recorded).then((all) => {
          const known = all.filter((one) => one !== undefined);
          const chains = known.map(({ stage }) => stage);
          const whole: LastRecord = { kind: "last", value, chains };
          const record = [whole, { ...whole, value: null }].find((one) => stores.fits(key, one));
          const needed = known.flatMap((one) => one.needed);
          if (record !== undefined && last?.is(record) !== true) write(key, record, needed);
        }),
      );
    },
    async findNote(key) {
      const found = await stores.look([key], (record) => (record.kind === "note" ? record : undefined));
      return found.get(key)?.record.value;
    },
    keepNote: (key, value) => write(key, { kind: "note", value }, []),
    blame: (layer, error) => blobs.blame(layer.descriptor.digest, error),
    get blamed() {
      return blobs.blamed;
    },
    close: stores.close,
  };
}

const indexType = "application/vnd.slipway.layer.index.v1+gzip";

function recordLayer({ layer, compressor, created, seconds, index }: CachedLayer): RecordedLayer {
  const { descriptor, diffId, compression } = layer;
  const { digest, size } = descriptor;
  return {
    diffId,
    variants: [{ compressor, compression, digest, size }],
    index: { digest: index.descriptor.digest, size: index.descriptor.size },
    created,
    seconds,
  };
}

function blobOf(bytes: Buffer): CacheBlob {
  const descriptor = { mediaType: indexType, digest: digestOf(bytes), size: bytes.length };
  return {
    descriptor,
    async *open() {
      yield bytes;
    },
  };
}
