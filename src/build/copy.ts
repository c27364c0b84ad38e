// COPY and ADD as BuildKit's file operations do them, computed on trees: nothing is read but attributes.

import {
  type Draft,
  type FileNode,
  type FileView,
  joinPath,
  type NewDirectory,
  nameOf,
  parentOf,
  resolvePath,
} from "../filesystem/filesystem.ts";
import { type Attributes, type Content, type RawPath, toText } from "../layer/entry.ts";
import type { Filter, Judgement } from "./filter.ts";
import { changeMode, type ModeChange } from "./mode.ts";
import { cleanPath, SourceNotFound } from "./select.ts";

/** Where files are copied from. */
export interface CopySource {
  readonly view: FileView;
  /** Keeps owners as they are; otherwise (a build context) everything belongs to root. */
  readonly keepsOwners: boolean;
  /** The bytes of a file, where they are at hand; else they are found by their paths when the layer is written. */
  content?(path: RawPath): Content;
}

export interface CopyOptions {
  /** `--chown`, looked up. */
  readonly owner: { readonly uid: number; readonly gid: number } | undefined;
  /** `--chmod`. */
  readonly mode: ModeChange | undefined;
  /** `--parents` and `--exclude`: what is taken from below a copied directory. What is named itself is always taken. */
  readonly filter: Filter | undefined;
  /** Seconds since 1970: the time of directories that are created on the way. */
  readonly now: number;
}

const rootUser = { uid: 0, gid: 0 };

/** Directories made on the way take the permissions of an octal mode; a symbolic one changes only what is copied. */
function madeMode(mode: ModeChange | undefined): number {
  return mode !== undefined && "octal" in mode ? mode.octal & 0o777 : 0o755;
}

/** Whether a destination names a directory even where there is none yet. */
export function namesDirectory(path: RawPath): boolean {
  const last = nameOf(path);
  return last === "" || last === ".";
}

/**
 * Copies one selected path of the source to a destination, after moby/buildkit's use of tonistiigi/fsutil: the destination's links are followed
 * inside the tree, missing parents are made, a directory's contents are merged, files replace what is not a directory.
 */
export function copyPath(draft: Draft, source: CopySource, from: RawPath, destination: RawPath, options: CopyOptions): void {
  const made: NewDirectory = { mode: madeMode(options.mode), owner: options.owner, mtime: options.now };
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
  else copier.copyFile(followed.path, followed.node, target);
}

/** A directory whose children are being copied. */
interface Level {
  readonly from: RawPath;
  readonly node: FileNode;
  readonly to: RawPath;
  /** Relative to the directory where the copy began. */
  readonly path: RawPath;
  readonly judgement: Judgement | undefined;
  /** False while nothing of it has been taken. */
  isMade: boolean;
}

/** One copy: hard links among what it copies stay hard links. */
class Copier {
  readonly #draft: Draft;
  readonly #source: CopySource;
  readonly #options: CopyOptions;
  readonly #inodes = new Map<object, object>();
  readonly #levels: Level[] = [];

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
    this.#copyChildren({ from, node, to, path: "", judgement: undefined, isMade: true });
  }

  copyFile(from: RawPath, node: FileNode, to: RawPath): void {
    if (this.#draft.lstat(to)?.attributes.type === "directory") throw new Error(`cannot replace to directory ${toText(to)} with file`);
    const attributes = this.#attributes(node.attributes);
    const content = attributes.type === "file" && attributes.size > 0 ? (this.#source.content?.(from) ?? from) : undefined;
    this.#draft.put(to, { attributes, inode: this.#inode(node), sha256: node.sha256, content });
  }

  #inode({ inode }: FileNode): object | undefined {
    if (inode === undefined) return undefined;
    const copy = this.#inodes.get(inode) ?? {};
    this.#inodes.set(inode, copy);
    return copy;
  }

  #copyChildren(level: Level): void {
    this.#levels.push(level);
    for (const name of this.#source.view.list(level.from)) {
      const from = joinPath(level.from, name);
      const node = this.#source.view.lstat(from);
      if (node !== undefined) this.#copyChild(level, { from, node, to: joinPath(level.to, name), path: joinPath(level.path, name) });
    }
    this.#levels.pop();
  }

  #copyChild(level: Level, child: Pick<Level, "from" | "node" | "to" | "path">): void {
    const judgement = this.#options.filter?.judge(child.path, level.judgement);
    const isTaken = judgement?.isTaken ?? true;
    if (isTaken && !level.isMade) for (const above of this.#levels) this.#makeLevel(above);
    if (child.node.attributes.type === "directory") {
      const below: Level = { ...child, judgement, isMade: false };
      if (isTaken) this.#makeLevel(below);
      if (judgement?.reachesBelow ?? true) this.#copyChildren(below);
    } else if (isTaken) this.copyFile(child.from, child.node, child.to);
  }

  /** With --parents, a directory that is there already takes the source's mode, and nothing else of it. */
  #makeLevel(level: Level): void {
    if (level.isMade) return;
    level.isMade = true;
    const target = this.#draft.lstat(level.to)?.attributes;
    if (target !== undefined && target.type !== "directory") throw new Error(`cannot copy to non-directory: ${toText(level.to)}`);
    const isKept = target !== undefined && this.#options.filter?.isSelective === true;
    const { mode, mtime } = level.node.attributes;
    const attributes = isKept ? { ...target, mode, mtime, mtimeNs: 0 } : this.#attributes(level.node.attributes);
    this.#draft.put(level.to, { attributes });
  }

  #attributes(attributes: Attributes): Attributes {
    const { owner, mode: change } = this.#options;
    const { uid, gid } = owner ?? (this.#source.keepsOwners ? attributes : rootUser);
    const isKept = change === undefined || attributes.type === "symlink";
    const mode = isKept ? attributes.mode : changeMode(change, attributes.mode, attributes.type === "directory");
    const isSame = uid === attributes.uid && gid === attributes.gid && mode === attributes.mode && attributes.mtimeNs === 0;
    // Another object for each of hundreds of thousands of files would be a third of what they take.
    return isSame ? attributes : { ...attributes, uid, gid, mode, mtimeNs: 0 };
  }
}
