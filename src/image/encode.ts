// Writes an image down as the exact bytes of its configuration and manifest.

import { createHash } from "node:crypto";
import type { Annotations } from "./annotation.ts";
import type { Digest } from "./digest.ts";
import type { Compression, Descriptor, Image, ImageConfig, MediaFamily } from "./image.ts";
import type { Platform } from "./platform.ts";

/** Media types of https://github.com/opencontainers/image-spec and https://distribution.github.io/distribution/spec/manifest-v2-2/. */
export const mediaTypes = {
  oci: {
    index: "application/vnd.oci.image.index.v1+json",
    manifest: "application/vnd.oci.image.manifest.v1+json",
    config: "application/vnd.oci.image.config.v1+json",
    layer: {
      none: "application/vnd.oci.image.layer.v1.tar",
      gzip: "application/vnd.oci.image.layer.v1.tar+gzip",
      zstd: "application/vnd.oci.image.layer.v1.tar+zstd",
    },
  },
  docker: {
    index: "application/vnd.docker.distribution.manifest.list.v2+json",
    manifest: "application/vnd.docker.distribution.manifest.v2+json",
    config: "application/vnd.docker.container.image.v1+json",
    layer: {
      none: "application/vnd.docker.image.rootfs.diff.tar",
      gzip: "application/vnd.docker.image.rootfs.diff.tar.gzip",
      zstd: "application/vnd.docker.image.rootfs.diff.tar.zstd",
    },
  },
} as const satisfies Record<MediaFamily, { readonly layer: Record<Compression, string> } & Record<string, unknown>>;

/** Whether a layer of this media type may not be pushed by anybody but its owner; a push leaves its blob out. */
export function isForeignLayer(mediaType: string): boolean {
  return mediaType.includes(".foreign.") || mediaType.includes(".nondistributable.");
}

const none: Annotations = { document: {}, descriptor: {} };

/** A document together with the descriptor that names it. */
export interface EncodedBlob {
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
}

/** An image ready to be written anywhere: layers first, then `config`, then `manifest`. */
export interface EncodedImage {
  readonly image: Image;
  readonly config: EncodedBlob;
  readonly manifest: EncodedBlob;
}

/** What stands under one name: an image, or an index of one image per platform. */
export interface Release {
  /** At least one, in the order of the platforms that were asked for. */
  readonly images: readonly EncodedImage[];
  /** What a tag names: the image's manifest, or the index. */
  readonly top: EncodedBlob;
}

