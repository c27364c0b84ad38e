// An image as a directory in the form of https://github.com/opencontainers/image-spec/blob/main/image-layout.md.

import { stat } from "node:fs/promises";
import path from "node:path";
import { hexOf } from "../image/digest.ts";
import { type EncodedBlob, layerDescriptor, mediaTypes, type Release } from "../image/encode.ts";
import type { Descriptor } from "../image/image.ts";
import { dockerHub, type Reference, withDefaultTag } from "../image/reference.ts";
import { type Bytes, makeDirectory, type Pending, prepareFile, removeDirectories } from "./pending.ts";

const options = { mode: 0o644, directoryMode: 0o755 };

/**
 * Puts the blobs of an image, or of an index of images, into a layout that may have others; the commit makes `index.json` name it alone. Discarding takes
 * the new blobs out again.
 */
export async function prepareLayout(
  directory: string,
  { images, top }: Release,
  destinations: readonly Reference[],
  signal?: AbortSignal,
): Promise<Pending> {
  const done: Pending[] = [];
  let isIndexReplaced = false;
  const created = await makeDirectory(path.join(directory, "blobs", "sha256"), options.directoryMode, directory);
  const discard = async () => {
    // The older index is gone, and the new one needs its blobs.
    if (isIndexReplaced) return;
    for (const pending of done.toReversed()) await pending.discard();
    await removeDirectories(created);
  };

  async function put(place: string, bytes: Bytes): Promise<void> {
    const pending = await prepareFile(path.join(directory, place), bytes, options);
    done.push(pending);
    await pending.commit();
  }
  async function putBlob(descriptor: Descriptor, bytes: Bytes): Promise<void> {
    const place = path.join("blobs", "sha256", hexOf(descriptor.digest));
    if ((await sizeOf(path.join(directory, place))) !== descriptor.size) await put(place, bytes);
  }

  try {
    for (const { image, config, manifest } of images) {
      for (const layer of image.layers) await putBlob(layerDescriptor(layer, image.family), () => layer.open(signal));
      for (const blob of [config, manifest]) await putBlob(blob.descriptor, () => bytesOf(blob));
    }
    await putBlob(top.descriptor, () => bytesOf(top));
    if ((await sizeOf(path.join(directory, "oci-layout"))) === undefined)
      await put("oci-layout", () => json({ imageLayoutVersion: "1.0.0" }));
    const index = await prepareFile(path.join(directory, "index.json"), () => json(indexOf(top, destinations)), options);
    done.push(index);
    const hadIndex = (await sizeOf(path.join(directory, "index.json"))) !== undefined;
    const commit = async () => {
      await index.commit();
      isIndexReplaced = hadIndex;
    };
    return { target: directory, isInPlace: false, commit, discard };
  } catch (error) {
    await discard();
    throw error;
  }
}

/** The document `index.json`, which names one image or index. */
export function indexOf(top: EncodedBlob, destinations: readonly Reference[]): unknown {
  const [only, ...others] = destinations;
  const names = only === undefined || others.length > 0 ? undefined : nameAnnotations(withDefaultTag(only));
  const annotations = names === undefined ? top.descriptor.annotations : { ...top.descriptor.annotations, ...names };
  return {
    schemaVersion: 2,
    mediaType: mediaTypes.oci.index,
    manifests: [{ ...top.descriptor, ...(annotations === undefined ? {} : { annotations }) }],
  };
}

/** The names under which containerd, skopeo and umoci look an image up; as BuildKit's exporter writes them. */
function nameAnnotations({ registry, repository, tag = "latest" }: Reference): Record<string, string> {
  const host = registry === dockerHub ? "docker.io" : registry;
  return { "io.containerd.image.name": `${host}/${repository}:${tag}`, "org.opencontainers.image.ref.name": tag };
}

async function sizeOf(place: string): Promise<number | undefined> {
  return stat(place).then(
    (found) => (found.isFile() ? found.size : undefined),
    () => undefined,
  );
}

async function* bytesOf(blob: EncodedBlob): AsyncGenerator<Uint8Array> {
  yield blob.bytes;
}

async function* json(value: unknown): AsyncGenerator<Uint8Array> {
  yield Buffer.from(JSON.stringify(value));
}
