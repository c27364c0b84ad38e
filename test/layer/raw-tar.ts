// Builds tar archives byte by byte, so that tests can make ones that no writer would.

import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { type Helper, openHelper } from "../../src/helper/helper.ts";
import { digestOf } from "../../src/image/encode.ts";
import type { Layer } from "../../src/image/image.ts";
import { type Content, type Entry, type LayerItem, toRaw } from "../../src/layer/entry.ts";
import {
  defaultLimits,
  MalformedLayerError,
  openHeldTar,
  type ReadLimits,
  readLayer,
  readTar,
  type TarContent,
} from "../../src/layer/layer.ts";

const helper = openHelper();
const sha256 = (bytes: Uint8Array) => hash("sha256", bytes, "hex");

export interface RawHeader {
  name?: string;
  flag?: string;
  mode?: string | Buffer;
  uid?: string | Buffer;
  gid?: string | Buffer;
  /** A number means octal digits; text and bytes are put there as they are. */
  size?: number | string | Buffer;
  mtime?: number | string | Buffer;
  link?: string;
  magic?: string;
  devMajor?: string;
  devMinor?: string;
  prefix?: string;
  checksum?: "signed" | "wrong";
  /** Bytes put at an offset before the checksum is taken. */
  at?: readonly (readonly [number, string | Buffer])[];
}

export const ustar = "ustar\x0000";
export const gnu = "ustar  \0";
export const end = Buffer.alloc(1024);

/** A header block; by default that of an empty ustar file named `f`. */
export function header(fields: RawHeader = {}): Buffer {
  const block = Buffer.alloc(512);
  const put = (value: string | Buffer, at: number, length: number) =>
    (typeof value === "string" ? Buffer.from(value, "latin1") : value).copy(block, at, 0, length);
  const octal = (value: number | string | Buffer, length: number) =>
    typeof value === "number" ? value.toString(8).padStart(length - 1, "0") : value;
  put(fields.name ?? "f", 0, 100);
  put(fields.mode ?? "0000644", 100, 8);
  put(fields.uid ?? "0000000", 108, 8);
  put(fields.gid ?? "0000000", 116, 8);
  put(octal(fields.size ?? 0, 12), 124, 12);
  put(octal(fields.mtime ?? 0, 12), 136, 12);
  put(fields.flag ?? "0", 156, 1);
  put(fields.link ?? "", 157, 100);
  put(fields.magic ?? ustar, 257, 8);
  put(fields.devMajor ?? "", 329, 8);
  put(fields.devMinor ?? "", 337, 8);
  put(fields.prefix ?? "", 345, 155);
  for (const [offset, value] of fields.at ?? []) put(value, offset, 512);
  block.fill(0x20, 148, 156);
  const sum = block.reduce((total, byte) => total + (fields.checksum === "signed" && byte > 127 ? byte - 256 : byte), 0);
  put(`${(sum + (fields.checksum === "wrong" ? 1 : 0)).toString(8).padStart(6, "0")}\0 `, 148, 8);
  return block;
}

export function padded(content: string | Buffer): Buffer {
  const bytes = typeof content === "string" ? Buffer.from(content, "latin1") : content;
  return Buffer.concat([bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)]);
}

/** A header and its content. */
export function member(fields: RawHeader, content: string | Buffer = ""): Buffer {
  return Buffer.concat([header({ size: content.length, ...fields }), padded(content)]);
}

export function paxRecord(key: string, value: string): string {
  for (let length = key.length + value.length + 3; ; length++) {
    const record = `${length} ${key}=${value}\n`;
    if (record.length === length) return record;
  }
}

/** A PAX extended header with these records; values as latin1. */
export function pax(...records: (readonly [string, string])[]): Buffer {
  return member({ name: "PaxHeaders", flag: "x" }, records.map(([key, value]) => paxRecord(key, value)).join(""));
}

