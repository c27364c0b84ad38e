// Finds out what a reference names: manifest and configuration, narrowed to one platform.

import { type Digest, isDigest } from "../image/digest.ts";
import { alignHistory, digestOf, type EncodedBlob, mediaTypes } from "../image/encode.ts";
import type { Descriptor, ImageConfig } from "../image/image.ts";
import { formatPlatform, type Platform, platformDistance } from "../image/platform.ts";
import { formatReference, type Reference } from "../image/reference.ts";
import { type Client, pullScope } from "./client.ts";
import type { Place } from "./endpoint.ts";
import { RegistryError } from "./error.ts";
import { acceptedManifests, configLimit, type Manifest, type ManifestIndex, manifestLimit, readConfig, readManifest } from "./manifest.ts";
import type { ResolvedImage } from "./registry.ts";

/** An image as one host serves it. */
export interface FoundImage {
  readonly manifest: Manifest;
  readonly config: ImageConfig;
  readonly digest: Digest;
  readonly manifestDigest: Digest;
  readonly documents: ResolvedImage["documents"];
  readonly platform: Platform;
  readonly otherPlatform: boolean;
}

/** Where the documents of an image are read, a registry's repository or a directory. */
export interface Documents {
  /** The image as the user knows it. */
  readonly name: string;
  /** Who answers for what is read. */
  readonly keeper: string;
  /** A manifest or index, by its tag or digest. */
  manifest(
    which: string,
  ): Promise<{ readonly bytes: Uint8Array; readonly contentType?: string | undefined; readonly announced?: string | undefined }>;
  blob(digest: Digest, size: number): Promise<Uint8Array>;
}

/** Manifests and configurations that need not be asked for. */
export type KnownDocuments = Promise<ReadonlyMap<Digest, Uint8Array>>;

/** Those of a reference, as one host has them. */
export function openDocuments(
  client: Client,
  place: Place,
  reference: Reference,
  { signal, known }: { readonly signal: AbortSignal; readonly known: KnownDocuments },
): Documents {
  const name = formatReference(reference);
  const via = place.registry === reference.registry ? "" : ` from ${place.registry}`;
  const call = { repository: place.repository, scopes: [pullScope(place.repository)] as const, action: `pull "${name}"${via}`, signal };
  return {
    name,
    keeper: client.registry,
    async manifest(which) {
      const kept = isDigest(which) ? (await known).get(which) : undefined;
      if (kept !== undefined) return { bytes: kept };
      const path = `/v2/${place.repository}/manifests/${which}`;
      const { response, bytes } = await client.read(path, { ...call, headers: { accept: acceptedManifests } }, manifestLimit);
      return { bytes, contentType: response.header("content-type"), announced: response.header("docker-content-digest") };
    },
    blob: async (digest, size) =>
      (await known).get(digest) ?? (await client.read(`/v2/${place.repository}/blobs/${digest}`, call, size)).bytes,
  };
}

/** Indexes in indexes are rare, and deeper ones are a trick. */
const deepestIndex = 3;

/** The image that a tag or digest names, and in an index the one for a platform. */
export async function findImage(documents: Documents, which: Pick<Reference, "tag" | "digest">, wanted: Platform): Promise<FoundImage> {
  const { name } = documents;
  const top = await readDocument(documents, which.digest ?? which.tag ?? "latest", which.digest);
  if (top.document.kind === "manifest") {
    const image = await readImage(documents, top.document, top.blob);
    return {
      ...image,
      digest: top.digest,
      manifestDigest: top.digest,
      otherPlatform: platformDistance(wanted, image.platform) === undefined,
    };
  }
  const found = await narrow(documents, top.document, wanted, deepestIndex);
  if (found !== undefined) return { ...found, digest: top.digest, otherPlatform: false };
  const offers = [...new Set(top.document.manifests.flatMap(({ platform }) => (platform === undefined ? [] : formatPlatform(platform))))];
  const offered = offers.length === 0 ? "no platform at all" : offers.join(", ");
  throw new RegistryError(
    `Cannot use "${name}" for ${formatPlatform(wanted)}: no match for platform in manifest ${top.digest}; it offers ${offered}`,
    {
      failure: "unsupported",
    },
  );
}

