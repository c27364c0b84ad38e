// The layers of the images that a build reads, each fetched and indexed once, and only when asked for.

import type { Layer } from "../image/image.ts";
import type { LayerIndex } from "../layer/entry.ts";
import { type Blobs, indexLayer } from "../layer/layer.ts";
import type { Registry } from "../registry/registry.ts";

export interface Layers {
  /** The layer with its bytes on disk. */
  fetch(layer: Layer): Promise<Layer>;
  index(layer: Layer): Promise<LayerIndex>;
  /** What is already known of a layer: it was just written or unpacked. */
  learn(index: LayerIndex): void;
}

export function openLayers(tools: { readonly registry: Registry; readonly blobs: Blobs; readonly signal: AbortSignal }): Layers {
  const fetched = new Map<string, Promise<Layer>>();
  const indexes = new Map<string, Promise<LayerIndex>>();
  const fetch = (layer: Layer) =>
    remember(fetched, layer.descriptor.digest, () =>
      layer.file === undefined ? tools.registry.fetch(layer, tools.blobs, tools.signal) : Promise.resolve(layer),
    );
  const index = (layer: Layer) => remember(indexes, layer.diffId, async () => indexLayer(await fetch(layer), { signal: tools.signal }));
  return { fetch, index, learn: (known) => void indexes.set(known.diffId, Promise.resolve(known)) };
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
