// A local directory seen as a tree of files, without what an ignore file hides. Looks only where it is asked to.

import { type BigIntStats, lstatSync, readdirSync, readlinkSync } from "node:fs";
import { type FileNode, type FileView, joinPath, nameOf, parentOf } from "../filesystem/filesystem.ts";
import { type Attributes, type Content, type EntryType, type RawPath, toBytes, toRaw, toText } from "../layer/entry.ts";
import type { IgnorePatterns, IgnoreResult } from "./ignore.ts";

export interface DirectoryView extends FileView {
  content(path: RawPath): Content;
  isIgnored(path: RawPath): boolean;
}

interface Directory {
  /** undefined for the root, which no pattern can hide. */
  readonly ignore: IgnoreResult | undefined;
  /** Visible names, sorted; undefined until somebody asks. */
  names?: readonly RawPath[];
}

/**
 * Shows an absolute directory with its files owned by 0:0, times in whole seconds, sockets as empty files, and names of a hard-linked
 * file sharing their inode. Directories that are seen once are not read again; ones that are ignored as a whole are never read.
 */
export function openDirectory(root: string, patterns: IgnorePatterns): DirectoryView {
  const rawRoot = root === "/" ? "" : toRaw(root);
  const directories = new Map<RawPath, Directory | undefined>([["", { ignore: undefined }]]);
  const inodes = new Map<string, object>();

  function lstat(path: RawPath): FileNode | undefined {
    const stats = statVisible(path);
    return stats === undefined ? undefined : { attributes: readAttributes(path, stats), inode: inodeOf(stats) };
  }

  function list(path: RawPath): readonly RawPath[] {
    const directory = findDirectory(path);
    if (directory === undefined) return [];
    directory.names ??= readNames(path).filter((name) => isShown(joinPath(path, name), directory));
    return directory.names;
  }

  function content(path: RawPath): Content {
    const stats = statVisible(path);
    if (stats?.isSocket()) return { kind: "bytes", bytes: new Uint8Array() };
    if (!stats?.isFile()) throw failure(path, stats === undefined ? "it is not there" : "it is no regular file");
    return { kind: "file", path: absolute(path), offset: 0, size: Number(stats.size) };
  }

  function isIgnored(path: RawPath): boolean {
    return path !== "" && resultOf(path).isIgnored;
  }

  function statVisible(path: RawPath): BigIntStats | undefined {
    if (!isVisible(path)) return undefined;
    const stats = statPath(path);
    const wasListed = directories.get(parentOf(path))?.names !== undefined;
    if (stats === undefined && wasListed) throw failure(path, "it disappeared while the build was using it");
    return stats;
  }

  function isVisible(path: RawPath): boolean {
    if (path === "") return true;
    const parent = findDirectory(parentOf(path));
    return parent !== undefined && (parent.names === undefined ? isShown(path, parent) : isListed(parent.names, nameOf(path)));
  }

  /** Whether a child of a directory is not ignored, or leads to something that is not. */
  function isShown(path: RawPath, parent: Directory): boolean {
    if (!patterns.match(path, parent.ignore).isIgnored) return true;
    return patterns.mayReincludeBelow(path) && list(path).length > 0;
  }

  /** Steps down name by name, so that no symlink is ever followed. */
  function findDirectory(path: RawPath): Directory | undefined {
    if (directories.has(path)) return directories.get(path);
    const parent = findDirectory(parentOf(path));
    const ignore = parent === undefined ? undefined : patterns.match(path, parent.ignore);
    const isOpen = ignore !== undefined && (!ignore.isIgnored || patterns.mayReincludeBelow(path));
    const directory = isOpen && statPath(path)?.isDirectory() ? { ignore } : undefined;
    directories.set(path, directory);
    return directory;
  }

  /** By patterns alone: the path need not exist. */
  function resultOf(path: RawPath): IgnoreResult {
    const parent = parentOf(path);
    return patterns.match(path, parent === "" ? undefined : resultOf(parent));
  }

  /** In big integers: doubles would round times up, and not hold the inode numbers of overlayfs. */
  function statPath(path: RawPath): BigIntStats | undefined {
    try {
      return lstatSync(toBytes(absolute(path)), { bigint: true, throwIfNoEntry: false });
    } catch (cause) {
      if (cause instanceof Error && "code" in cause && cause.code === "ENOTDIR") return undefined;
      throw failure(path, "its attributes cannot be read", cause);
    }
  }

  function readNames(path: RawPath): RawPath[] {
    try {
      return readdirSync(toBytes(absolute(path)), { encoding: "latin1" }).sort();
    } catch (cause) {
      throw failure(path, "the directory cannot be read", cause);
    }
  }

  function readAttributes(path: RawPath, stats: BigIntStats): Attributes {
    const type = typeOf(stats);
    const isDevice = type === "char" || type === "block";
    return {
      type,
      mode: Number(stats.mode & 0o7777n),
      uid: 0,
      gid: 0,
      mtime: floorSeconds(stats.mtimeNs),
      mtimeNs: 0,
      size: stats.isFile() ? Number(stats.size) : 0,
      link: type === "symlink" ? readLink(path) : "",
      devMajor: isDevice ? majorOf(stats.rdev) : 0,
      devMinor: isDevice ? minorOf(stats.rdev) : 0,
    };
  }

  function readLink(path: RawPath): RawPath {
    try {
      return readlinkSync(toBytes(absolute(path)), { encoding: "latin1" });
    } catch (cause) {
      throw failure(path, "the link cannot be read", cause);
    }
  }

  function inodeOf(stats: BigIntStats): object | undefined {
    if (stats.nlink < 2n || stats.isDirectory()) return undefined;
    const key = `${stats.dev}:${stats.ino}`;
    const inode = inodes.get(key) ?? {};
    inodes.set(key, inode);
    return inode;
  }

  function absolute(path: RawPath): RawPath {
    return path === "" ? rawRoot || "/" : `${rawRoot}/${path}`;
  }

  return { lstat, list, content, isIgnored };
}

function failure(path: RawPath, state: string, cause?: unknown): Error {
  return new Error(`Cannot use "${toText(path) || "."}" of the context: ${state}`, { cause });
}

function typeOf(stats: BigIntStats): EntryType {
  if (stats.isDirectory()) return "directory";
  if (stats.isSymbolicLink()) return "symlink";
  if (stats.isCharacterDevice()) return "char";
  if (stats.isBlockDevice()) return "block";
  return stats.isFIFO() ? "fifo" : "file";
}

function floorSeconds(nanoseconds: bigint): number {
  const billion = 1_000_000_000n;
  return Number(nanoseconds >= 0n ? nanoseconds / billion : (nanoseconds - billion + 1n) / billion);
}

/** glibc's gnu_dev_major. */
function majorOf(device: bigint): number {
  return Number(((device >> 8n) & 0xfffn) | ((device >> 32n) & 0xfffff000n));
}

function minorOf(device: bigint): number {
  return Number((device & 0xffn) | ((device >> 12n) & 0xffffff00n));
}

function isListed(sorted: readonly RawPath[], name: RawPath): boolean {
  let from = 0;
  for (let to = sorted.length; from < to; ) {
    const middle = (from + to) >> 1;
    if ((sorted[middle] ?? "") < name) from = middle + 1;
    else to = middle;
  }
  return sorted[from] === name;
}
