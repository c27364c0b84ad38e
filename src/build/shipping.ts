// The layers of the image in the compression that is asked for: what the cache has in another one is compressed anew.

import { type Cache, type CachedLayer, keyOf } from "../cache/cache.ts";
import type { Digest } from "../image/digest.ts";
import type { Layer } from "../image/image.ts";
import { checkLevel, DigestMismatchError, MalformedLayerError, recompressLayer, type WriteOptions } from "../layer/layer.ts";
import type { BuiltStage } from "./built-stage.ts";
import type { Layers } from "./layers.ts";
import type { Request } from "./request.ts";

export interface Shipping {
  /** A layer of the cache as it is to be in the image; each is compressed once, one after the other. */
  layer(cached: CachedLayer): Promise<Layer>;
  /** All layers of a stage. */
  stage(stage: BuiltStage | undefined): Promise<readonly Layer[]>;
  /** What the cache is to have of a layer: as it was shipped, or where it was not, as it is. */
  kept(cached: CachedLayer): Promise<CachedLayer>;
  /** Compresses nothing more. */
  close(): Promise<void>;
}

/** What a layer is in one compression. */
type Form = Pick<CachedLayer, "layer" | "compressor">;

export interface ShippingTools extends Pick<WriteOptions, "blobs" | "helper">, Pick<Request, "compression" | "compressionLevel"> {
  readonly cache: Cache | undefined;
  readonly layers: Pick<Layers, "fetch">;
  readonly signal: AbortSignal;
}

export function openShipping(tools: ShippingTools): Shipping {
  const { cache, layers, compression } = tools;
  const level = checkLevel(compression, tools.compressionLevel);
  const stop = new AbortController();
  const signal = AbortSignal.any([tools.signal, stop.signal]);
  const made = new Map<Digest, Promise<Form>>();
  let compressing: Promise<unknown> = Promise.resolve();
  const named = new RegExp(`-${level}(?:-|$)`);
  const fits = ({ layer, compressor }: Form) => layer.compression === compression && named.test(compressor);

  function fit(cached: CachedLayer): Promise<Form> {
    const { diffId } = cached.layer;
    const known = made.get(diffId);
    if (known !== undefined) return known;
    const form = findOrMake(cached);
    form.catch(() => {});
    made.set(diffId, form);
    return form;
  }

  async function findOrMake(cached: CachedLayer): Promise<Form> {
    const { diffId } = cached.layer;
    const key = keyOf("variant", [diffId, compression, `${level}`]);
    const found = (await cache?.find([key]))?.get(key)?.layers[0];
    if (found !== undefined && fits(found) && found.layer.diffId === diffId) return found;
    const local = await layers.fetch(cached.layer);
    const turn = compressing.then(() => recompress(local));
    compressing = turn.catch(() => {});
    const form = await turn;
    cache?.keep([key], { layers: [{ ...cached, ...form }], fidelity: "full" });
    return form;
  }

  async function recompress(layer: Layer): Promise<Form> {
    signal.throwIfAborted();
    try {
      return await recompressLayer(layer, { ...tools, level, signal });
    } catch (error) {
      const isFault = error instanceof MalformedLayerError || error instanceof DigestMismatchError;
      if (isFault && !signal.aborted) cache?.blame(layer, error);
      throw error;
    }
  }

  const ship = async (cached: CachedLayer) => (fits(cached) ? cached.layer : (await fit(cached)).layer);
  return {
    layer: ship,
    async stage(stage) {
      if (stage === undefined) return [];
      const { files, made } = stage;
      const below = files.layers.length - made.length;
      return Promise.all(
        files.layers.map(async (layer, i) => {
          const cached = await made[i - below]?.kept;
          return cached === undefined ? layer : ship(cached);
        }),
      );
    },
    async kept(cached) {
      const form = fits(cached) ? undefined : await made.get(cached.layer.diffId);
      return form === undefined ? cached : { ...cached, layer: form.layer, compressor: form.compressor };
    },
    async close() {
      stop.abort();
      await compressing;
    },
  };
}
