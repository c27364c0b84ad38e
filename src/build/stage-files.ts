// The files of a stage while it is built: its layers, their merged tree, and where their bytes are.

import { emptyTree, type LayerFiles, type Tree } from "../filesystem/filesystem.ts";
import type { Layer } from "../image/image.ts";
import type { Content, LayerIndex, RawPath } from "../layer/entry.ts";
import type { Root, Sandbox } from "../sandbox/sandbox.ts";
import type { Layers } from "./layers.ts";

/** A layer of a stage, with what all layers up to it come to where that is known. */
export interface Level {
  readonly layer: Layer;
  readonly tree?: Tree;
}

/** A layer that may still be written. */
export interface GrowingLevel extends Omit<Level, "layer"> {
  readonly layer: Layer | Promise<Layer>;
}

/** A value that grows by one layer at a time; what was handed out before stays as it was. */
export class StageFiles {
  readonly levels: readonly Level[];
  readonly #sources: Layers;
  readonly #read: () => Promise<Tree>;
  #tree: Promise<Tree> | undefined;

  /** `read` finds out what the layers come to where the last one does not say so. */
  constructor(levels: readonly Level[], sources: Layers, read: () => Promise<Tree>) {
    this.levels = levels;
    this.#sources = sources;
    this.#read = read;
  }

  get layers(): readonly Layer[] {
    return this.levels.map(({ layer }) => layer);
  }

  /** The merged tree; reads what it must of the layers the first time. */
  tree(): Promise<Tree> {
    this.#tree ??= this.#read();
    return this.#tree;
  }

  /** With a layer on top. Layers that nobody has looked into yet stay unread. */
  async with(layer: Layer, index: LayerIndex): Promise<StageFiles> {
    if (this.#tree === undefined) return this.#withUnread(layer, index);
    return this.withTree(layer, (await this.#tree).with(index));
  }

  #withUnread(layer: Layer, index: LayerIndex): StageFiles {
    return new StageFiles([...this.levels, { layer }], this.#sources, async () => (await this.tree()).with(index));
  }

  /** With a layer on top that makes `tree` of them. */
  // Apart from the others: closures of one function share what they capture, and the index must not stay in memory.
  withTree(layer: Layer, tree: Tree): StageFiles {
    const files = new StageFiles([...this.levels, { layer, tree }], this.#sources, async () => tree);
    files.#tree = Promise.resolve(tree);
    return files;
  }

  /** Local bytes of files of the tree, all asked for at once. */
  async contents(paths: Iterable<RawPath>, files: LayerFiles): Promise<ReadonlyMap<RawPath, Content>> {
    const tree = await this.tree();
    const wanted = new Map<number, { readonly from: RawPath; readonly path: RawPath }[]>();
    for (const path of paths) {
      const place = tree.locate(path);
      if (place === undefined) throw new Error(`Cannot read "/${path}": no layer has its bytes`);
      const group = wanted.get(place.layer);
      if (group === undefined) wanted.set(place.layer, [{ from: place.path, path }]);
      else group.push({ from: place.path, path });
    }
    const found = new Map<RawPath, Content>();
    for (const [number, group] of wanted) {
      const layer = this.levels[number]?.layer;
      if (layer === undefined) throw new Error(`Cannot read layer ${number}: there are ${this.levels.length}`);
      const located = await files.locate(
        await this.#sources.fetch(layer),
        group.map(({ from }) => from),
      );
      for (const { from, path } of group) {
        const content = located.get(from);
        if (content !== undefined) found.set(path, content);
      }
    }
    return found;
  }
}

/** A stage's root on disk, made when the first layer has to lie there and kept up with the stage's layers from then on. */
export class StageRoot {
  readonly #open: () => Promise<Sandbox>;
  readonly #sources: Layers;
  #root: Promise<Root> | undefined;
  /** What the layers come to up to each that was put there; those that commands left there are not told. */
  readonly #trees: Promise<Tree>[] = [];
  #added = 0;

  constructor(open: () => Promise<Sandbox>, sources: Layers) {
    this.#open = open;
    this.#sources = sources;
  }

  /** The root with layers on it that those it holds already are the lowest of. */
  async holding(levels: readonly GrowingLevel[]): Promise<Root> {
    this.#root ??= this.#open().then((sandbox) => sandbox.openRoot());
    const root = await this.#root;
    const added: Promise<Tree>[] = [];
    for (const { layer, tree } of levels.slice(this.#added)) {
      const merged = root.add(this.#fetch(layer), tree, levels[this.#added - 1]?.tree);
      this.#trees[this.#added++] = merged;
      added.push(merged);
    }
    await Promise.all(added);
    return root;
  }

  async #fetch(layer: Layer | Promise<Layer>): Promise<Layer> {
    return this.#sources.fetch(await layer);
  }

  /** What layers come to, found while they are put on the root; there may be others above them by now. */
  async unpack(layers: readonly Layer[]): Promise<Tree> {
    await this.holding(layers.map((layer) => ({ layer })));
    return (await this.#trees[layers.length - 1]) ?? emptyTree;
  }

  /** The layer of the last run is already in place, or will be. */
  skip(): void {
    this.#added += 1;
  }

  async close(): Promise<void> {
    const root = await this.#root?.catch(() => undefined);
    await root?.close();
  }
}