export function base256(value: bigint, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  let rest = BigInt.asUintN(length * 8, value);
  for (let i = length - 1; i >= 0; i--) {
    bytes[i] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  bytes[0] = (bytes[0] ?? 0) | 0x80;
  return bytes;
}

/** Bytes in chunks of a size, as a network might give them. */
export async function* chunked(bytes: Uint8Array, size = 64 << 10): AsyncGenerator<Uint8Array, void, void> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

export async function collect(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

export interface ReadEntry {
  readonly entry: Entry;
  readonly content: Buffer;
}

interface ReadAllOptions {
  readonly limits?: ReadLimits;
  readonly chunk?: number;
}

/** All entries with their contents. Reads them with the helper as well, which must come to the same, or throw the same. */
export async function readAll(bytes: Uint8Array, options: ReadAllOptions = {}): Promise<ReadEntry[]> {
  const read = await outcomeOf(readHere(bytes, options));
  if ((await helper) !== undefined) {
    assert.deepEqual(await outcomeOf(readHeld(bytes, options, collect)), read);
    const digests = Array.isArray(read) ? read.map(({ entry, content }) => ({ entry, content: Buffer.from(sha256(content)) })) : read;
    assert.deepEqual(await outcomeOf(readHeld(bytes, options, digestHeld)), digests);
  }
  if (Array.isArray(read)) return read;
  throw new MalformedLayerError(read.malformed);
}

async function outcomeOf(reading: Promise<ReadEntry[]>): Promise<ReadEntry[] | { readonly malformed: string }> {
  try {
    return await reading;
  } catch (error) {
    if (!(error instanceof MalformedLayerError)) throw error;
    return { malformed: error.message.replace(/^Cannot read layer "[^"]*": /, "") };
  }
}

/** What the helper tells of a content, or a digest of what comes here where it cannot keep that. */
async function digestHeld(content: TarContent): Promise<Buffer> {
  const held = await content.hold();
  return Buffer.from(held === undefined ? sha256(await collect(content)) : (await held.end()).sha256);
}

async function readHeld(
  bytes: Uint8Array,
  { limits = defaultLimits, chunk }: ReadAllOptions,
  take: (content: TarContent) => Promise<Buffer>,
): Promise<ReadEntry[]> {
  const layer = layerOf(bytes, chunk);
  const entries: ReadEntry[] = [];
  const visitor = { entry: async (entry: Entry, content: TarContent) => void entries.push({ entry, content: await take(content) }) };
  const tar = await openHeldTar(layer, { helper: (await helper) as Helper, digests: true, maxBytes: limits.maxBytes });
  try {
    await readLayer(layer, visitor, { limits, tar });
    await tar.session.finish("read an archive");
  } catch (error) {
    await tar.session.fail(error);
  }
  return entries;
}

function layerOf(bytes: Uint8Array, chunk: number | undefined): Layer {
  const digest = digestOf(bytes);
  const descriptor = { mediaType: "application/vnd.oci.image.layer.v1.tar", digest, size: bytes.length };
  return { descriptor, diffId: digest, compression: "none", open: () => chunked(bytes, chunk) };
}

async function readHere(bytes: Uint8Array, options: ReadAllOptions): Promise<ReadEntry[]> {
  const entries: ReadEntry[] = [];
  for await (const { entry, content } of readTar(chunked(bytes, options.chunk), options.limits)) {
    entries.push({ entry, content: await collect(content) });
  }
  return entries;
}

/** An entry to write, named in UTF-8. */
export function item(path: string, fields: Partial<Entry> = {}, content?: string | Buffer | Content): LayerItem {
  const held: Content | undefined =
    content === undefined || (typeof content === "object" && "kind" in content) ? content : { kind: "bytes", bytes: Buffer.from(content) };
  const size = held === undefined ? 0 : held.kind === "bytes" ? held.bytes.length : held.size;
  const type = fields.type ?? "file";
  const plain = {
    mode: type === "directory" ? 0o755 : 0o644,
    uid: 0,
    gid: 0,
    mtime: 1_700_000_000,
    mtimeNs: 0,
    link: "",
    devMajor: 0,
    devMinor: 0,
  };
  return { entry: { path: toRaw(path), ...plain, size, ...fields, type }, ...(held === undefined ? {} : { content: held }) };
}
