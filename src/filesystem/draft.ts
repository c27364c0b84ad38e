// A layer in the making: a tree together with the entries that an instruction has put on top of it so far.

import { type Attributes, type Content, type LayerItem, makeEntry, type RawPath } from "../layer/entry.ts";
import type { Tree } from "./tree.ts";
import { type FileNode, type FileView, joinPath } from "./view.ts";

/** What a new entry is made from. */
export interface NewEntry {
  readonly attributes: Attributes;
  /** Of a file of size > 0: its bytes, or the path in the source under which they are to be found. */
  readonly content?: Content | RawPath | undefined;
  readonly sha256?: string | undefined;
  /** Shared by the hard links of one file. */
  readonly inode?: object | undefined;
}

/** How a draft finds contents when its layer is written. */
export interface Contents {
  /** Where the bytes of a file of the source are. */
  locate(path: RawPath): Content | undefined;
  /** Resolves when the tree below has the digests of all its files; left out where it has. */
  readonly digested?: (() => Promise<unknown>) | undefined;
  /** Whether bytes have a digest; asked about files whose attributes are as they were. */
  hasDigest(content: Content | undefined, sha256: string): Promise<boolean>;
}

/** How directories are made on the way to what an instruction puts. */
export interface NewDirectory {
  readonly mode: number;
  /** Undefined: root, and the group that the kernel gives. */
  readonly owner: { readonly uid: number; readonly gid: number } | undefined;
  readonly mtime: number;
  /** A set-group-ID bit above hands its group on, but not itself. */
  readonly isPlain?: boolean;
}

/** The attributes of a directory that an instruction creates. */
export function directoryAttributes(mode: number, uid: number, gid: number, mtime: number): Attributes {
  return { type: "directory", mode, uid, gid, mtime, mtimeNs: 0, size: 0, link: "", devMajor: 0, devMinor: 0 };
}

/** What has been put at a path, and below it. There may be hundreds of thousands, so that all have the same few fields. */
class Place implements FileNode {
  #attributes: Attributes | undefined;
  content: Content | RawPath | undefined;
  sha256: string | undefined;
  inode: object | undefined;
  children: Map<RawPath, Place> | undefined;
  /** What the tree has here and below is gone. */
  isHiding = false;

  /** Whether something has been put here, and not only below. */
  get isPut(): boolean {
    return this.#attributes !== undefined;
  }

  get attributes(): Attributes {
    if (this.#attributes === undefined) throw new Error("Cannot look at a path of a layer: nothing has been put there");
    return this.#attributes;
  }

  put({ attributes, content, sha256, inode }: NewEntry): void {
    this.#attributes = attributes;
    this.content = content;
    this.sha256 = sha256;
    this.inode = inode;
  }

  hide(): void {
    this.#attributes = undefined;
    this.children = undefined;
    this.isHiding = true;
  }
}

/** A view of what the tree will be; entries put later replace earlier ones, as writes to a file system would. */
export class Draft implements FileView {
  readonly #tree: Tree;
  readonly #root = new Place();

  constructor(tree: Tree) {
    this.#tree = tree;
  }

  lstat(path: RawPath): FileNode | undefined {
    const { place, isHidden } = this.#find(path);
    if (place?.isPut) return place;
    return isHidden ? undefined : this.#tree.lstat(path);
  }

  list(path: RawPath): readonly RawPath[] {
    const { place, isHidden } = this.#find(path);
    const below = isHidden ? [] : this.#tree.list(path);
    const added = place?.children;
    return added === undefined ? below : [...new Set([...below, ...added.keys()])].sort();
  }

  /** What was put at a path as its content. */
  contentAt(path: RawPath): Content | RawPath | undefined {
    return this.#find(path).place?.content;
  }

  /** Puts an entry at a path whose parent exists. Directories over directories keep what is below them. */
  put(path: RawPath, entry: NewEntry): void {
    const before = this.lstat(path);
    const place = this.#make(path);
    if (before?.attributes.type === "directory" && entry.attributes.type !== "directory") place.hide();
    place.put(entry);
  }

  /** Creates the directories that a path lacks, as mkdir(2) does. Throws when a file is in the way. */
  makeDirectories(path: RawPath, made: NewDirectory): void {
    let at = "";
    let above = this.lstat(at)?.attributes;
    for (const name of path === "" ? [] : path.split("/")) {
      at = joinPath(at, name);
      if (this.lstat(at) === undefined) this.put(at, { attributes: makeDirectory(made, above) });
      above = this.lstat(at)?.attributes;
      if (above?.type !== "directory") throw new Error(`Cannot create directory "/${path}": "/${at}" is not a directory`);
    }
  }

  /** Takes away what is at a path and below it; the layer must then put something in its place. */
  remove(path: RawPath): void {
    this.#make(path).hide();
  }

