// How one layer's entries change a tree: whiteouts, replacements, links, entries below symlinked directories.

import { type Entry, opaqueMarker, type RawPath, toText, whiteoutPrefix } from "../layer/entry.ts";
import { Directory, impliedDirectory, TreeNode } from "./node.ts";
import { maxLinks, tooManyLinks } from "./resolve.ts";
import { joinPath, nameOf, parentOf } from "./view.ts";

/** What an entry comes to once the symlinks on its way are followed; what a disk must do to follow the tree. */
export type Step =
  /** Something is at `path` now; a hard link's `target` is where its file is. */
  | { readonly kind: "put"; readonly path: RawPath; readonly node: TreeNode; readonly target?: RawPath }
  /** Lower content that whiteouts hide. */
  | { readonly kind: "hide"; readonly paths: readonly RawPath[] }
  | { readonly kind: "nothing" };

interface Place {
  readonly path: RawPath;
  readonly directory: Directory;
}

const nothing: Step = { kind: "nothing" };

/**
 * Puts a layer on a tree, entry by entry in the order of the tar. Follows containerd: the parent of an entry is resolved inside the
 * root as the tree is at that moment, the entry's own name is never followed, directories merge and all else replaces. Whiteouts and
 * opaque markers hide what lower layers brought and spare what this layer did, wherever in the layer they stand. Unlike there, the
 * attributes in a hard link's header are not looked at. Throws on what cannot be: a file as a parent, a hard link to nothing, circles
 * of symlinks.
 */
export class LayerMerge {
  readonly #layer: number;
  readonly #edition = {};
  /** Names this layer gave to files of lower layers: theirs are the nodes, but the names are new. */
  readonly #links = new Set<RawPath>();
  /** Of names whose files made room for other entries of this layer: how many entries have held a file under the name so far. */
  readonly #turns = new Map<RawPath, number>();
  readonly isPartial: boolean;
  #root: Directory;
  #last: { readonly raw: RawPath; readonly place: Place } | undefined;

  /** A partial merge lacks what lies below: its hard links to what it does not know are left out, not refused. */
  constructor(root: Directory, layer: number, { isPartial = false }: { isPartial?: boolean } = {}) {
    this.#layer = layer;
    this.isPartial = isPartial;
    this.#root = this.#copy(root);
  }

  add(entry: Entry): Step {
    try {
      // containerd leaves out what resolves to the root, so that its mode is nobody's to change: an image's root is 0755 root.
      if (entry.path === "") return { kind: "nothing" };
      const name = nameOf(entry.path);
      if (name === opaqueMarker) return this.#addOpaque(entry);
      if (name.startsWith(whiteoutPrefix)) return this.#addWhiteout(entry, name.slice(whiteoutPrefix.length));
      if (entry.type === "hardlink") return this.#addLink(entry, name);
      return this.#addObject(entry, name);
    } catch (cause) {
      throw new Error(`Cannot apply "${toText(entry.path)}": ${(cause as Error).message}`, { cause });
    }
  }

  /** Whether this layer brought an object, and not a lower one. */
  isOwn(node: TreeNode): boolean {
    return node.layer === this.#layer;
  }

  /** Paths that hard links of this layer gave to files of lower layers. */
  get linksBelow(): Iterable<RawPath> {
    return [...this.#links].filter((path) => this.#holds(path));
  }

  #holds(path: RawPath): boolean {
    const node = this.#findParent(parentOf(path))?.directory.children.get(nameOf(path));
    return node !== undefined && !(node instanceof Directory) && !this.isOwn(node);
  }

  /** Whether a directory of the merged tree hides all that lower layers have at its path. */
  isFresh(directory: Directory): boolean {
    return directory.floor === this.#layer;
  }

  /** The merged tree so far; it changes with every entry. */
  get root(): Directory {
    return this.#root;
  }

  #addObject(entry: Entry, name: RawPath): Step {
    const { path: parent, directory } = this.#makeParent(parentOf(entry.path));
    const path = joinPath(parent, name);
    const old = directory.children.get(name);
    let node: TreeNode;
    if (entry.type === "directory") {
      const attributes = new TreeNode(entry, this.#layer);
      node = old instanceof Directory ? this.#copy(old, attributes) : this.#makeDirectory(attributes);
    } else node = new TreeNode(entry, this.#layer, path === entry.path ? undefined : entry.path);
    this.#set(directory, name, node, path);
    return { kind: "put", path, node };
  }

  #addLink(entry: Entry, name: RawPath): Step {
    const { path: parent, directory } = this.#makeParent(parentOf(entry.path));
    const path = joinPath(parent, name);
    const from = this.#findParent(parentOf(entry.link));
    const node = from?.directory.children.get(nameOf(entry.link));
    if (this.isPartial && node === undefined) return nothing;
    const target = joinPath(from?.path ?? "", nameOf(entry.link));
    // A directory makes room for the link before the link is made.
    if (node === undefined || target.startsWith(`${path}/`))
      throw new Error(`it is a hard link to "${toText(entry.link)}", which does not exist`);
    if (node instanceof Directory) throw new Error(`it is a hard link to "${toText(entry.link)}", which is a directory`);
    node.keepPath(target);
    const isThere = directory.children.get(name) === node;
    if (!isThere) this.#set(directory, name, node, path);
    if (node.layer !== this.#layer) this.#links.add(path);
    return isThere ? nothing : { kind: "put", path, node, target };
  }

  #set(directory: Directory, name: RawPath, node: TreeNode, path: RawPath): void {
    const old = directory.children.get(name);
    if (old !== undefined && (old.type === "symlink" || old instanceof Directory)) this.#last = undefined;
    if (old !== undefined && !(node instanceof Directory && old instanceof Directory)) this.#supersede(old, path);
    directory.children.set(name, node);
    this.#links.delete(path);
  }

