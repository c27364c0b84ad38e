// An OCI layout as one tar: what `skopeo copy oci-archive:` and BuildKit's `type=oci` know.

import { hexOf } from "../image/digest.ts";
import { layerDescriptor, type Release } from "../image/encode.ts";
import type { Reference } from "../image/reference.ts";
import { archiveFiles } from "./archive.ts";
import { indexOf } from "./oci-layout.ts";

/** The bytes of the archive; a blob that several images share is there once. */
export function archiveLayout(
  { images, top }: Release,
  destinations: readonly Reference[],
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array, void, void> {
  return archiveFiles(async (add) => {
    const done = new Set<string>();
    const addBlob = async (digest: `sha256:${string}`, size: number, open: () => AsyncIterable<Uint8Array> | Iterable<Uint8Array>) => {
      if (done.has(digest)) return;
      done.add(digest);
      await add(`blobs/sha256/${hexOf(digest)}`, size, open());
    };
    for (const { image, config, manifest } of images) {
      for (const layer of image.layers) {
        const { digest, size } = layerDescriptor(layer, image.family);
        await addBlob(digest, size, () => layer.open(signal));
      }
      for (const { descriptor, bytes } of [config, manifest]) await addBlob(descriptor.digest, descriptor.size, () => [bytes]);
    }
    await addBlob(top.descriptor.digest, top.descriptor.size, () => [top.bytes]);
    for (const [name, value] of [
      ["index.json", indexOf(top, destinations)],
      ["oci-layout", { imageLayoutVersion: "1.0.0" }],
    ] as const) {
      const bytes = Buffer.from(JSON.stringify(value));
      await add(name, bytes.length, [bytes]);
    }
  });
}