  /** The paths in the source whose bytes the layer may need. */
  sources(): Iterable<RawPath> {
    return sourcesBelow(this.#root);
  }

  /** Adds extended attributes to the files whose bytes come from these paths in the source. */
  addXattrs(found: ReadonlyMap<RawPath, NonNullable<Attributes["xattrs"]>>): void {
    const pending = found.size === 0 ? [] : [this.#root];
    for (let place = pending.pop(); place !== undefined; place = pending.pop()) {
      const { content, sha256, inode } = place;
      const xattrs = typeof content === "string" ? found.get(content) : undefined;
      if (xattrs !== undefined) place.put({ attributes: { ...place.attributes, xattrs }, content, sha256, inode });
      pending.push(...(place.children?.values() ?? []));
    }
  }

  /**
   * The layer: what was put and is not the same below, sorted, with the parents of each entry before it as the tree has them. What has
   * been given is forgotten, so that the draft is used up in the end.
   */
  async *items(contents: Contents): AsyncGenerator<LayerItem, void, void> {
    const links = new Map<object, RawPath>();
    /** The directories above, from the top, that are not in the layer yet. */
    const parents: LayerItem[] = [];
    const pending = [{ path: "", place: this.#root, isHidden: false, depth: 0 }];
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      const { path, place, depth } = next;
      const isHidden = next.isHidden || place.isHiding;
      parents.length = Math.min(parents.length, depth);
      const below = isHidden ? undefined : this.#tree.lstat(path);
      const isChanged = place.isPut && !(await isSame(place, below, contents));
      if (isChanged) {
        for (const parent of parents) if (parent !== given && parent.entry.path !== "") yield parent;
        parents.fill(given);
        yield this.#item(path, place, links, contents);
      }
      if (place.children === undefined) continue;
      const attributes = place.isPut ? place.attributes : below?.attributes;
      parents.push(isChanged || attributes === undefined ? given : { entry: makeEntry(path, attributes, attributes.xattrs) });
      const names = [...place.children.keys()].sort().reverse();
      for (const name of names) {
        const child = place.children.get(name);
        if (child !== undefined) pending.push({ path: joinPath(path, name), place: child, isHidden, depth: depth + 1 });
      }
      place.children = undefined;
    }
  }

  #item(path: RawPath, { attributes, content, sha256, inode }: Place, links: Map<object, RawPath>, { locate }: Contents): LayerItem {
    const first = inode === undefined || attributes.type !== "file" ? undefined : links.get(inode);
    if (first !== undefined) return { entry: { ...attributes, type: "hardlink", size: 0, link: first, path } };
    if (inode !== undefined) links.set(inode, path);
    const entry = makeEntry(path, attributes, attributes.xattrs, sha256);
    const bytes = typeof content === "string" ? locate(content) : content;
    return bytes === undefined ? { entry } : { entry, content: bytes };
  }

  #find(path: RawPath): { readonly place: Place | undefined; readonly isHidden: boolean } {
    let place: Place | undefined = this.#root;
    let isHidden = place.isHiding;
    for (const name of path === "" ? [] : path.split("/")) {
      place = place.children?.get(name);
      if (place === undefined) break;
      isHidden ||= place.isHiding;
    }
    return { place, isHidden };
  }

  #make(path: RawPath): Place {
    let place = this.#root;
    for (const name of path === "" ? [] : path.split("/")) {
      place.children ??= new Map();
      let child = place.children.get(name);
      if (child === undefined) {
        child = new Place();
        place.children.set(name, child);
      }
      place = child;
    }
    return place;
  }
}

const setgid = 0o2000;

/** A directory with the set-group-ID bit hands the bit and, unless an owner is asked for, its group to what is made in it. */
function makeDirectory({ mode, owner, mtime, isPlain = false }: NewDirectory, above: Attributes | undefined): Attributes {
  const inherits = above !== undefined && (above.mode & setgid) !== 0;
  const { uid, gid } = owner ?? { uid: 0, gid: inherits ? above.gid : 0 };
  return directoryAttributes(inherits && !isPlain ? mode | setgid : mode, uid, gid, mtime);
}

/** Stands for a parent that is in the layer already. */
const given: LayerItem = { entry: { ...directoryAttributes(0, 0, 0, 0), path: "" } };

function* sourcesBelow(place: Place): Generator<RawPath, void, void> {
  if (typeof place.content === "string") yield place.content;
  for (const child of place.children?.values() ?? []) yield* sourcesBelow(child);
}

async function isSame(place: Place, below: FileNode | undefined, { locate, digested, hasDigest }: Contents): Promise<boolean> {
  if (below === undefined || !sameAttributes(below.attributes, place.attributes)) return false;
  if (place.attributes.type !== "file") return true;
  if (below.sha256 === undefined) await digested?.();
  if (below.sha256 === undefined) return false;
  if (place.sha256 !== undefined) return place.sha256 === below.sha256;
  return hasDigest(typeof place.content === "string" ? locate(place.content) : place.content, below.sha256);
}

/** A directory's size and time say nothing about it. */
function sameAttributes(a: Attributes, b: Attributes): boolean {
  if (a.type !== b.type || a.mode !== b.mode || a.uid !== b.uid || a.gid !== b.gid) return false;
  if (a.type === "directory") return sameXattrs(a, b);
  const same = a.size === b.size && a.mtime === b.mtime && a.link === b.link && a.devMajor === b.devMajor && a.devMinor === b.devMinor;
  return same && sameXattrs(a, b);
}

function sameXattrs(a: Attributes, b: Attributes): boolean {
  const name = "security.capability";
  return a.xattrs?.get(name) === b.xattrs?.get(name);
}
