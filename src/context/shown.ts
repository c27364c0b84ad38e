// A tree of files without what an ignore file hides. Looks only where it is asked to.

import { type FileView, joinPath, nameOf, parentOf } from "../filesystem/filesystem.ts";
import { type Attributes, type Content, type RawPath, toText } from "../layer/entry.ts";
import type { IgnorePatterns, IgnoreResult } from "./ignore.ts";

/** Files with their bytes. */
export interface ContentView extends FileView {
  /** Where the bytes of a regular file are; throws for what is no file. What is known of the file need not be read again. */
  content(path: RawPath, known?: Attributes): Content;
}

export interface ShownView extends ContentView {
  /** Whether the ignore file hides a path, be there such a file or not. Directories with re-included files below count as hidden. */
  isIgnored(path: RawPath): boolean;
}

interface Directory {
  /** undefined for the root, which no pattern can hide. */
  readonly ignore: IgnoreResult | undefined;
  /** Visible names, sorted; undefined until somebody asks. */
  names?: readonly RawPath[];
}

/** Directories that are seen once are not read again; ones that are ignored as a whole are never read. No symlink is followed. */
export function hideIgnored(view: ContentView, patterns: IgnorePatterns): ShownView {
  const directories = new Map<RawPath, Directory | undefined>([["", { ignore: undefined }]]);

  const lstat: FileView["lstat"] = (path) => {
    if (!isVisible(path)) return undefined;
    const node = view.lstat(path);
    if (node === undefined && wasListed(path)) throw failure(path, "it disappeared while the build was using it");
    return node;
  };

  function list(path: RawPath): readonly RawPath[] {
    const directory = findDirectory(path);
    if (directory === undefined) return [];
    directory.names ??= view.list(path).filter((name) => isShown(joinPath(path, name), directory));
    return directory.names;
  }

  function content(path: RawPath, known?: Attributes): Content {
    if (!isVisible(path)) throw failure(path, "it is not there");
    try {
      return view.content(path, known);
    } catch (error) {
      lstat(path);
      throw error;
    }
  }

  function isVisible(path: RawPath): boolean {
    if (path === "") return true;
    const parent = findDirectory(parentOf(path));
    return parent !== undefined && (parent.names === undefined ? isShown(path, parent) : isListed(parent.names, nameOf(path)));
  }

  function wasListed(path: RawPath): boolean {
    return directories.get(parentOf(path))?.names !== undefined;
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
    const directory = isOpen && view.lstat(path)?.attributes.type === "directory" ? { ignore } : undefined;
    directories.set(path, directory);
    return directory;
  }

  /** By patterns alone: the path need not exist. */
  function resultOf(path: RawPath): IgnoreResult {
    const parent = parentOf(path);
    return patterns.match(path, parent === "" ? undefined : resultOf(parent));
  }

  return { lstat, list, content, isIgnored: (path) => path !== "" && resultOf(path).isIgnored };
}

/** What is below a directory of a view, as a view of its own. */
export function viewBelow(view: ContentView, base: RawPath): ContentView {
  if (base === "") return view;
  return {
    lstat: (path) => view.lstat(joinPath(base, path)),
    list: (path) => view.list(joinPath(base, path)),
    content: (path) => view.content(joinPath(base, path)),
  };
}

/** The error for a path that cannot be used. */
export function failure(path: RawPath, state: string, cause?: unknown): Error {
  return new Error(`Cannot use "${toText(path) || "."}" of the context: ${state}`, { cause });
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
