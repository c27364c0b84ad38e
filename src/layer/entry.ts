// What one entry of a layer is: a file, directory, link, device or whiteout with its attributes.

/**
 * A path or link target as raw bytes, one character per byte (latin1): names on Linux need not be UTF-8 and must survive as they
 * are. Comparing two of them compares their bytes.
 */
export type RawPath = string;

export type EntryType = "file" | "directory" | "symlink" | "hardlink" | "char" | "block" | "fifo";

/** The attributes that a tar header, a tree and a file system have in common. */
export interface Attributes {
  readonly type: EntryType;
  /** Permission bits, 0 to 0o7777. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Seconds since 1970, an integer, perhaps negative. */
  readonly mtime: number;
  /** The nanoseconds after `mtime`, 0 to 999 999 999; layers that Slipway writes hold whole seconds. */
  readonly mtimeNs: number;
  /** Bytes of a file's content; 0 for all else. */
  readonly size: number;
  /** Where a symlink points, verbatim; for a hard link the path, in the form of `path`, of the file it is. Otherwise "". */
  readonly link: RawPath;
  readonly devMajor: number;
  readonly devMinor: number;
  /** By raw name, values as latin1. Only `security.capability` is written to layers. */
  readonly xattrs?: ReadonlyMap<string, string>;
}

/** An entry of a layer. */
export interface Entry extends Attributes {
  /** Relative to the root, no slash at either end, no `.`, `..` or empty part; "" is the root itself. Whiteouts keep their `.wh.` name. */
  readonly path: RawPath;
  /** 64 hex digits: sha256 of a file's content; known once the content has been read. */
  readonly sha256?: string;
  /** The content itself, kept for `etc/passwd` and `etc/group` alone (up to 10 MiB), as latin1. */
  readonly text?: string;
}

/** An entry in the making. */
export type GrowingEntry = { -readonly [key in keyof Entry]: Entry[key] };

type Xattrs = Attributes["xattrs"];

/**
 * An entry at a path with the attributes of something else but these extended ones, and of a file perhaps the digest. Field by field, in
 * one order: of object spread V8 makes a hidden class for each object, several times its size.
 */
export function makeEntry(path: RawPath, attributes: Attributes, xattrs: Xattrs, sha256?: string): GrowingEntry {
  const { type, mode, uid, gid, mtime, mtimeNs, size, link, devMajor, devMinor } = attributes;
  const entry: GrowingEntry =
    sha256 === undefined
      ? { path, type, mode, uid, gid, mtime, mtimeNs, size, link, devMajor, devMinor }
      : { path, type, mode, uid, gid, mtime, mtimeNs, size, link, devMajor, devMinor, sha256 };
  if (xattrs !== undefined) entry.xattrs = xattrs;
  return entry;
}

/** Of extended attributes those that layers hold. */
export function keepStored(xattrs: Xattrs): Xattrs {
  const value = xattrs?.get(capability);
  return value === undefined ? undefined : new Map([[capability, value]]);
}

const capability = "security.capability";

/** Where the content of a file is, so that it can be read when it is needed. */
export type Content =
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  /** A range of a local file; `path` is raw. */
  | {
      readonly kind: "file";
      readonly path: RawPath;
      readonly offset: number;
      readonly size: number;
      /** The same bytes from who may open the file, where this process may not. */
      readonly read?: () => AsyncIterable<Uint8Array>;
    };

/** What a layer is written from. A file's `entry.sha256`, where given, is checked against what is read. */
export interface LayerItem {
  readonly entry: Entry;
  /** For files of size > 0. */
  readonly content?: Content;
}

/** What is known of a layer without its bytes: its entries in the order of the tar, whiteouts included. */
export interface LayerIndex {
  readonly diffId: import("../image/digest.ts").Digest;
  readonly entries: readonly Entry[];
}

/** Prefix of a whiteout's name: https://github.com/opencontainers/image-spec/blob/main/layer.md#whiteouts */
export const whiteoutPrefix = ".wh.";
/** The name that hides everything lower layers have in its directory. */
export const opaqueMarker = ".wh..wh..opq";

export function toRaw(text: string): RawPath {
  return Buffer.from(text, "utf8").toString("latin1");
}
/** For people and JSON; bytes that are no UTF-8 become replacement characters. */
export function toText(raw: RawPath): string {
  return isPlain(raw) ? raw : Buffer.from(raw, "latin1").toString("utf8");
}
/** For the file system. */
export function toBytes(raw: RawPath): Buffer {
  return Buffer.from(raw, "latin1");
}
/** The same, and without a buffer where there is no need for one: for paths that are many. */
export function toPath(raw: RawPath): string | Buffer {
  return isPlain(raw) ? raw : toBytes(raw);
}

/** Whether it is the same in every encoding. */
function isPlain(raw: RawPath): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: ASCII has them
  return !/[^\x00-\x7f]/.test(raw);
}
