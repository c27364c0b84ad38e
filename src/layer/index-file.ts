// A layer's index as a small file, so that a layer can be looked into without its bytes.

import { finished, pipeline } from "node:stream/promises";
import { createGunzip, createGzip } from "node:zlib";
import type { Digest } from "../image/digest.ts";
import { type Entry, type EntryType, type LayerIndex, makeEntry } from "./entry.ts";

const version = 1;
const types: readonly EntryType[] = ["file", "directory", "symlink", "hardlink", "char", "block", "fifo"];
/** Of the unpacked text: some four million entries. */
const maxBytes = 1 << 30;

/** One entry; what is rare stands at the end, and is left out where nothing of it is there. */
type Row = [path: string, type: number, mode: number, uid: number, gid: number, mtime: number, size: number, sha256: string, rare?: Rare];
type Rare = [
  mtimeNs: number,
  link: string,
  devMajor: number,
  devMinor: number,
  xattrs: readonly (readonly [string, string])[],
  text: string | null,
];

/** Writes a layer's index while its entries pass. */
export interface IndexWriter {
  /** In the order of the layer. */
  add(entry: Entry): void;
  /** Lines of JSON, compressed: a head with the layer's diffId, one line for each entry, and how many there were. */
  end(): Promise<Buffer>;
}

/** Takes down the entries of layers that somebody reads anyhow. */
export interface IndexSink {
  /** undefined where the layer's index is known. */
  begin(diffId: Digest): { add(entry: Entry): void; end(): void } | undefined;
}

export function openIndexWriter(diffId: Digest): IndexWriter {
  const gzip = createGzip({ level: 1, chunkSize: 64 << 10 });
  const chunks: Buffer[] = [];
  gzip.on("data", (chunk: Buffer) => chunks.push(chunk));
  let text = `${JSON.stringify({ version, diffId })}\n`;
  let count = 0;
  return {
    add(entry) {
      text += `${JSON.stringify(rowOf(entry))}\n`;
      count += 1;
      if (text.length < 64 << 10) return;
      gzip.write(text);
      text = "";
    },
    async end() {
      gzip.end(`${text}${JSON.stringify(count)}\n`);
      await finished(gzip);
      return Buffer.concat(chunks);
    },
  };
}

/** The whole at once. */
export function encodeIndex({ diffId, entries }: LayerIndex): Promise<Buffer> {
  const writer = openIndexWriter(diffId);
  for (const entry of entries) writer.add(entry);
  return writer.end();
}

/** Throws where the bytes are not the index of the layer with this diffId. */
export async function decodeIndex(bytes: AsyncIterable<Uint8Array>, diffId: Digest): Promise<LayerIndex> {
  const entries: Entry[] = [];
  let hasHead = false;
  let count: number | undefined;
  for await (const line of readLines(bytes)) {
    const value: unknown = JSON.parse(line);
    if (count !== undefined) throw new Error(`the index of layer ${diffId} goes on after its end`);
    if (!hasHead) checkHead(value, diffId);
    else if (typeof value === "number") count = value;
    else entries.push(entryOf(value));
    hasHead = true;
  }
  if (entries.length !== count) throw new Error(`the index of layer ${diffId} is cut short`);
  return { diffId, entries };
}

async function* readLines(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<string, void, void> {
  let rest = "";
  let size = 0;
  const unpacked = createGunzip();
  // What goes wrong with the source ends the reading of its end.
  void pipeline(bytes, unpacked).catch(() => {});
  for await (const chunk of unpacked.setEncoding("utf8")) {
    size += chunk.length;
    if (size > maxBytes) throw new Error(`the index is longer than ${maxBytes} characters`);
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
  if (rest !== "") throw new Error("the index is cut short");
}

function checkHead(head: unknown, diffId: Digest): void {
  const isHead = typeof head === "object" && head !== null && "version" in head && "diffId" in head;
  if (!isHead || head.version !== version || head.diffId !== diffId) throw new Error(`it is not the index of layer ${diffId}`);
}

function rowOf(entry: Entry): Row {
  const { path, type, mode, uid, gid, mtime, mtimeNs, size, link, devMajor, devMinor, xattrs, sha256 = "", text } = entry;
  const row: Row = [path, types.indexOf(type), mode, uid, gid, mtime, size, sha256];
  const isPlain = mtimeNs === 0 && link === "" && devMajor === 0 && devMinor === 0 && xattrs === undefined && text === undefined;
  if (!isPlain) row.push([mtimeNs, link, devMajor, devMinor, [...(xattrs ?? [])], text ?? null]);
  return row;
}

function entryOf(row: unknown): Entry {
  if (!isRow(row)) throw new Error("the index has a line that is no entry");
  const [path, number, mode, uid, gid, mtime, size, sha256, rare] = row;
  const [mtimeNs, link, devMajor, devMinor, xattrs, text] = rare ?? [0, "", 0, 0, [], null];
  const type = types[number] ?? "file";
  const attributes = { type, mode, uid, gid, mtime, mtimeNs, size, link, devMajor, devMinor };
  const entry = makeEntry(path, attributes, xattrs.length === 0 ? undefined : new Map(xattrs), sha256 === "" ? undefined : sha256);
  if (text !== null) entry.text = text;
  return entry;
}

function isRow(row: unknown): row is Row {
  if (!Array.isArray(row) || row.length < 8 || row.length > 9) return false;
  const [path, ...rest] = row as readonly unknown[];
  const [sha256, rare] = rest.slice(6);
  const isNumbers = rest.slice(0, 6).every((value) => Number.isSafeInteger(value));
  return (
    typeof path === "string" &&
    isNumbers &&
    typeof sha256 === "string" &&
    /^(?:|[0-9a-f]{64})$/.test(sha256) &&
    (rare === undefined || isRare(rare))
  );
}

function isRare(rare: unknown): rare is Rare {
  if (!Array.isArray(rare) || rare.length !== 6) return false;
  const [mtimeNs, link, devMajor, devMinor, xattrs, text] = rare as readonly unknown[];
  const isPair = (pair: unknown) => Array.isArray(pair) && pair.length === 2 && pair.every((part) => typeof part === "string");
  return (
    [mtimeNs, devMajor, devMinor].every((value) => Number.isSafeInteger(value)) &&
    typeof link === "string" &&
    Array.isArray(xattrs) &&
    xattrs.every(isPair) &&
    (text === null || typeof text === "string")
  );
}