/** The best entry of an index; entries that do not name their platform are asked last, by reading their images. */
async function narrow(
  documents: Documents,
  index: ManifestIndex,
  wanted: Platform,
  depth: number,
): Promise<Omit<FoundImage, "digest" | "otherPlatform"> | undefined> {
  if (depth === 0) return undefined;
  const distanceTo = ({ platform }: Descriptor) => (platform === undefined ? Number.MAX_SAFE_INTEGER : platformDistance(wanted, platform));
  const usable = index.manifests
    .map((descriptor) => ({ descriptor, distance: distanceTo(descriptor) }))
    .filter((entry): entry is { descriptor: Descriptor; distance: number } => entry.distance !== undefined)
    .sort((a, b) => a.distance - b.distance);
  for (const { descriptor } of usable) {
    const { document, digest, blob } = await readDocument(documents, descriptor.digest, descriptor.digest);
    if (document.kind === "index") {
      const inner = await narrow(documents, document, wanted, depth - 1);
      if (inner !== undefined) return inner;
      continue;
    }
    const image = await readImage(documents, document, blob);
    if (descriptor.platform !== undefined) return { ...image, manifestDigest: digest, platform: descriptor.platform };
    if (platformDistance(wanted, image.platform) !== undefined) return { ...image, manifestDigest: digest };
  }
  return undefined;
}

async function readDocument(
  documents: Documents,
  which: string,
  expected: Digest | undefined,
): Promise<{ document: Manifest | ManifestIndex; digest: Digest; blob: EncodedBlob }> {
  const { name } = documents;
  const { bytes, contentType, announced } = await documents.manifest(which);
  const digest = digestOf(bytes);
  // Where the user gave no digest the registry's own word is the only check there is; it may leave it out.
  const due = expected ?? (announced?.startsWith("sha256:") ? announced : undefined);
  if (due !== undefined && due !== digest)
    throw new RegistryError(`Cannot pull "${name}": ${documents.keeper} sent a manifest with the digest ${digest} instead of ${due}`, {
      failure: "invalid",
    });
  const document = readManifest(bytes, contentType, name);
  const mediaType = document.kind === "manifest" ? mediaTypes[document.family].manifest : mediaTypes.oci.index;
  return { document, digest, blob: { bytes, descriptor: { mediaType, digest, size: bytes.length } } };
}

async function readImage(
  { name, keeper, blob: readBlob }: Documents,
  manifest: Manifest,
  blob: EncodedBlob,
): Promise<{ manifest: Manifest; config: ImageConfig; platform: Platform; documents: ResolvedImage["documents"] }> {
  const { digest, size } = manifest.config;
  if (size > configLimit)
    throw new RegistryError(`Cannot use "${name}": its configuration has ${size} bytes, more than ${configLimit}`, {
      failure: "unsupported",
    });
  const bytes = await readBlob(digest, size);
  if (digestOf(bytes) !== digest)
    throw new RegistryError(
      `Cannot pull "${name}": ${keeper} sent a configuration with the digest ${digestOf(bytes)} instead of ${digest}`,
      { failure: "invalid" },
    );
  const config = alignHistory(readConfig(bytes, manifest.layers.length, name));
  const { os, architecture, variant } = config;
  const rest = { ...(config["os.version"] === undefined ? {} : { "os.version": config["os.version"] }) };
  const documents = { manifest: blob, config: { bytes, descriptor: manifest.config } };
  return { manifest, config, documents, platform: { os, architecture, ...(variant === undefined ? {} : { variant }), ...rest } };
}
