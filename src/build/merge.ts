// Joins images that separate jobs have pushed, one per platform, into one index.

import { type Annotation, annotationsOfImage, annotationsOfIndex } from "../image/annotation.ts";
import { annotate, type EncodedImage, encodeIndex } from "../image/encode.ts";
import { formatPlatform, hostPlatform } from "../image/platform.ts";
import { formatReference, type Reference, withDefaultTag } from "../image/reference.ts";
import type { FileOutputs } from "../output/output.ts";
import { openRegistry, type RegistryOptions, type ResolvedImage } from "../registry/registry.ts";
import { deliver } from "./deliver.ts";
import { BuildFailure, during } from "./failure.ts";
import type { BuildResult, BuildTools } from "./result.ts";

export interface MergeRequest {
  /** Images, not indexes; at least one. They may lie in other repositories and registries than the destinations. */
  readonly sources: readonly Reference[];
  /** At least one. */
  readonly destinations: readonly Reference[];
  /** Of the index and of the descriptors in it; later ones win. */
  readonly annotations: readonly Annotation[];
  readonly outputs: Pick<FileOutputs, "digestFile" | "imageNameWithDigestFile" | "imageNameTagWithDigestFile">;
  readonly registry: RegistryOptions;
}

/** Pushes an index of the sources, in their order, under every destination; their digests stay. Throws a BuildFailure. */
export async function mergeImages(request: MergeRequest, tools: BuildTools): Promise<BuildResult> {
  const registry = openRegistry(request.registry, tools);
  const destinations = request.destinations.map(withDefaultTag);
  try {
    const images = await during(
      "building image",
      Promise.all(request.sources.map((source) => registry.resolve(withDefaultTag(source), hostPlatform(), tools.signal))),
    );
    checkPlatforms(images);
    await during("checking push permissions", registry.checkPush(destinations, tools.signal));
    checkAnnotations(request.annotations, images);
    const isDocker = request.annotations.length === 0 && images.every((image) => image.family === "docker");
    const release = encodeIndex(
      images.map((image) => describeImage(image, request.annotations)),
      isDocker ? "docker" : "oci",
      annotationsOfIndex(request.annotations),
    );
    const push = registry.openPush(destinations, tools.signal);
    try {
      const delivery = { destinations, outputs: request.outputs, registry: request.registry };
      const written = await deliver(release, delivery, push, { ...tools, rootItems: noItems });
      return { digest: release.top.descriptor.digest, written };
    } catch (error) {
      await push.abort();
      throw error;
    }
  } finally {
    await registry.close();
  }
}

async function* noItems(): AsyncGenerator<never, void, void> {}

/** The image as it is, under a descriptor with annotations. */
function describeImage(image: ResolvedImage, annotations: readonly Annotation[]): EncodedImage {
  const { config, manifest } = image.documents;
  const descriptor = annotate(manifest.descriptor, annotationsOfImage(annotations, image.platform).descriptor);
  return { image, config, manifest: { ...manifest, descriptor } };
}

function checkAnnotations(annotations: readonly Annotation[], images: readonly ResolvedImage[]): void {
  const platforms = images.map((image) => formatPlatform(image.platform));
  const lost = annotations.find(({ platform }) => platform !== undefined && !platforms.includes(formatPlatform(platform)));
  if (lost?.platform === undefined) return;
  throw new BuildFailure(`Cannot annotate "${formatPlatform(lost.platform)}": the images are for ${platforms.join(", ")}`);
}

function checkPlatforms(images: readonly ResolvedImage[]): void {
  const taken = new Map<string, ResolvedImage>();
  for (const image of images) {
    const name = formatReference(image.reference);
    if (image.digest !== image.manifestDigest)
      throw new BuildFailure(`Cannot merge "${name}": it is an index already`, { hint: "name the images in it by their digests" });
    const platform = formatPlatform(image.platform);
    const other = taken.get(platform);
    if (other !== undefined)
      throw new BuildFailure(`Cannot merge "${name}" with "${formatReference(other.reference)}": both are for ${platform}`);
    taken.set(platform, image);
  }
}
