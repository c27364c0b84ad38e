// A local directory as a tree of files. Looks only where it is asked to.

import { type BigIntStats, lstatSync, readdirSync, readlinkSync } from "node:fs";
import type { FileNode } from "../filesystem/filesystem.ts";
import { type Attributes, type Content, type EntryType, type RawPath, toPath, toRaw } from "../layer/entry.ts";
import type { IgnorePatterns } from "./ignore.ts";
import { type ContentView, failure, hideIgnored, type ShownView } from "./shown.ts";

/**
 * Shows an absolute directory, without what is ignored, with its files owned by 0:0, times in whole seconds, sockets as empty files, and
 * names of a hard-linked file sharing their inode.
 */
export function openDirectory(root: string, patterns: IgnorePatterns): ShownView {
  return hideIgnored(readDirectory(root), patterns);
}

/** All of it; follows the symlinks of paths whose parents were not looked at first. */
function readDirectory(root: string): ContentView {
  const rawRoot = root === "/" ? "" : toRaw(root);
  const inodes = new Map<string, object>();

  function lstat(path: RawPath): FileNode | undefined {
    const stats = statPath(path);
    return stats === undefined ? undefined : { attributes: readAttributes(path, stats), inode: inodeOf(stats) };
  }

  function content(path: RawPath, known?: Attributes): Content {
    // Sockets count as empty files, and are none.
    if (known?.type === "file" && known.size > 0) return { kind: "file", path: absolute(path), offset: 0, size: known.size };
    const stats = statPath(path);
    if (stats?.isSocket()) return { kind: "bytes", bytes: new Uint8Array() };
    if (!stats?.isFile()) throw failure(path, stats === undefined ? "it is not there" : "it is no regular file");
    return { kind: "file", path: absolute(path), offset: 0, size: Number(stats.size) };
  }

  /** In big integers: doubles would round times up, and not hold the inode numbers of overlayfs. */
  function statPath(path: RawPath): BigIntStats | undefined {
    try {
      return lstatSync(toPath(absolute(path)), { bigint: true, throwIfNoEntry: false });
    } catch (cause) {
      if (cause instanceof Error && "code" in cause && cause.code === "ENOTDIR") return undefined;
      throw failure(path, "its attributes cannot be read", cause);
    }
  }

  function list(path: RawPath): RawPath[] {
    try {
      return readdirSync(toPath(absolute(path)), { encoding: "latin1" }).sort();
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
      return readlinkSync(toPath(absolute(path)), { encoding: "latin1" });
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

  return { lstat, list, content };
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
