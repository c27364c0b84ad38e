// COPY and ADD as BuildKit's file operations do them, computed on trees: nothing is read but attributes.

import { type FileNode, type FileView, matchGlob, resolvePath } from "../filesystem/filesystem.ts";
import { type Attributes, type Content, type RawPath, toText } from "../layer/entry.ts";
import { type Draft, directoryAttributes, joinPath, nameOf, parentOf } from "./draft.ts";
import { changeMode, type ModeChange } from "./mode.ts";

/** Where files are copied from. */
export interface CopySource {
  readonly view: FileView;
  /** Keeps owners as they are; otherwise (a build context) everything belongs to root. */
  readonly keepsOwners: boolean;
  /** The bytes of a file of the view; asked for once per copied file of size > 0. */
  content(path: RawPath): Content;
}

export interface CopyOptions {
  /** `--chown`, looked up. */
  readonly owner: { readonly uid: number; readonly gid: number } | undefined;
  /** `--chmod`. */
  readonly mode: ModeChange | undefined;
  /** Seconds since 1970: the time of directories that are created on the way. */
  readonly now: number;
}

/** Directories made on the way take an octal mode; a symbolic one changes only what is copied. */
function madeMode(mode: ModeChange | undefined): number {
  return mode !== undefined && "octal" in mode ? mode.octal : 0o755;
}

/** Thrown for a source that is not there; BuildKit's own words. */
export class SourceNotFound extends Error {
  readonly path: RawPath;
  constructor(path: RawPath) {
    super(`failed to compute cache key: failed to calculate checksum "/${toText(path)}": not found`);
    this.path = path;
  }
}

/** A path as the instructions write it, rooted and cleaned: `..` stops at the root. */
export function cleanPath(path: RawPath): RawPath {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return parts.join("/");
}

/** Whether a destination names a directory even where there is none yet. */
export function namesDirectory(path: RawPath): boolean {
  const last = nameOf(path);
  return last === "" || last === ".";
}

/** The paths of a view that a source selects: itself, or with wildcards what matches, sorted. A literal source that is absent throws. */
export function selectSources(view: FileView, source: RawPath): RawPath[] {
  const parts = cleanPath(source).split("/");
  const wild = parts.findIndex(hasWildcard);
  if (wild < 0) {
    const path = parts.join("/");
    if (resolvePath(view, path).node === undefined) throw new SourceNotFound(path);
    return [path];
  }
  const base = parts.slice(0, wild).join("/");
  const root = resolvePath(view, base);
  if (root.node === undefined) return [];
  return matchBelow(view, root.path, parts.slice(wild)).map((rest) => joinPath(base, rest));
}

function matchBelow(view: FileView, directory: RawPath, [pattern, ...rest]: readonly RawPath[]): RawPath[] {
  if (pattern === undefined) return [];
  const found: RawPath[] = [];
  for (const name of view.list(directory)) {
    if (!matchGlob(pattern, name)) continue;
    if (rest.length === 0) found.push(name);
    else if (view.lstat(joinPath(directory, name))?.attributes.type === "directory")
      found.push(...matchBelow(view, joinPath(directory, name), rest).map((below) => joinPath(name, below)));
  }
  return found;
}

function hasWildcard(part: RawPath): boolean {
  return /[*?[]/.test(part.replace(/\\./gs, ""));
}

/**
 * Copies one selected path of the source to a destination, after moby/buildkit's use of tonistiigi/fsutil: the destination's links
 * are followed inside the tree, missing parents are made, a directory's contents are merged, files replace what is not a directory.
 */
export function copyPath(draft: Draft, source: CopySource, from: RawPath, destination: RawPath, options: CopyOptions): void {
  const made = directoryAttributes(madeMode(options.mode), options.owner?.uid ?? 0, options.owner?.gid ?? 0, options.now);
  const ensured = namesDirectory(destination) ? destination : parentOf(destination);
  draft.makeDirectories(resolvePath(draft, cleanPath(ensured)).path, made);

  const followed = resolvePath(source.view, from);
  if (followed.node === undefined) throw new SourceNotFound(from);
  let target = resolvePath(draft, cleanPath(destination)).path;
  const existing = draft.lstat(target);
  const isDirectory = followed.node.attributes.type === "directory";
  if (!isDirectory && existing?.attributes.type === "directory") target = joinPath(target, nameOf(from));
  draft.makeDirectories(isDirectory && existing === undefined ? target : parentOf(target), made);

  const copier = new Copier(draft, source, options);
  if (isDirectory) copier.copyContents(followed.path, followed.node, target);
  else copier.copy(followed.path, followed.node, target);
}

/** One copy: hard links among what it copies stay hard links. */
class Copier {
  readonly #draft: Draft;
  readonly #source: CopySource;
  readonly #options: CopyOptions;
  readonly #inodes = new Map<object, object>();

  constructor(draft: Draft, source: CopySource, options: CopyOptions) {
    this.#draft = draft;
    this.#source = source;
    this.#options = options;
  }

  /** The directory itself keeps its mode and owner and takes the source's time. */
  copyContents(from: RawPath, node: FileNode, to: RawPath): void {
    const target = this.#draft.lstat(to);
    if (target === undefined || target.attributes.type !== "directory") throw new Error(`cannot copy to non-directory: ${toText(to)}`);
    this.#draft.put(to, { attributes: { ...target.attributes, mtime: node.attributes.mtime, mtimeNs: 0 } });
    this.#copyChildren(from, to);
  }

  copy(from: RawPath, node: FileNode, to: RawPath): void {
    const target = this.#draft.lstat(to)?.attributes.type;
    const attributes = this.#attributes(node.attributes);
    if (attributes.type === "directory") {
      if (target !== undefined && target !== "directory") throw new Error(`cannot copy to non-directory: ${toText(to)}`);
      this.#draft.put(to, { attributes });
      this.#copyChildren(from, to);
      return;
    }
    if (target === "directory") throw new Error(`cannot replace to directory ${toText(to)} with file`);
    const inode = this.#inodes.get(node.inode) ?? {};
    this.#inodes.set(node.inode, inode);
    const content = attributes.type === "file" && attributes.size > 0 ? this.#source.content(from) : undefined;
    const sha256 = node.sha256 === undefined ? {} : { sha256: node.sha256 };
    this.#draft.put(to, { attributes, inode, ...sha256, ...(content === undefined ? {} : { content }) });
  }

  #copyChildren(from: RawPath, to: RawPath): void {
    for (const name of this.#source.view.list(from)) {
      const path = joinPath(from, name);
      const node = this.#source.view.lstat(path);
      if (node !== undefined) this.copy(path, node, joinPath(to, name));
    }
  }

  #attributes(attributes: Attributes): Attributes {
    const { owner, mode } = this.#options;
    const { uid, gid } = owner ?? (this.#source.keepsOwners ? attributes : { uid: 0, gid: 0 });
    const isLink = attributes.type === "symlink";
    return {
      ...attributes,
      uid,
      gid,
      mode: mode === undefined || isLink ? attributes.mode : changeMode(mode, attributes.mode, attributes.type === "directory"),
      mtimeNs: 0,
    };
  }
}
