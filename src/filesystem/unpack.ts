// Puts a layer on disk: on top of what is there already, or by itself as overlayfs wants it.

import type { Helper } from "../helper/helper.ts";
import type { Layer } from "../image/image.ts";
import { type Entry, type LayerIndex, type RawPath, toText } from "../layer/entry.ts";
import { type ReadLimits, readLayer } from "../layer/layer.ts";
import { Applier } from "./apply.ts";
import type { LayerFiles } from "./files.ts";
import { LayerMerge, type Step } from "./merge.ts";
import { Directory, type TreeNode } from "./node.ts";
import { emptyRoot, emptyTree, type LayerTree, sortNames, type Tree } from "./tree.ts";
import { joinPath, parentOf } from "./view.ts";

/** What lies below a layer. */
export interface Lower {
  readonly tree: Tree;
  /** The layers of the tree, from the bottom. */
  readonly layers: readonly Layer[];
  /** Gives the content of lower files that the layer has hard links to; asked for nothing else. */
  readonly files: LayerFiles;
}

export interface UnpackTarget {
  /** An existing directory; for `overlay` an empty one. */
  readonly root: string;
  /**
   * `flat`: `root` holds the merged lower layers, whiteouts delete there, hard links to lower files are links.
   * `overlay`: `root` gets this layer alone, whiteouts are 0:0 devices, opaque directories carry `trusted.overlay.opaque=y`, hard links
   * to lower files are copies, directories that no entry names have the attributes they have below.
   */
  readonly form: "flat" | "overlay";
  /** Nothing lies below where it is left out. In the form `overlay` unpacking starts before a promise settles. */
  readonly lower?: Lower | Promise<Lower> | undefined;
}

export interface UnpackTools {
  readonly helper: Helper;
  readonly signal?: AbortSignal | undefined;
  readonly limits?: ReadLimits | undefined;
}

/**
 * Unpacks a layer in one pass over its bytes and gives its index. What is in `root` may be used only when the promise resolves; after
 * a rejection it is in no defined state. Nothing outside `root` is written whatever the entries say. Errors name the path.
 */
export async function unpackLayer(layer: Layer, { root, form, lower }: UnpackTarget, tools: UnpackTools): Promise<LayerIndex> {
  const { signal, limits } = tools;
  const applier = new Applier(root, tools);
  const read = (writer: LayerWriter) =>
    readLayer(layer, { entry: (entry, content) => writer.add(entry, content) }, { signal, ...(limits === undefined ? {} : { limits }) });
  try {
    let writer: LayerWriter;
    let index: LayerIndex;
    let below: Lower | undefined;
    if (form === "flat") {
      below = await lower;
      const { root: base, layers } = (below?.tree ?? emptyTree) as LayerTree;
      writer = new LayerWriter(applier, form, new LayerMerge(base, layers));
      index = await read(writer);
    } else {
      // Where paths lead can depend on symlinks below, but nearly never does: guess that it does not, and look afterwards.
      writer = new LayerWriter(applier, form, new LayerMerge(emptyRoot, 0, { isPartial: true }));
      index = await read(writer);
      below = await lower;
      const { root: base, layers } = (below?.tree ?? emptyTree) as LayerTree;
      const merge = new LayerMerge(base, layers);
      if (!writer.adopt(merge, index.entries)) {
        await writer.removeAll();
        writer = new LayerWriter(applier, form, new LayerMerge(base, layers));
        index = await read(writer);
      }
      await writer.copyLinks(below);
    }
    await writer.finish(((below?.tree ?? emptyTree) as LayerTree).root);
    await applier.finish();
    return index;
  } catch (error) {
    return applier.fail(error);
  }
}

/** Turns what a layer's entries come to in a tree into what the helper does on disk. */
class LayerWriter {
  readonly #applier: Applier;
  readonly #isOverlay: boolean;
  /** Directories that exist on disk for sure. */
  readonly #made = new Set<RawPath>([""]);
  /** For each entry where it was put, and what it was linked to. */
  readonly #places: string[] = [];
  #merge: LayerMerge;

  constructor(applier: Applier, form: UnpackTarget["form"], merge: LayerMerge) {
    this.#applier = applier;
    this.#isOverlay = form === "overlay";
    this.#merge = merge;
  }

