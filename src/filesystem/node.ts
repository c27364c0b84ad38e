// How a tree keeps what it knows of one object: packed, since there may be hundreds of thousands of them.

import type { Attributes, Entry, EntryType, RawPath } from "../layer/entry.ts";
import type { FileNode } from "./view.ts";

const types: readonly EntryType[] = ["file", "directory", "symlink", "hardlink", "char", "block", "fifo"];

/** What most objects lack. */
interface Rare {
  readonly mtimeNs: number;
  readonly link: RawPath;
  readonly devMajor: number;
  readonly devMinor: number;
  readonly xattrs: ReadonlyMap<string, string> | undefined;
  readonly text: string | undefined;
  /** The name under which the layer has the content, as `LayerFiles` takes it, where it is not the path in the tree. */
  readonly path: RawPath | undefined;
}

const nothingRare: Rare = { mtimeNs: 0, link: "", devMajor: 0, devMinor: 0, xattrs: undefined, text: undefined, path: undefined };

/** An object of a tree; hard links share one. About 90 bytes, and 50 more with a digest. */
export class TreeNode implements FileNode {
  /** The number of the layer that brought it, from the bottom. */
  readonly layer: number;
  readonly #bits: number;
  readonly #uid: number;
  readonly #gid: number;
  readonly #mtime: number;
  readonly #size: number;
  /** 32 bytes as latin1: half of what hex takes. */
  #sha256: string;
  #rare: Rare;

  constructor(attributes: Attributes & Pick<Entry, "sha256" | "text">, layer: number, path?: RawPath) {
    this.layer = layer;
    this.#bits = attributes.mode | (types.indexOf(attributes.type) << 12);
    this.#uid = attributes.uid;
    this.#gid = attributes.gid;
    this.#mtime = attributes.mtime;
    this.#size = attributes.size;
    this.#sha256 = attributes.sha256 === undefined ? "" : packDigest(attributes.sha256);
    const { mtimeNs, link, devMajor, devMinor, xattrs, text } = attributes;
    const isPlain = mtimeNs === 0 && link === "" && devMajor === 0 && devMinor === 0 && !xattrs && text === undefined && path === undefined;
    this.#rare = isPlain ? nothingRare : { mtimeNs, link, devMajor, devMinor, xattrs, text, path };
  }

  get type(): EntryType {
    return types[this.#bits >> 12] ?? "file";
  }

  get link(): RawPath {
    return this.#rare.link;
  }

  get attributes(): Attributes {
    const { mtimeNs, link, devMajor, devMinor, xattrs } = this.#rare;
    return {
      type: this.type,
      mode: this.#bits & 0o7777,
      uid: this.#uid,
      gid: this.#gid,
      mtime: this.#mtime,
      mtimeNs,
      size: this.#size,
      link,
      devMajor,
      devMinor,
      ...(xattrs === undefined ? {} : { xattrs }),
    };
  }

  get inode(): object | undefined {
    return this.#rare.path === undefined ? undefined : this;
  }

  get sha256(): string | undefined {
    return this.#sha256 === "" ? undefined : Buffer.from(this.#sha256, "latin1").toString("hex");
  }

  get text(): string | undefined {
    return this.#rare.text;
  }

  get pathInLayer(): RawPath | undefined {
    return this.#rare.path;
  }

  /** Adds what is known only when the content has been read. */
  settle({ sha256, text }: { readonly sha256: string; readonly text?: string }): void {
    this.#sha256 = packDigest(sha256);
    if (text !== undefined) this.#rare = { ...this.#rare, text };
  }

  /** Says that the layer had this content under its name at some turn, and later another. Without a second name nobody can ask for it. */
  supersede(turn: number): void {
    const { path } = this.#rare;
    if (path !== undefined) this.#rare = { ...this.#rare, path: nameAtTurn(path, turn) };
  }

  get isSuperseded(): boolean {
    return this.#rare.path?.includes("\0") === true;
  }

  /** Remembers where the content is, before a second name makes the path in the tree a wrong answer. */
  keepPath(path: RawPath): void {
    if (this.#rare.path === undefined) this.#rare = { ...this.#rare, path };
  }
}

/** What a layer that has several files of one name calls one of them: 0 is the first. No path holds a NUL byte. */
export function nameAtTurn(path: RawPath, turn: number): RawPath {
  return `${path}\0${turn}`;
}

/** The path in such a name, or in a plain one. */
export function pathOfName(name: RawPath): RawPath {
  return name.split("\0", 1)[0] ?? name;
}

function packDigest(hex: string): string {
  return Buffer.from(hex, "hex").toString("latin1");
}

/** A directory of a tree. A later tree shares it or has a copy; one that a finished tree holds is never changed again. */
export class Directory extends TreeNode {
  readonly children: Map<RawPath, TreeNode>;
  /** The layer that made it anew: nothing below that layer shows through. */
  readonly floor: number;
  /** The merge that may still change it. */
  readonly edition: object | undefined;

  /** Attributes and layer are those of `node`. */
  constructor(node: TreeNode, state: { children?: Map<RawPath, TreeNode>; floor: number; edition: object | undefined }) {
    super(node.attributes, node.layer);
    this.children = state.children ?? new Map();
    this.floor = state.floor;
    this.edition = state.edition;
  }
}

/** What a directory is that no entry describes. */
export const impliedDirectory: Attributes = {
  type: "directory",
  mode: 0o755,
  uid: 0,
  gid: 0,
  mtime: 0,
  mtimeNs: 0,
  size: 0,
  link: "",
  devMajor: 0,
  devMinor: 0,
};
