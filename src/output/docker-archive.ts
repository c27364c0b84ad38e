// An image as the tar that `docker load` reads, named and ordered as kaniko's --tar-path has it.

import { hexOf } from "../image/digest.ts";
import type { EncodedImage } from "../image/encode.ts";
import type { Compression, Layer } from "../image/image.ts";
import { dockerHub, type Reference, withDefaultTag } from "../image/reference.ts";
import { type AddFile, archiveFiles } from "./archive.ts";

/** What an image is called that has no destination. */
const unnamed = "docker.io/unset-repo/unset-image-name:latest";

const suffixes: Readonly<Record<Compression, string>> = { gzip: ".tar.gz", zstd: ".tar.zst", none: ".tar" };

/**
 * The bytes of the archive: configuration, layers, then `manifest.json`, as
 * https://github.com/moby/docker-image-spec/blob/main/spec.md#combined-image-json--filesystem-changeset-format describes it. Equal images give equal bytes;
 * a layer that occurs twice is there once. Layers keep their compression, which readers find out by themselves.
 */
export function archiveImage(
  image: EncodedImage,
  destinations: readonly Reference[],
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array, void, void> {
  return archiveFiles((add) => addImage(add, image, destinations, signal));
}

async function addImage(
  add: AddFile,
  { image, config }: EncodedImage,
  destinations: readonly Reference[],
  signal?: AbortSignal,
): Promise<void> {
  await add(config.descriptor.digest, config.descriptor.size, [config.bytes]);
  const layers = new Map(image.layers.map((layer) => [layerName(layer), layer]));
  for (const [name, layer] of layers) await add(name, layer.descriptor.size, layer.open(signal));
  const tags = destinations.length === 0 ? [unnamed] : destinations.map(loadedName);
  const manifest = [{ Config: config.descriptor.digest, RepoTags: [...new Set(tags)], Layers: image.layers.map(layerName) }];
  const bytes = Buffer.from(JSON.stringify(manifest));
  await add("manifest.json", bytes.length, [bytes]);
}

function layerName(layer: Layer): string {
  return `${hexOf(layer.descriptor.digest)}${suffixes[layer.compression]}`;
}

/** In full, as docker normalises it: of a shorter name podman makes one on `localhost`. */
function loadedName(reference: Reference): string {
  const { registry, repository, tag = "latest" } = withDefaultTag(reference);
  return `${registry === dockerHub ? "docker.io" : registry}/${repository}:${tag}`;
}
