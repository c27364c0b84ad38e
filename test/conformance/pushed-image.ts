// Reads an image back from a registry and flattens it, by means that share nothing with the builder's.

import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { join } from "node:path";
import { Readable, type Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { digestOf } from "../support/local-registry.ts";
import type { FlatTree } from "./case.ts";
import type { ImageShape } from "./compare.ts";

export interface PushedImage {
  /** Of the manifest's bytes. */
  readonly digest: string;
  readonly tree: FlatTree;
  readonly config: Readonly<Record<string, unknown>>;
  readonly shape: ImageShape;
}

const accepted = ["application/vnd.docker.distribution.manifest.v2+json", "application/vnd.oci.image.manifest.v1+json"];

interface Manifest {
  readonly config: { readonly digest: string };
  readonly layers: readonly { readonly digest: string; readonly mediaType: string; readonly size: number }[];
}

interface Config {
  readonly config?: Record<string, unknown>;
  readonly rootfs: { readonly diff_ids: readonly string[] };
  readonly history?: ImageShape["history"];
}

/** Layers are unpacked to plain tar files below `work`. */
export async function readPushedImage(host: string, name: string, { tag, work }: { tag: string; work: string }): Promise<PushedImage> {
  const url = `http://${host}/v2/${name}`;
  const bytes = await fetchBytes(`${url}/manifests/${tag}`, accepted.join(", "));
  const manifest: Manifest = JSON.parse(bytes.toString());
  const config: Config = JSON.parse((await fetchVerified(`${url}/blobs/`, manifest.config.digest)).toString());
  const files: string[] = [];
  const measuredDiffIds: string[] = [];
  for (const [index, layer] of manifest.layers.entries()) {
    const blob = await fetchVerified(`${url}/blobs/`, layer.digest);
    if (blob.length !== layer.size)
      throw new Error(`Layer ${index + 1} of "${name}" has ${blob.length} bytes: its manifest says ${layer.size}`);
    const file = join(work, `layer-${index}.tar`);
    measuredDiffIds.push(await unpackBlob(blob, file));
    files.push(file);
  }
  const shape = { layers: manifest.layers.length, diffIds: config.rootfs.diff_ids, measuredDiffIds, history: config.history ?? [] };
  return { digest: digestOf(bytes), tree: await flattenLayers(files), config: config.config ?? {}, shape };
}

export async function flattenLayers(files: readonly string[]): Promise<FlatTree> {
  const script = fileURLToPath(new URL("flatten.py", import.meta.url));
  const { stdout } = await promisify(execFile)("python3", [script, ...files], { maxBuffer: 1 << 28 });
  return JSON.parse(stdout);
}

async function fetchBytes(url: string, accept = "*/*"): Promise<Buffer> {
  const response = await fetch(url, { headers: { accept } });
  if (!response.ok) throw new Error(`Cannot read back "${url}": the registry answered ${response.status}`);
  return Buffer.from(await response.arrayBuffer());
}

async function fetchVerified(prefix: string, digest: string): Promise<Buffer> {
  const bytes = await fetchBytes(prefix + digest);
  if (digestOf(bytes) !== digest) throw new Error(`Blob "${digest}" has other bytes: they are ${digestOf(bytes)}`);
  return bytes;
}

/** Returns the digest of the plain bytes. */
async function unpackBlob(blob: Buffer, file: string): Promise<string> {
  const hash = createHash("sha256");
  async function* hashed(source: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
    for await (const chunk of source) {
      hash.update(chunk);
      yield chunk;
    }
  }
  const decompressor = sniffDecompressor(blob);
  const plain = Readable.from([blob]);
  if (decompressor === undefined) await pipeline(plain, hashed, createWriteStream(file));
  else await pipeline(plain, decompressor, hashed, createWriteStream(file));
  return `sha256:${hash.digest("hex")}`;
}

function sniffDecompressor(blob: Buffer): Transform | undefined {
  if (blob.readUInt16BE(0) === 0x1f8b) return createGunzip();
  if (blob.readUInt32LE(0) === 0xfd2fb528) return createZstdDecompress();
  return undefined;
}
