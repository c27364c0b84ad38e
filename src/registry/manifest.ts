// Reads manifests, indexes and configurations as registries give them, and refuses what is no image.

import { type Digest, isDigest } from "../image/digest.ts";
import { mediaTypes } from "../image/encode.ts";
import type { Compression, Descriptor, ImageConfig, MediaFamily } from "../image/image.ts";
import type { Platform } from "../image/platform.ts";
import { RegistryError } from "./error.ts";

/** The distribution specification's limit for manifests. */
export const manifestLimit = 4 * 1024 * 1024;
/** Configurations hold a history that may be long; no published image is known to come near this. */
export const configLimit = 8 * 1024 * 1024;

const indexTypes: readonly string[] = [mediaTypes.oci.index, mediaTypes.docker.index];
const manifestTypes: readonly string[] = [mediaTypes.oci.manifest, mediaTypes.docker.manifest];

/** The `Accept` header for manifests. */
export const acceptedManifests = [...manifestTypes, ...indexTypes].join(", ");

export interface Manifest {
  readonly kind: "manifest";
  readonly family: MediaFamily;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

export interface ManifestIndex {
  readonly kind: "index";
  /** Image manifests and nested indexes alone; attestations and the like are left out. */
  readonly manifests: readonly Descriptor[];
}

/** Reads either. `contentType` is the answer's header; where it says nothing, the document itself is asked. */
export function readManifest(bytes: Uint8Array, contentType: string | undefined, name: string): Manifest | ManifestIndex {
  const document = readObject(bytes, name, "manifest");
  const header = contentType?.split(";")[0]?.trim().toLowerCase() ?? "";
  const own = typeof document.mediaType === "string" ? document.mediaType : undefined;
  if (document.schemaVersion === 1 || "fsLayers" in document)
    throw unusable(name, "it is a Docker schema 1 image, a form that was given up in 2017; push it again with a current tool");
  const known = [...indexTypes, ...manifestTypes];
  if (own !== undefined && known.includes(own) && known.includes(header) && own !== header)
    throw broken(name, `its manifest calls itself ${own}, the registry calls it ${header}`);
  const type =
    own ?? (known.includes(header) ? header : undefined) ?? ("manifests" in document ? mediaTypes.oci.index : mediaTypes.oci.manifest);
  if ("manifests" in document && ("layers" in document || "config" in document))
    throw broken(name, "its manifest claims to be an index too");
  if (indexTypes.includes(type)) return { kind: "index", manifests: readList(document.manifests, name).filter(isImage) };
  if (!manifestTypes.includes(type)) throw unusable(name, `it is no container image, but ${quote(type)}`);
  const family = type === mediaTypes.docker.manifest ? "docker" : "oci";
  const config = readDescriptor(document.config, name);
  const layers = readList(document.layers, name);
  for (const layer of layers) compressionOf(layer.mediaType, name);
  return { kind: "manifest", family, config, layers };
}

/** Reads an image's configuration and checks that it fits the manifest. */
export function readConfig(bytes: Uint8Array, layers: number, name: string): ImageConfig {
  const config = readObject(bytes, name, "configuration");
  const diffIds = (config.rootfs as { diff_ids?: unknown } | undefined)?.diff_ids;
  const isList = Array.isArray(diffIds) || (diffIds === undefined && layers === 0) || diffIds === null;
  if (!isList) throw unusable(name, "it is no container image: its configuration lists no layers");
  const list = (diffIds ?? []) as unknown[];
  if (!list.every((id) => typeof id === "string" && isDigest(id)))
    throw broken(name, "its configuration holds a layer digest that is not sha256");
  if (list.length !== layers) throw broken(name, `its manifest has ${layers} layers, its configuration ${list.length}`);
  const history = Array.isArray(config.history) ? config.history.filter((line) => line !== null && typeof line === "object") : undefined;
  const { history: _, ...rest } = config;
  return {
    ...rest,
    architecture: typeof config.architecture === "string" ? config.architecture : "",
    os: typeof config.os === "string" && config.os !== "" ? config.os : "linux",
    rootfs: { type: "layers", diff_ids: list as Digest[] },
    ...(history === undefined ? {} : { history }),
  } as ImageConfig;
}

/** How a layer of this media type is wrapped; throws for types that are no layers, or are encrypted. */
export function compressionOf(mediaType: string, name: string): Compression {
  const match =
    /^application\/vnd\.(?:oci\.image\.layer\.(?:nondistributable\.)?v1\.tar|docker\.image\.rootfs\.(?:foreign\.)?diff\.tar)(?:[.+](gzip|zstd))?$/.exec(
      mediaType,
    );
  if (match === null) throw unusable(name, `it has a layer of type ${quote(mediaType)}, which is not supported`);
  return (match[1] as "gzip" | "zstd" | undefined) ?? "none";
}

function isImage({ mediaType, platform, annotations }: Descriptor): boolean {
  const isKnown = indexTypes.includes(mediaType) || manifestTypes.includes(mediaType);
  return isKnown && platform?.os !== "unknown" && annotations?.["vnd.docker.reference.type"] === undefined;
}

function readList(value: unknown, name: string): readonly Descriptor[] {
  if (value === null) return [];
  if (!Array.isArray(value)) throw broken(name, "its manifest lacks a list");
  return value.map((item) => readDescriptor(item, name));
}

function readDescriptor(value: unknown, name: string): Descriptor {
  const { mediaType, digest, size, urls, annotations, platform } = (value ?? {}) as Record<string, unknown>;
  if (typeof mediaType !== "string") throw broken(name, "its manifest has an entry without a media type");
  if (typeof digest !== "string" || !isDigest(digest))
    throw broken(name, `its manifest has ${quote(String(digest))} where a sha256 digest belongs`);
  if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0) throw broken(name, `its manifest gives no size for ${digest}`);
  const isText = (item: unknown) => typeof item === "string";
  return {
    mediaType,
    digest,
    size,
    ...(Array.isArray(urls) && urls.every(isText) && urls.length > 0 ? { urls } : {}),
    ...(isRecord(annotations) && Object.values(annotations).every(isText) ? { annotations: annotations as Record<string, string> } : {}),
    ...(isRecord(platform) && isText(platform.os) && isText(platform.architecture) ? { platform: platform as unknown as Platform } : {}),
  };
}

function readObject(bytes: Uint8Array, name: string, what: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes).toString("utf8"));
  } catch (cause) {
    throw broken(name, `its ${what} is no JSON`, cause);
  }
  if (!isRecord(value)) throw broken(name, `its ${what} is no JSON object`);
  return value;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}

function quote(text: string): string {
  return `"${text.slice(0, 120)}"`;
}

function broken(name: string, why: string, cause?: unknown): RegistryError {
  return new RegistryError(`Cannot read "${name}": ${why}`, { failure: "invalid", cause });
}

function unusable(name: string, why: string): RegistryError {
  return new RegistryError(`Cannot use "${name}": ${why}`, { failure: "unsupported" });
}
