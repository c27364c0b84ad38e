// The layers of the images that a build reads, each fetched once and indexed once, and only when asked for.

import type { Cache } from "../cache/cache.ts";
import { emptyTree, type Tree } from "../filesystem/filesystem.ts";
import type { Helper } from "../helper/helper.ts";
import type { Layer } from "../image/image.ts";
import { type Blobs, indexLayer } from "../layer/layer.ts";
import type { BaseFolder, Registry } from "../registry/registry.ts";

export interface Layers {
  /** The layer with its bytes on disk. */
  fetch(layer: Layer): Promise<Layer>;
  /** What layers come to, the lowest first; read from their bytes. */
  tree(layers: readonly Layer[]): Promise<Tree>;
}

export interface LayersTools {
  readonly registry: Registry;
  readonly blobs: Blobs;
  readonly signal: AbortSignal;
  /** Reads layers faster. */
  readonly helper: Helper | undefined;
  /** Knows indexes of layers, and what it cannot read of its own. */
  readonly cache: Cache | undefined;
  /** Has layers that need not be fetched. */
  readonly folder: BaseFolder | undefined;
}

export function openLayers(tools: LayersTools): Layers {
  const { cache, signal } = tools;
  const fetched = new Map<string, Promise<Layer>>();
  // Trees and not indexes: they share what they have in common, and several times as many indexes would stay in memory.
  const trees = new Map<string, Promise<Tree>>();
  const fetch = (layer: Layer) =>
    remember(fetched, layer.descriptor.digest, () => (layer.file === undefined ? fetchFile(layer) : Promise.resolve(layer)));
  const fetchFile = async (layer: Layer) => {
    const file = await tools.folder?.find(layer.descriptor, signal);
    if (file !== undefined) return { ...layer, file };
    try {
      return await tools.registry.fetch(layer, tools.blobs, signal);
    } catch (error) {
      if (!signal.aborted) cache?.blame(layer, error);
      throw error;
    }
  };
  const readIndex = async (layer: Layer) => {
    const known = await cache?.findIndex(layer);
    if (known !== undefined) return known;
    const read = await indexLayer(await fetch(layer), { signal, helper: tools.helper });
    const kept = cache?.indexes.begin(read.diffId);
    for (const entry of kept === undefined ? [] : read.entries) kept?.add(entry);
    kept?.end();
    return read;
  };
  const merge = async (top: Layer, below: Promise<Tree>) => {
    const [lower, read] = await Promise.all([below, readIndex(top)]);
    return lower.with(read);
  };
  const tree = (layers: readonly Layer[]): Promise<Tree> => {
    const top = layers.at(-1);
    if (top === undefined) return Promise.resolve(emptyTree);
    const chain = layers.map(({ diffId }) => diffId).join(" ");
    return remember(trees, chain, () => merge(top, tree(layers.slice(0, -1))));
  };
  return { fetch, tree };
}

function remember<T>(known: Map<string, Promise<T>>, key: string, make: () => Promise<T>): Promise<T> {
  const before = known.get(key);
  if (before !== undefined) return before;
  const made = make();
  // Whoever awaits it sees the error; a download that nobody waits for yet must not end the process.
  made.catch(() => {});
  known.set(key, made);
  return made;
}
