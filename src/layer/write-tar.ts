// The header bytes that Slipway writes for an entry: ustar, with a PAX header before it where ustar has no room.

import { type Entry, type EntryType, type GrowingEntry, keepStored, makeEntry, type RawPath, toText } from "./entry.ts";
import { blockSize, formatHeader, paddingOf } from "./header.ts";
import { formatPax, xattrRecord } from "./pax.ts";

const flags: Readonly<Record<EntryType, string>> = {
  file: "0",
  hardlink: "1",
  symlink: "2",
  char: "3",
  block: "4",
  directory: "5",
  fifo: "6",
};
// What seven and eleven octal digits hold.
const maxSmall = 0o7777777;
const maxLarge = 0o77777777777;

/** What ends an archive. */
export const trailer: Buffer = Buffer.alloc(2 * blockSize);

/**
 * An entry as a layer can hold it, and as reading the layer gives it back: whole seconds, no later than `clampMtime`, no
 * attribute but capabilities.
 */
export function storedEntry(entry: Entry, clampMtime: number | undefined): GrowingEntry {
  const stored = makeEntry(entry.path, entry, keepStored(entry.xattrs), entry.type === "file" ? "" : undefined);
  if (clampMtime !== undefined) stored.mtime = Math.min(entry.mtime, clampMtime);
  stored.mtimeNs = 0;
  if (entry.type !== "file") stored.size = 0;
  if (entry.type !== "symlink" && entry.type !== "hardlink") stored.link = "";
  return stored;
}

/** All header blocks of an entry. Equal entries give equal bytes. Throws for what no archive could hold. */
export function encodeEntry(entry: Entry): Buffer {
  checkEntry(entry);
  const name = entry.type === "directory" ? `${entry.path === "" ? "." : entry.path}/` : entry.path;
  const records = new Map<string, string>();
  const split = splitName(name);
  if (split === undefined) records.set("path", name);
  if (entry.link.length > 100 || !isAscii(entry.link)) records.set("linkpath", entry.link);
  const fit = (key: string, value: number, most: number) => {
    if (value >= 0 && value <= most) return value;
    records.set(key, String(value));
    return 0;
  };
  const fields = {
    flag: flags[entry.type],
    name: split?.name ?? name.slice(0, 100),
    prefix: split?.prefix ?? "",
    link: entry.link.slice(0, 100),
    mode: entry.mode,
    uid: fit("uid", entry.uid, maxSmall),
    gid: fit("gid", entry.gid, maxSmall),
    size: fit("size", entry.size, maxLarge),
    mtime: fit("mtime", entry.mtime, maxLarge),
    devMajor: entry.devMajor,
    devMinor: entry.devMinor,
  };
  for (const [key, value] of entry.xattrs ?? []) records.set(xattrRecord(key), value);
  const header = formatHeader(fields);
  return records.size === 0 ? header : Buffer.concat([encodeRecords(records), header]);
}

function encodeRecords(records: ReadonlyMap<string, string>): Buffer {
  const body = formatPax(records);
  const fields = {
    flag: "x",
    name: "PaxHeaders",
    prefix: "",
    link: "",
    mode: 0o644,
    uid: 0,
    gid: 0,
    size: body.length,
    mtime: 0,
    devMajor: 0,
    devMinor: 0,
  };
  return Buffer.concat([formatHeader(fields), body, Buffer.alloc(paddingOf(body.length))]);
}

/** A name as ustar's two fields hold it; undefined where they cannot, or where its bytes are no ASCII, which PAX alone has a form for. */
function splitName(name: RawPath): { readonly prefix: RawPath; readonly name: RawPath } | undefined {
  if (!isAscii(name)) return undefined;
  if (name.length <= 100) return { prefix: "", name };
  // The last slash that leaves at most 155 bytes before it, but not the one that ends a directory's name.
  const slash = name.lastIndexOf("/", Math.min(155, name.length - 2));
  if (slash <= 0 || name.length - slash - 1 > 100) return undefined;
  return { prefix: name.slice(0, slash), name: name.slice(slash + 1) };
}

function isAscii(text: RawPath): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return false;
  return true;
}

function checkEntry(entry: Entry): void {
  const wrong =
    (/\0/.test(entry.path) || /\0/.test(entry.link) ? "its name holds a NUL byte" : undefined) ??
    (entry.path === "" && entry.type !== "directory" ? "the root is a directory" : undefined) ??
    ((entry.type === "symlink" || entry.type === "hardlink") && entry.link === "" ? "it links to nothing" : undefined) ??
    (isWithin(entry.mode, 0o7777) ? undefined : `its mode is ${entry.mode}`) ??
    (isWithin(entry.uid, 0xfffffffe) && isWithin(entry.gid, 0xfffffffe) ? undefined : `its owner is ${entry.uid}:${entry.gid}`) ??
    (isWithin(entry.size, Number.MAX_SAFE_INTEGER) ? undefined : `its size is ${entry.size}`) ??
    (Number.isSafeInteger(entry.mtime) ? undefined : `its time is ${entry.mtime}`) ??
    (isWithin(entry.devMajor, maxSmall) && isWithin(entry.devMinor, maxSmall)
      ? undefined
      : `its device is ${entry.devMajor}:${entry.devMinor}`);
  if (wrong !== undefined) throw new Error(`Cannot write "${toText(entry.path)}" to a layer: ${wrong}`);
}

function isWithin(value: number, most: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= most;
}
