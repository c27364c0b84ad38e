// What everything that looks like a file tree has in common: an image's merged layers, a build context.

import type { Attributes, RawPath } from "../layer/entry.ts";

/** A tree of files that can be looked at without waiting. Paths are raw, without a slash at either end; "" is the root. */
export interface FileView {
  /** The object at a path, none of whose components is followed if it is a symlink. */
  lstat(path: RawPath): FileNode | undefined;
  /** The names in a directory, sorted by their bytes; empty for what is no directory. */
  list(path: RawPath): readonly RawPath[];
}

/** An object of a tree. */
export interface FileNode {
  /** Never of type "hardlink". */
  readonly attributes: Attributes;
  /** The same object for all hard links of one file, another one for another file; undefined where it has surely one name alone. */
  readonly inode: object | undefined;
  /** 64 hex digits, of a file whose content has been read. */
  readonly sha256?: string | undefined;
  /** The content of `etc/passwd` and `etc/group`, as latin1. */
  readonly text?: string | undefined;
}

/** Joins a directory and a name; either may be "". */
export function joinPath(directory: RawPath, name: RawPath): RawPath {
  return directory === "" ? name : name === "" ? directory : `${directory}/${name}`;
}

/** The directory part of a path; "" for what is directly below the root. */
export function parentOf(path: RawPath): RawPath {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

/** The last component of a path. */
export function nameOf(path: RawPath): RawPath {
  return path.slice(path.lastIndexOf("/") + 1);
}
