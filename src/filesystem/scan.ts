// What is below a directory on disk, as the helper's `scan` tells it.

import { FrameReader, type Helper, readFrames } from "../helper/helper.ts";
import type { Attributes, EntryType, RawPath } from "../layer/entry.ts";

/** An object on disk. `xattrs` has all that it carries; `link` is set for symlinks alone. */
export interface ScannedEntry extends Omit<Attributes, "type"> {
  readonly path: RawPath;
  readonly type: EntryType | "socket";
  readonly nlink: number;
  /** Device and inode as 16 bytes: the same for all hard links of a file, and for nothing else on this machine. */
  readonly inode: string;
  /** Of the last change to content or attributes: seconds, and the nanoseconds after them. */
  readonly ctime: number;
  readonly ctimeNs: number;
  readonly xattrs: ReadonlyMap<string, string>;
}

export interface ScanOptions {
  /** Mount points are seen, what is mounted there is not entered. */
  readonly oneFileSystem?: boolean | undefined;
  /** Directories that are seen but not entered. */
  readonly skipBelow?: readonly RawPath[] | undefined;
}

export interface ScanTools {
  readonly helper: Helper;
  readonly signal?: AbortSignal | undefined;
}

/** By the highest four bits of st_mode. */
const types: Readonly<Record<number, EntryType | "socket">> = {
  1: "fifo",
  2: "char",
  4: "directory",
  6: "block",
  8: "file",
  10: "symlink",
  12: "socket",
};

/**
 * The root (path "") and all below it, directories before what they hold, names in a directory by their bytes. Symlinks are not
 * followed. Throws with the path that could not be read.
 */
export async function* scanDirectory(root: string, tools: ScanTools, options: ScanOptions = {}): AsyncGenerator<ScannedEntry, void, void> {
  for await (const frames of scanFrames(root, tools, options)) for (const frame of frames) yield decodeEntry(frame);
}

/** The same, not decoded, several at a time. Equal bytes mean that nothing has changed. */
export async function* scanFrames(
  root: string,
  tools: ScanTools,
  options: ScanOptions = {},
): AsyncGenerator<readonly Buffer[], void, void> {
  const { helper, signal } = tools;
  const args = [
    ...(options.oneFileSystem ? ["--one-file-system"] : []),
    ...(options.skipBelow ?? []).flatMap((path) => ["--skip-below", Buffer.from(path, "latin1").toString()]),
  ];
  const process = helper.start(["scan", ...args, root], { signal });
  process.stdin.end();
  let isComplete = false;
  try {
    for await (const frames of readFrames(process.stdout)) {
      isComplete = frames.at(-1)?.[0] === endKind;
      yield isComplete ? frames.slice(0, -1) : frames;
    }
  } finally {
    process.stdout.destroy();
  }
  const { code, signal: killed, stderr } = await process.exited;
  signal?.throwIfAborted();
  if (!isComplete || code !== 0) throw new Error(stderr || `Cannot scan "${root}": the helper ended with ${killed ?? `exit code ${code}`}`);
}

/** Of nearly all objects; a map for each would be half of what they take. */
const noXattrs = new Map<string, string>();

const endKind = "z".charCodeAt(0);

export function decodeEntry(frame: Buffer): ScannedEntry {
  const reader = new FrameReader(frame);
  const path = reader.text();
  const mode = reader.u32();
  const [uid, gid, nlink, size] = [reader.u32(), reader.u32(), reader.u32(), reader.u64()];
  const [mtime, mtimeNs, ctime, ctimeNs] = [reader.u64(), reader.u32(), reader.u64(), reader.u32()];
  const inode = reader.raw(16);
  const [devMajor, devMinor, link] = [reader.u32(), reader.u32(), reader.text()];
  const count = reader.u32();
  const xattrs = count === 0 ? noXattrs : new Map<string, string>();
  for (let left = count; left > 0; left -= 1) xattrs.set(reader.text(), reader.text());
  const type = types[mode >>> 12] ?? "socket";
  return {
    path,
    type,
    mode: mode & 0o7777,
    uid,
    gid,
    nlink,
    size: type === "file" ? size : 0,
    mtime,
    mtimeNs,
    ctime,
    ctimeNs,
    inode,
    devMajor,
    devMinor,
    link,
    xattrs,
  };
}

/** The path of a frame, without the rest. */
export function pathOfFrame(frame: Buffer): RawPath {
  return frame.toString("latin1", 5, 5 + frame.readUInt32LE(1));
}

/** Whether a frame is of a directory. */
export function isDirectoryFrame(frame: Buffer): boolean {
  return types[frame.readUInt32LE(frame.readUInt32LE(1) + 6) >>> 12] === "directory";
}

/** Whether two frames of one path are the same but for the time of the last change to content or attributes. */
export function isSameButForCtime(a: Buffer, b: Buffer): boolean {
  const at = a.readUInt32LE(1) + 42;
  return a.length === b.length && a.subarray(0, at).equals(b.subarray(0, at)) && a.subarray(at + 12).equals(b.subarray(at + 12));
}
