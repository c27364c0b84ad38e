// Images in an OCI layout on disk, read as a registry's are: https://github.com/opencontainers/image-spec/blob/main/image-layout.md

import { createReadStream } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { type Digest, hexOf } from "../image/digest.ts";
import { mediaTypes } from "../image/encode.ts";
import type { Descriptor, Layer } from "../image/image.ts";
import { formatImageName, type LayoutReference } from "../image/layout.ts";
import type { Platform } from "../image/platform.ts";
import { verifyBytes } from "../layer/layer.ts";
import { RegistryError } from "./error.ts";
import { compressionOf, manifestLimit, readManifest } from "./manifest.ts";
import type { ResolvedImage } from "./registry.ts";
import { type Documents, findImage } from "./resolve.ts";

/** Reads manifest and configuration; the layers are verified when they are read. Throws a RegistryError. */
export async function resolveLayout(reference: LayoutReference, platform: Platform): Promise<Omit<ResolvedImage, "reference">> {
  const { directory } = reference;
  const name = formatImageName(reference);
  const pathOf = (digest: Digest) => blobPath(directory, digest);
  const documents: Documents = {
    name,
    keeper: directory,
    manifest: async (which) => ({ bytes: await readSmall(pathOf(which as Digest), manifestLimit, name) }),
    blob: (digest, size) => readSmall(pathOf(digest), size, name),
  };
  const digest = reference.digest ?? (await findEntry(reference, name)).digest;
  const { manifest, ...found } = await findImage(documents, { digest }, platform);
  const layers = manifest.layers.map((descriptor, i): Layer => {
    const diffId = found.config.rootfs.diff_ids[i];
    if (diffId === undefined) throw new Error(`Cannot use "${name}": layer ${i} has no diffId`);
    const open = (signal?: AbortSignal) =>
      verifyBytes(createReadStream(pathOf(descriptor.digest), { signal, highWaterMark: 256 << 10 }), descriptor);
    return { descriptor, diffId, compression: compressionOf(descriptor.mediaType, name), open };
  });
  return { family: manifest.family, layers, ...found };
}

/** Where a layout has a blob. */
export function blobPath(layout: string, digest: Digest): string {
  return join(layout, "blobs", "sha256", hexOf(digest));
}

/** What `index.json` has under the tag, by default "latest"; else what it has alone, unless that has another name than the one asked for. */
async function findEntry({ directory, tag }: LayoutReference, name: string): Promise<Descriptor> {
  const bytes = await readSmall(join(directory, "index.json"), manifestLimit, name);
  const index = readManifest(bytes, mediaTypes.oci.index, name);
  const entries = index.kind === "index" ? index.manifests : [];
  const nameOf = ({ annotations }: Descriptor) => annotations?.["org.opencontainers.image.ref.name"];
  const named = entries.find((entry) => nameOf(entry) === (tag ?? "latest"));
  if (named !== undefined) return named;
  const [only, ...others] = entries;
  if (only !== undefined && others.length === 0 && (tag === undefined || nameOf(only) === undefined)) return only;
  const tags = entries.flatMap((entry) => nameOf(entry) ?? []);
  const offer = entries.length === 0 ? "it holds no image" : tags.length === 0 ? "its images have no tags" : `it has ${tags.join(", ")}`;
  const hint = entries.length === 0 ? undefined : "write DIRECTORY:TAG, or DIRECTORY@DIGEST";
  throw new RegistryError(`Cannot use "${name}": there is no tag ${tag ?? "latest"}; ${offer}`, { failure: "not-found", hint });
}

async function readSmall(path: string, limit: number, name: string): Promise<Uint8Array> {
  const fail = (why: string, cause?: unknown) => new RegistryError(`Cannot use "${name}": ${path} ${why}`, { failure: "not-found", cause });
  try {
    const { size } = await stat(path);
    if (size > limit) throw fail(`has ${size} bytes, more than ${limit}`);
    return await readFile(path);
  } catch (cause) {
    if (cause instanceof RegistryError) throw cause;
    throw fail(cause instanceof Error && "code" in cause && cause.code === "ENOENT" ? "is not there" : "cannot be read", cause);
  }
}
