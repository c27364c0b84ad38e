// Gathers what a command has changed into the items of a layer: parents, hard links, whiteouts, in the order of a layer.

import { type Entry, keepStored, type LayerItem, makeEntry, type RawPath, toRaw, whiteoutPrefix } from "../layer/entry.ts";
import type { ScannedEntry } from "./scan.ts";
import { joinPath, nameOf, parentOf } from "./view.ts";

/** An object that can be in a layer. */
export type Found = ScannedEntry & { readonly type: Entry["type"] };

interface Change {
  /** Where it stands in the layer: a whiteout stands where the hidden name would. */
  readonly path: RawPath;
  readonly found: Found | undefined;
}

/** The directories above an object, the root first. */
export type Trail = readonly Parent[];

interface Parent {
  readonly found: Found;
  isAdded: boolean;
}

/** Takes the objects of a directory in the order of a scan and keeps those that were added, with the directories above them. */
export class ChangeCollector {
  readonly #root: RawPath;
  /** The directories on the way to the current object. */
  readonly #parents: Parent[] = [];
  readonly #changes: Change[] = [];

  constructor(root: string) {
    this.#root = toRaw(root);
  }

  /** Must be called for each directory, before what it holds. */
  enter(directory: Found): Trail {
    this.#leaveTo(directory.path);
    this.#parents.push({ found: directory, isAdded: directory.path === "" });
    return [...this.#parents];
  }

  /** The object is a change; where it is a directory it has been entered. */
  add(found: Found): void {
    if (found.type === "directory") {
      this.#addParents(this.#parents);
      return;
    }
    this.#leaveTo(found.path);
    this.#addParents(this.#parents);
    this.#changes.push({ path: found.path, found });
  }

  /** What lower layers have at a path is gone; `trail` is needed where the scan is elsewhere by now. */
  hide(path: RawPath, trail?: Trail): void {
    if (trail === undefined) this.#leaveTo(path);
    this.#addParents(trail ?? this.#parents);
    this.#changes.push({ path, found: undefined });
  }

  items(): LayerItem[] {
    const first = new Map<string, RawPath>();
    return this.#changes
      .sort((a, b) => comparePaths(a.path, b.path))
      .map(({ path, found }) => {
        if (found === undefined) return { entry: whiteout(path) };
        const target = found.type === "file" && found.nlink > 1 ? first.get(found.inode) : undefined;
        if (target !== undefined) return { entry: { ...entryOf(found), type: "hardlink", size: 0, link: target } };
        if (found.type === "file" && found.nlink > 1) first.set(found.inode, path);
        const entry = entryOf(found);
        if (entry.size === 0) return { entry };
        return { entry, content: { kind: "file", path: `${this.#root}/${path}`, offset: 0, size: entry.size } };
      });
  }

  #leaveTo(path: RawPath): void {
    for (let last = this.#parents.at(-1); last !== undefined; last = this.#parents.at(-1)) {
      if (last.found.path === "" || path.startsWith(`${last.found.path}/`)) return;
      this.#parents.pop();
    }
  }

  #addParents(parents: Trail): void {
    for (const parent of parents) {
      if (parent.isAdded) continue;
      parent.isAdded = true;
      this.#changes.push({ path: parent.found.path, found: parent.found });
    }
  }
}

/** By components: what a directory holds comes right after it, as `/` sorts before all bytes. */
export function comparePaths(a: RawPath, b: RawPath): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i += 1) {
    const [x, y] = [a.charCodeAt(i), b.charCodeAt(i)];
    if (x !== y) return x === slash ? -1 : y === slash ? 1 : x - y;
  }
  return a.length - b.length;
}

const slash = 0x2f;

function entryOf(found: Found): Entry {
  const entry = makeEntry(found.path, found, keepStored(found.xattrs));
  entry.mtimeNs = 0;
  return entry;
}

function whiteout(path: RawPath): Entry {
  const nothing = { mode: 0, uid: 0, gid: 0, mtime: 0, mtimeNs: 0, size: 0, link: "", devMajor: 0, devMinor: 0 };
  return { path: joinPath(parentOf(path), `${whiteoutPrefix}${nameOf(path)}`), type: "file", ...nothing };
}
