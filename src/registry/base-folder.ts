// Base images in a directory, each an image layout named by the digest of its manifest: kaniko's warmer leaves them so on a volume.

import { createHash, randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Digest, isDigest } from "../image/digest.ts";
import { mediaTypes } from "../image/encode.ts";
import type { Descriptor, Layer } from "../image/image.ts";
import { formatReference } from "../image/reference.ts";
import { type Blobs, openBlobs } from "../layer/layer.ts";
import type { Report } from "../report/report.ts";
import { blobPath } from "./layout.ts";
import { configLimit, manifestLimit, readManifest } from "./manifest.ts";
import type { ResolvedImage } from "./registry.ts";

export interface BaseFolder {
  /** Manifests and configurations of the images that are there, and young enough; nothing of what cannot be read. */
  documents(): Promise<readonly Uint8Array[]>;
  /** The file with the bytes of a layer, which have been verified; undefined where none of the images has it. */
  find(layer: Pick<Descriptor, "digest" | "size">, signal: AbortSignal): Promise<string | undefined>;
  /** Puts an image there whole or not at all; false where it is there already and young, which `force` overrides. */
  keep(image: ResolvedImage, tools: KeepTools): Promise<boolean>;
}

export interface KeepTools {
  readonly force: boolean;
  readonly signal: AbortSignal;
  fetch(layer: Layer, blobs: Blobs, signal: AbortSignal): Promise<Layer>;
}

/** Looks at nothing before it is asked; a directory that is not there has no images. `maxAge` is in seconds, since an image was put there. */
export function openBaseFolder(directory: string, { maxAge, report }: { readonly maxAge: number; readonly report: Report }): BaseFolder {
  const verified = new Map<Digest, Promise<string | undefined>>();
  let opened: Promise<readonly Kept[]> | undefined;

  function warn(text: string): void {
    report.emit({ kind: "warning", text });
  }

  /** Whether it is there, and not older than what is asked for. */
  async function youngAt(place: string): Promise<boolean> {
    const found = await stat(join(place, "index.json")).catch(() => undefined);
    return found !== undefined && Date.now() - found.mtimeMs <= maxAge * 1000;
  }

  async function list(): Promise<readonly Kept[]> {
    const entries = await readdir(directory, { withFileTypes: true }).catch((error: unknown) => {
      if (!isMissing(error)) warn(`Cannot read base images in "${directory}": ${messageOf(error)}; they are pulled instead`);
      return [];
    });
    const names = entries.filter(({ name }) => isDigest(name));
    if (names.some((entry) => entry.isFile()))
      warn(`Base images in "${directory}" are tars of an older kaniko, which are not read; let slipway warm put them there`);
    const kept = await Promise.all(names.filter((entry) => entry.isDirectory()).map(({ name }) => readKept(join(directory, name))));
    return kept.flatMap((one) => one ?? []);
  }

  async function readKept(place: string): Promise<Kept | undefined> {
    if (!(await youngAt(place))) return undefined;
    try {
      const index = readManifest(await readFile(join(place, "index.json")), mediaTypes.oci.index, place);
      const documents: Uint8Array[] = [];
      for (const { digest } of index.kind === "index" ? index.manifests : []) {
        const bytes = await readSmall(blobPath(place, digest), manifestLimit);
        const manifest = readManifest(bytes, undefined, place);
        if (manifest.kind === "manifest") documents.push(bytes, await readSmall(blobPath(place, manifest.config.digest), configLimit));
      }
      return { place, documents };
    } catch (error) {
      warn(`Cannot use the base image in "${place}": ${messageOf(error)}; it is pulled instead`);
      return undefined;
    }
  }

  const kept = () => {
    opened ??= list();
    return opened;
  };

  async function look({ digest, size }: Pick<Descriptor, "digest" | "size">, signal: AbortSignal): Promise<string | undefined> {
    for (const { place } of await kept()) {
      const file = blobPath(place, digest);
      if ((await sizeOf(file)) !== size) continue;
      try {
        const hash = createHash("sha256");
        for await (const chunk of createReadStream(file, { signal, highWaterMark: 1 << 20 })) hash.update(chunk);
        if (`sha256:${hash.digest("hex")}` === digest) return file;
        warn(`Cannot use layer ${digest} in "${place}": its bytes are wrong; it is pulled instead`);
      } catch (error) {
        signal.throwIfAborted();
        warn(`Cannot use layer ${digest} in "${place}": ${messageOf(error)}; it is pulled instead`);
      }
    }
    return undefined;
  }

  return {
    documents: async () => (await kept()).flatMap(({ documents }) => documents),
    find(layer, signal) {
      const found = verified.get(layer.digest) ?? look(layer, signal);
      verified.set(layer.digest, found);
      return found;
    },
    async keep(image, { force, signal, fetch }) {
      const place = join(directory, image.manifestDigest);
      if (!force && (await isWhole(place, image))) {
        // What it holds was just asked for again.
        const now = new Date();
        if (!(await youngAt(place))) await utimes(join(place, "index.json"), now, now);
        return false;
      }
      const temporary = join(directory, `.warming-${randomUUID()}`);
      try {
        await mkdir(temporary, { recursive: true });
        const blobs = await openBlobs(temporary);
        await Promise.all(image.layers.map((layer) => fetch(layer, blobs, signal)));
        for (const { descriptor, bytes } of Object.values(image.documents)) await writeFile(blobs.path(descriptor.digest), bytes);
        await rm(join(temporary, "blobs", "unfinished"), { recursive: true });
        await writeFile(join(temporary, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
        await writeFile(join(temporary, "index.json"), JSON.stringify(indexOf(image)));
        signal.throwIfAborted();
        await replace(place, temporary);
        return true;
      } finally {
        await rm(temporary, { recursive: true, force: true });
      }
    },
  };
}

interface Kept {
  readonly place: string;
  readonly documents: readonly Uint8Array[];
}

async function isWhole(place: string, image: ResolvedImage): Promise<boolean> {
  const { manifest, config } = image.documents;
  const sizes = [manifest, config, ...image.layers].map(({ descriptor }) => descriptor);
  const found = await Promise.all(sizes.map(async ({ digest, size }) => (await sizeOf(blobPath(place, digest))) === size));
  return found.every(Boolean) && (await sizeOf(join(place, "index.json"))) !== undefined;
}

/** Builds that read what was there keep the files that they have open. */
async function replace(place: string, temporary: string): Promise<void> {
  const old = `${temporary}.old`;
  await rename(place, old).catch((error: unknown) => {
    if (!isMissing(error)) throw error;
  });
  try {
    await rename(temporary, place);
  } catch (error) {
    // Somebody else was quicker, with the same content.
    if (!(error instanceof Error && "code" in error && (error.code === "ENOTEMPTY" || error.code === "EEXIST"))) throw error;
  } finally {
    await rm(old, { recursive: true, force: true });
  }
}

function indexOf({ documents, reference, platform }: ResolvedImage): object {
  const annotations = { "org.opencontainers.image.ref.name": formatReference(reference) };
  const manifests = [{ ...documents.manifest.descriptor, platform, annotations }];
  return { schemaVersion: 2, mediaType: mediaTypes.oci.index, manifests };
}

async function readSmall(file: string, limit: number): Promise<Uint8Array> {
  const { size } = await stat(file);
  if (size > limit) throw new Error(`"${file}" has ${size} bytes, more than ${limit}`);
  return readFile(file);
}

async function sizeOf(file: string): Promise<number | undefined> {
  return stat(file).then(
    (found) => (found.isFile() ? found.size : undefined),
    () => undefined,
  );
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