  async add(entry: Entry, content: AsyncIterable<Uint8Array>): Promise<void> {
    const step = this.#addToTree(entry);
    this.#places.push(step === undefined ? unknownPlace : placeOf(step, this.#merge));
    if (step === undefined) return;
    if (step.kind === "hide") {
      for (const path of step.paths) await this.#remove(path);
      return;
    }
    if (step.kind === "nothing" || step.path === "") return;
    const { path, target, node } = step;
    await this.#makeDirectories(parentOf(path));
    if (node instanceof Directory) {
      await this.#applier.directory(path);
      this.#made.add(path);
      return;
    }
    if (this.#made.has(path)) this.#forget(path);
    if (target !== undefined) {
      // A file of a lower layer is not here; it is copied in the end.
      if (!this.#isOverlay || this.#merge.isOwn(node)) await this.#applier.link(path, target);
    } else if (entry.type === "file") await this.#applier.file(path, entry, content);
    else await this.#applier.special(path, entry);
  }

  /** What cannot be with nothing below may well be with what is below; `adopt` finds out. */
  #addToTree(entry: Entry): Step | undefined {
    try {
      return this.#merge.add(entry);
    } catch (error) {
      if (this.#merge.isPartial) return undefined;
      throw error;
    }
  }

  /** Takes the merge that knows what lies below; false when it puts entries elsewhere than they were put. */
  adopt(merge: LayerMerge, entries: readonly Entry[]): boolean {
    this.#merge = merge;
    return entries.map((entry) => placeOf(merge.add(entry), merge)).every((place, i) => place === this.#places[i]);
  }

  async removeAll(): Promise<void> {
    for (const path of new Set(this.#places.map((place) => place.split(/[/\0]/, 1)[0] ?? ""))) {
      if (path !== "") await this.#applier.remove(path);
    }
  }

  /** Hard links to files of lower layers, as copies; among themselves they are links. */
  async copyLinks(lower: Lower | undefined): Promise<void> {
    const tree = this.#merge.root;
    const copies = new Map<TreeNode, RawPath>();
    for (const path of this.#merge.linksBelow) {
      const node = findNode(tree, path);
      if (node === undefined || lower === undefined) continue;
      await this.#makeDirectories(parentOf(path));
      const copy = copies.get(node);
      if (copy !== undefined) await this.#applier.link(path, copy);
      else if (node.type !== "file") await this.#applier.special(path, node.attributes);
      else await this.#copyFile(path, node, lower);
      copies.set(node, copy ?? path);
    }
  }

  async #copyFile(path: RawPath, node: TreeNode, { layers, files }: Lower): Promise<void> {
    const { attributes, pathInLayer, layer: number } = node;
    const layer = layers[number];
    if (attributes.size === 0) return this.#applier.file(path, attributes, noBytes());
    if (layer === undefined || pathInLayer === undefined) throw new Error(`Cannot copy "${toText(path)}": layer ${number} is not given`);
    const content = (await files.locate(layer, [pathInLayer])).get(pathInLayer);
    if (content?.kind === "file") return this.#applier.copy(path, attributes, content);
    if (content === undefined) throw new Error(`Cannot copy "${toText(path)}": layer ${number} does not have it`);
    const { bytes } = content;
    return this.#applier.file(path, attributes, noBytes(bytes));
  }

  /** Gives directories what they end up with; in the form of overlayfs also hides what the layer hides. */
  async finish(lower: Directory): Promise<void> {
    const touched: { path: RawPath; directory: Directory; isOpaque: boolean }[] = [];
    for (const { path, directory, below } of touchedDirectories(this.#merge.root, lower)) {
      await this.#makeDirectories(path);
      const isFresh = this.#merge.isFresh(directory);
      touched.push({ path, directory, isOpaque: this.#isOverlay && isFresh && below !== undefined });
      if (!this.#isOverlay || isFresh || !(below instanceof Directory)) continue;
      for (const name of sortNames(below)) if (!directory.children.has(name)) await this.#applier.whiteout(joinPath(path, name));
    }
    // The deepest first: attributes may take away the right to go deeper.
    for (const { path, directory, isOpaque } of touched.reverse())
      await this.#applier.directoryAttributes(path, directory.attributes, isOpaque);
  }

  async #makeDirectories(path: RawPath): Promise<void> {
    if (this.#made.has(path)) return;
    await this.#makeDirectories(parentOf(path));
    await this.#applier.directory(path);
    this.#made.add(path);
  }

  async #remove(path: RawPath): Promise<void> {
    const isHere = this.#made.has(path);
    // Of what lower layers have, overlayfs's directory can hold empty directories alone.
    if (this.#isOverlay && !isHere) return;
    if (isHere) this.#forget(path);
    await this.#applier.remove(path);
  }

  #forget(path: RawPath): void {
    for (const made of this.#made) if (made === path || made.startsWith(`${path}/`)) this.#made.delete(made);
  }
}

/** No entry's place. */
const unknownPlace = "\0";

function placeOf(step: Step, merge: LayerMerge): string {
  if (step.kind !== "put") return "";
  if (step.target === undefined) return step.path;
  return merge.isOwn(step.node) ? `${step.path}\0${step.target}` : "";
}

function findNode(root: Directory, path: RawPath): TreeNode | undefined {
  return path
    .split("/")
    .reduce((node: TreeNode | undefined, name) => (node instanceof Directory ? node.children.get(name) : undefined), root);
}

/** The directories of a tree that differ from a lower tree in themselves or in what they hold, parents first. */
function* touchedDirectories(
  directory: Directory,
  below: TreeNode | undefined,
  path: RawPath = "",
): Iterable<{ path: RawPath; directory: Directory; below: TreeNode | undefined }> {
  yield { path, directory, below };
  for (const [name, child] of directory.children) {
    const childBelow = below instanceof Directory ? below.children.get(name) : undefined;
    if (child instanceof Directory && child !== childBelow) yield* touchedDirectories(child, childBelow, joinPath(path, name));
  }
}

async function* noBytes(bytes?: Uint8Array): AsyncGenerator<Uint8Array, void, void> {
  if (bytes !== undefined) yield bytes;
}