  /** What makes room may live on under other names; the name it has in this layer may stand for something else from now on. */
  #supersede(node: TreeNode, path: RawPath): void {
    if (node instanceof Directory) {
      if (node.edition !== this.#edition) return;
      for (const [name, child] of node.children) this.#supersede(child, joinPath(path, name));
      return;
    }
    if (node.type !== "file" || !this.isOwn(node) || node.isSuperseded) return;
    const name = node.pathInLayer ?? path;
    const turn = this.#turns.get(name) ?? 0;
    this.#turns.set(name, turn + 1);
    node.supersede(turn);
  }

  #addWhiteout(entry: Entry, name: RawPath): Step {
    if (name === "" || name === "." || name === "..") throw new Error("it is no valid whiteout");
    const place = this.#findParent(parentOf(entry.path));
    const child = place?.directory.children.get(name);
    if (place === undefined || child === undefined) return nothing;
    const directory = this.#own(place.path);
    const paths: RawPath[] = [];
    this.#hideChild({ path: place.path, directory }, name, paths);
    this.#last = undefined;
    return { kind: "hide", paths };
  }

  #addOpaque(entry: Entry): Step {
    const place = this.#findParent(parentOf(entry.path));
    if (place === undefined) return nothing;
    const paths: RawPath[] = [];
    this.#hideBelow({ path: place.path, directory: this.#own(place.path) }, paths);
    this.#last = undefined;
    return { kind: "hide", paths };
  }

  #hideBelow(place: Place, paths: RawPath[]): void {
    for (const name of [...place.directory.children.keys()]) this.#hideChild(place, name, paths);
  }

  #hideChild({ path, directory }: Place, name: RawPath, paths: RawPath[]): void {
    const child = directory.children.get(name);
    const childPath = joinPath(path, name);
    if (child === undefined || this.#links.has(childPath)) return;
    const isOwn = child.layer === this.#layer;
    // Nothing of this layer can be in a directory that this merge has not copied.
    if (child instanceof Directory && child.edition === this.#edition) {
      this.#hideBelow({ path: childPath, directory: child }, paths);
      if (isOwn || child.children.size > 0) {
        const { children } = child;
        const attributes = isOwn ? child : new TreeNode(impliedDirectory, this.#layer);
        directory.children.set(name, this.#makeDirectory(attributes, children));
        return;
      }
    }
    if (isOwn) return;
    directory.children.delete(name);
    paths.push(childPath);
  }

  /** The directory that an entry goes into, with all that leads there, ready to be changed. */
  #makeParent(raw: RawPath): Place {
    if (this.#last?.raw === raw) return this.#last.place;
    const { path } = this.#walk(raw, true) as Place;
    const place = { path, directory: this.#own(path) };
    this.#last = { raw, place };
    return place;
  }

  #findParent(raw: RawPath): Place | undefined {
    return this.#last?.raw === raw ? this.#last.place : this.#walk(raw, false);
  }

  /** Follows a path inside the root. A missing directory is implied, or where nothing needs it, the end. */
  #walk(raw: RawPath, isNeeded: boolean): Place | undefined {
    const pending = raw.split("/").reverse();
    const names: RawPath[] = [];
    const directories: Directory[] = [this.#root];
    for (let links = 0; pending.length > 0; ) {
      const name = pending.pop();
      if (name === undefined || name === "" || name === ".") continue;
      if (name === "..") {
        if (names.pop() !== undefined) directories.pop();
        continue;
      }
      const child = directories.at(-1)?.children.get(name);
      if (child === undefined) {
        if (!isNeeded) return undefined;
        names.push(name);
        directories.push(this.#own(names.join("/")));
      } else if (child instanceof Directory) {
        names.push(name);
        directories.push(child);
      } else if (child.type === "symlink") {
        if (++links > maxLinks) throw tooManyLinks(raw);
        if (child.link.startsWith("/")) {
          names.length = 0;
          directories.length = 1;
        }
        pending.push(...child.link.split("/").reverse());
      } else {
        if (!isNeeded) return undefined;
        throw new Error(`"${toText(joinPath(names.join("/"), name))}" is not a directory`);
      }
    }
    return { path: names.join("/"), directory: directories.at(-1) ?? this.#root };
  }

  /** A directory that may be changed, and with it all above it; missing ones are made. The path has no symlinks. */
  #own(path: RawPath): Directory {
    let at = this.#root;
    if (path === "") return at;
    for (const name of path.split("/")) {
      const child = at.children.get(name);
      if (child instanceof Directory && child.edition === this.#edition) {
        at = child;
        continue;
      }
      const next = child instanceof Directory ? this.#copy(child) : this.#makeDirectory(new TreeNode(impliedDirectory, this.#layer));
      at.children.set(name, next);
      at = next;
    }
    return at;
  }

  #copy(directory: Directory, node: TreeNode = directory): Directory {
    const isOwn = directory.edition === this.#edition;
    const children = isOwn ? directory.children : new Map(directory.children);
    return new Directory(node, { children, floor: directory.floor, edition: this.#edition });
  }

  #makeDirectory(node: TreeNode, children?: Map<RawPath, TreeNode>): Directory {
    return new Directory(node, { ...(children === undefined ? {} : { children }), floor: this.#layer, edition: this.#edition });
  }
}
