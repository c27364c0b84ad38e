// Blobs as they are read from stores, and which of them could not be.

import type { Digest } from "../image/digest.ts";
import { mediaTypes } from "../image/encode.ts";
import { messageOf } from "./joint-stores.ts";
import type { Variant } from "./record.ts";
import type { CacheBlob, Store } from "./store.ts";

export interface StoredBlobs {
  open(descriptor: CacheBlob["descriptor"], store: Store): CacheBlob;
  openLayer(variant: Variant, store: Store): CacheBlob;
  /** Takes note that a layer could not be read. Gives whether it came from here. */
  blame(digest: Digest, error: unknown): boolean;
  isLost(blob: CacheBlob): boolean;
  /** What could not be read, wherever it is. */
  readonly bad: ReadonlySet<Digest>;
  /** How many layers are among that. */
  readonly blamed: number;
}

export function openStoredBlobs(tools: {
  readonly signal: AbortSignal;
  warn(text: string): void;
  /** Called with each layer that could not be read. */
  forget(digest: Digest): void;
}): StoredBlobs {
  const bad = new Set<Digest>();
  // A blob with the digest of one that could not be read may come from elsewhere.
  const lost = new Set<CacheBlob["open"]>();
  const origins = new Map<Digest, string>();
  let blamed = 0;

  function blame(digest: Digest, error: unknown): boolean {
    const name = origins.get(digest);
    if (name === undefined) return false;
    tools.warn(`Cannot use layer ${digest} of the cache in ${name}: ${messageOf(error)}; what needs it is built again`);
    if (!bad.has(digest)) blamed += 1;
    bad.add(digest);
    tools.forget(digest);
    return true;
  }

  function openBlob(descriptor: CacheBlob["descriptor"], store: Store): CacheBlob {
    async function* open(own?: AbortSignal) {
      try {
        yield* store.read(descriptor, own);
      } catch (error) {
        if (!tools.signal.aborted && !own?.aborted) {
          lost.add(open);
          blame(descriptor.digest, error);
          bad.add(descriptor.digest);
        }
        throw error;
      }
    }
    return { descriptor, open, ...(store.origin === undefined ? {} : { origin: store.origin }) };
  }

  return {
    open: openBlob,
    openLayer({ compression, digest, size }, store) {
      origins.set(digest, store.name);
      return openBlob({ mediaType: mediaTypes.oci.layer[compression], digest, size }, store);
    },
    blame,
    isLost: ({ open }) => lost.has(open),
    bad,
    get blamed() {
      return blamed;
    },
  };
}