/** The sha256 digest of some bytes. */
export function digestOf(bytes: Uint8Array): Digest {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

/** The descriptor of a layer under the media type that `family` gives it; foreign layers keep theirs. */
export function layerDescriptor(layer: Image["layers"][number], family: MediaFamily): Descriptor {
  if (isForeignLayer(layer.descriptor.mediaType)) return layer.descriptor;
  const { annotations } = layer.descriptor;
  return {
    mediaType: mediaTypes[family].layer[layer.compression],
    digest: layer.descriptor.digest,
    size: layer.descriptor.size,
    ...(annotations === undefined ? {} : { annotations }),
  };
}

/**
 * Encodes an image: the configuration with sorted keys and no white space, the manifest indented by two, as BuildKit writes them.
 * Equal images give equal bytes. Throws when history and layers do not align.
 */
export function encodeImage(image: Image, annotations: Annotations = none): EncodedImage {
  checkHistory(image);
  const types = mediaTypes[image.family];
  const config = encodeBlob(types.config, JSON.stringify(sortKeys(leaveOutEmpty(image.config))));
  const manifest = {
    schemaVersion: 2,
    mediaType: types.manifest,
    config: config.descriptor,
    layers: image.layers.map((layer) => layerDescriptor(layer, image.family)),
    ...annotationsField(annotations.document),
  };
  return { image, config, manifest: encodeBlob(types.manifest, JSON.stringify(manifest, null, 2), annotations.descriptor) };
}

/** One image stands for itself; several get an index of the first one's family. */
export function encodeRelease(images: readonly EncodedImage[], annotations: Annotations = none): Release {
  const [first, ...others] = images;
  if (first === undefined) throw new Error("Cannot encode a release without an image");
  return others.length === 0 ? { images, top: first.manifest } : encodeIndex(images, first.image.family, annotations);
}

/** https://github.com/opencontainers/image-spec/blob/main/image-index.md, even of a single image. */
export function encodeIndex(images: readonly EncodedImage[], family: MediaFamily, annotations: Annotations = none): Release {
  const mediaType = mediaTypes[family].index;
  const index = {
    schemaVersion: 2,
    mediaType,
    manifests: images.map(({ manifest, image }) => ({ ...manifest.descriptor, platform: platformOf(image.config) })),
    ...annotationsField(annotations.document),
  };
  return { images, top: encodeBlob(mediaType, JSON.stringify(index, null, 2), annotations.descriptor) };
}

function platformOf(config: ImageConfig): Platform {
  const { architecture, os, variant, "os.version": version, "os.features": features } = config;
  return {
    architecture,
    os,
    ...(variant === undefined ? {} : { variant }),
    ...(version === undefined ? {} : { "os.version": version }),
    ...(features === undefined ? {} : { "os.features": features }),
  };
}

function encodeBlob(mediaType: string, text: string, annotations: Annotations["descriptor"] = {}): EncodedBlob {
  const bytes = Buffer.from(text);
  return { bytes, descriptor: annotate({ mediaType, digest: digestOf(bytes), size: bytes.length }, annotations) };
}

export function annotate(descriptor: Descriptor, annotations: Annotations["descriptor"]): Descriptor {
  return { ...descriptor, ...annotationsField(annotations) };
}

/** Absent where there are none. */
function annotationsField(annotations: Readonly<Record<string, string>>): Pick<Descriptor, "annotations"> {
  const keys = Object.keys(annotations).sort();
  return keys.length === 0 ? {} : { annotations: Object.fromEntries(keys.map((key) => [key, annotations[key] ?? ""])) };
}

function checkHistory({ config, layers }: Image): void {
  const diffIds = config.rootfs.diff_ids;
  if (diffIds.length !== layers.length)
    throw new Error(`Cannot encode image: its configuration lists ${diffIds.length} layers, not the ${layers.length} that it has`);
  if (layers.some((layer, i) => layer.diffId !== diffIds[i]))
    throw new Error("Cannot encode image: its configuration lists other layers than it has");
  const lines = (config.history ?? []).filter((line) => !line.empty_layer).length;
  if (lines !== layers.length) throw new Error(`Cannot encode image: its history has ${lines} layers, the image has ${layers.length}`);
}

/**
 * A base image's history so padded or marked that it has one line per layer: some published images list fewer layers than they
 * have, or forget `empty_layer`.
 */
export function alignHistory(config: ImageConfig): ImageConfig {
  const count = config.rootfs.diff_ids.length;
  let spare = (config.history ?? []).filter((line) => !line.empty_layer).length - count;
  const marked = (config.history ?? []).map((line) => {
    if (line.empty_layer || spare <= 0) return line;
    spare -= 1;
    return { ...line, empty_layer: true };
  });
  const created = config.created;
  const missing = Array.from({ length: Math.max(0, -spare) }, () => ({
    ...(created === undefined ? {} : { created }),
    comment: "layer without history in the base image",
  }));
  return { ...config, history: [...missing, ...marked] };
}

/** What a container's configuration says nothing about is absent, as BuildKit leaves it: no CMD and an empty one are the same. */
function leaveOutEmpty(image: ImageConfig): ImageConfig {
  if (image.config === undefined) return image;
  return { ...image, config: Object.fromEntries(Object.entries(image.config).filter(([, value]) => !isEmpty(value))) };
}

function isEmpty(value: unknown): boolean {
  return value === null || value === "" || value === false || (typeof value === "object" && Object.keys(value).length === 0);
}

function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortKeys);
  if (value === null || typeof value !== "object") return value;
  const keys = Object.keys(value).sort();
  return Object.fromEntries(keys.map((key) => [key, sortKeys((value as Record<string, unknown>)[key])]));
}
