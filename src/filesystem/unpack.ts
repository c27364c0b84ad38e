// Puts a layer on disk: on top of what is there already, or by itself as overlayfs wants it.

import { setImmediate } from "node:timers/promises";
import type { Helper } from "../helper/helper.ts";
import type { Layer } from "../image/image.ts";
import { type Entry, type RawPath, toText } from "../layer/entry.ts";
import {
  defaultLimits,
  type HeldBytes,
  type HeldTar,
  type IndexSink,
  openHeldTar,
  type ReadLimits,
  readLayer,
  summarizeContent,
  type TarContent,
  type Visitor,
  withSummary,
} from "../layer/layer.ts";
import { Applier, type OverlayMarks } from "./apply.ts";
import type { LayerFiles } from "./files.ts";
import { LayerMerge, type Step } from "./merge.ts";
import { Directory, type TreeNode } from "./node.ts";
import { emptyRoot, emptyTree, LayerTree, sortNames, type Tree } from "./tree.ts";
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
   * `overlay`: `root` gets this layer alone, whiteouts are 0:0 devices, opaque directories carry a mark, hard links
   * to lower files are copies, directories that no entry names have the attributes they have below.
   */
  readonly form: "flat" | "overlay";
  /** Whose extended attributes overlayfs takes for its marks: `user` in user namespaces. `trusted` where it is left out. */
  readonly marks?: OverlayMarks;
  /** Nothing lies below where it is left out. In the form `overlay` unpacking does not wait for a promise. */
  readonly lower?: Lower | Promise<Lower> | undefined;
  /** What the layer makes of `lower`, where that is known: then it need not be found out. */
  readonly tree?: Tree | undefined;
}

export interface UnpackTools {
  readonly helper: Helper;
  readonly signal?: AbortSignal | undefined;
  readonly limits?: ReadLimits | undefined;
  /** Gets the entries, where the tree has to be found out and they are read anyhow. */
  readonly indexes?: IndexSink | undefined;
}

/**
 * Unpacks a layer in one pass over its bytes and gives the tree that it makes of what lies below. What is in `root` may be used only
 * when the promise resolves; after a rejection it is in no defined state. Nothing outside `root` is written whatever the entries say.
 * Errors name the path.
 */
export async function unpackLayer(
  layer: Layer,
  { root, form, marks = "trusted", lower, tree }: UnpackTarget,
  tools: UnpackTools,
): Promise<Tree> {
  const { signal, helper, limits = defaultLimits } = tools;
  const held = await openHeldTar(layer, { helper, root, digests: tree === undefined, maxBytes: limits.maxBytes, signal });
  const applier = new Applier(held.session);
  const read = (visit: Visitor["entry"], tar?: HeldTar) =>
    readLayer(layer, { entry: visit }, { signal, limits, ...(tar === undefined ? {} : { tar }) });
  const index = tree === undefined ? tools.indexes?.begin(layer.diffId) : undefined;
  const open = (merge: LayerMerge) => new LayerWriter(applier, { form, marks, merge, summarizes: tree === undefined });
  try {
    let below = form === "flat" ? await lower : await Promise.race([lower, setImmediate(notYet)]);
    let writer: LayerWriter | undefined;
    const isGuessed = below === notYet;
    if (below === notYet) {
      // Where paths lead can depend on symlinks below, but nearly never does: guess that it does not, and look afterwards.
      const guess = open(new LayerMerge(emptyRoot, 0, { isPartial: true }));
      const entries: Entry[] = [];
      await read(async (entry, content) => void entries.push(await guess.add(entry, content)), held);
      for (const entry of entries) index?.add(entry);
      below = await lower;
      if (guess.adopt(mergeOn(below), entries)) writer = guess;
      else await guess.removeAll();
    }
    if (writer === undefined) {
      const exact = open(mergeOn(below));
      const add = async (entry: Entry, content: TarContent) => {
        const known = await exact.add(entry, content);
        if (!isGuessed) index?.add(known);
      };
      // What was guessed wrong is read once more; that is rare.
      await read(add, isGuessed ? undefined : held);
      writer = exact;
    }
    index?.end();
    if (form === "overlay") await writer.copyLinks(below);
    await writer.finish(rootOf(below));
    await applier.finish();
    return tree ?? new LayerTree(writer.root, (below?.tree.layers ?? 0) + 1);
  } catch (error) {
    if (signal?.aborted) await applier.fail(signal.reason).catch(() => {});
    signal?.throwIfAborted();
    return applier.fail(error);
  }
}

const notYet = Symbol("not yet known");

function rootOf(lower: Lower | undefined): Directory {
  return ((lower?.tree ?? emptyTree) as LayerTree).root;
}

function mergeOn(lower: Lower | undefined): LayerMerge {
  return new LayerMerge(rootOf(lower), lower?.tree.layers ?? 0);
}

/** Turns what a layer's entries come to in a tree into what the helper does on disk. */
class LayerWriter {
  readonly #applier: Applier;
  readonly #isOverlay: boolean;
  readonly #marks: OverlayMarks;
  /** Directories that exist on disk for sure. */
  readonly #made = new Set<RawPath>([""]);
  /** For each entry that was put by a guess where it was put, and what it was linked to. */
  readonly #places: string[] = [];
  readonly #summarizes: boolean;
  #merge: LayerMerge;

  constructor(
    applier: Applier,
    {
      form,
      marks,
      merge,
      summarizes,
    }: Pick<Required<UnpackTarget>, "form" | "marks"> & {
      readonly merge: LayerMerge;
      readonly summarizes: boolean;
    },
  ) {
    this.#applier = applier;
    this.#isOverlay = form === "overlay";
    this.#marks = marks;
    this.#merge = merge;
    this.#summarizes = summarizes;
  }

  /** The merged tree so far. */
  get root(): Directory {
    return this.#merge.root;
  }

  /** Gives the entry with what its content turned out to be. */
  async add(entry: Entry, content: TarContent): Promise<Entry> {
    const step = this.#addToTree(entry);
    if (this.#merge.isPartial) this.#places.push(step === undefined ? unknownPlace : placeOf(step, this.#merge));
    if (entry.type !== "file") {
      if (step !== undefined) await this.#write(step, entry);
      return entry;
    }
    const write = async (bytes: AsyncIterable<Uint8Array> | HeldBytes) => {
      if (step !== undefined) await this.#write(step, entry, bytes);
    };
    if (!this.#summarizes) {
      await write((await content.hold()) ?? content);
      return entry;
    }
    const summary = await summarizeContent(entry, content, write);
    if (step?.kind === "put") step.node.settle(summary);
    return withSummary(entry, summary);
  }

  async #write(step: Step, entry: Entry, content?: AsyncIterable<Uint8Array> | HeldBytes): Promise<void> {
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
    } else if (content !== undefined) await this.#applier.file(path, entry, content);
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
    let isRight = true;
    for (const [i, entry] of entries.entries()) if (placeOf(merge.add(entry), merge) !== this.#places[i]) isRight = false;
    return isRight;
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
      await this.#applier.directoryAttributes(path, directory.attributes, isOpaque ? this.#marks : undefined);
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
