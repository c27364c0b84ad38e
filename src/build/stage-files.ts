// The files of a stage while it is built: its layers, their merged tree, and where their bytes are.

import type { LayerFiles, Tree } from "../filesystem/filesystem.ts";
import { emptyTree } from "../filesystem/filesystem.ts";
import type { Layer } from "../image/image.ts";
import type { Content, LayerIndex, RawPath } from "../layer/entry.ts";
import type { Root, Sandbox } from "../sandbox/sandbox.ts";
import type { Layers } from "./layers.ts";

/** A value that grows by one layer at a time; what was handed out before stays as it was. */
export class StageFiles {
  readonly layers: readonly Layer[];
  readonly #sources: Layers;
  #tree: Promise<Tree> | undefined;

  constructor(layers: readonly Layer[], sources: Layers, tree?: Promise<Tree> | undefined) {
    this.layers = layers;
    this.#sources = sources;
    this.#tree = tree;
  }

  /** The merged tree; reads what it must of the layers the first time. */
  tree(): Promise<Tree> {
    this.#tree ??= this.#merge();
    return this.#tree;
  }

  async #merge(): Promise<Tree> {
    const indexes = await Promise.all(this.layers.map((layer) => this.#sources.index(layer)));
    return indexes.reduce((tree, index) => tree.with(index), emptyTree);
  }

  with(layer: Layer, index: LayerIndex): StageFiles {
    this.#sources.learn(index);
    // Layers that nobody has looked into yet stay unread.
    const tree = this.#tree?.then((below) => below.with(index));
    tree?.catch(() => {});
    return new StageFiles([...this.layers, layer], this.#sources, tree);
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
      const layer = this.layers[number];
      if (layer === undefined) throw new Error(`Cannot read layer ${number}: there are ${this.layers.length}`);
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

/** A stage's root on disk, made at its first RUN and kept up with its layers from then on. */
export class StageRoot {
  readonly #open: () => Promise<Sandbox>;
  readonly #sources: Layers;
  #root: Root | undefined;
  #added = 0;

  constructor(open: () => Promise<Sandbox>, sources: Layers) {
    this.#open = open;
    this.#sources = sources;
  }

  /** The root with all of the stage's layers on it. */
  async holding(files: StageFiles): Promise<Root> {
    this.#root ??= await (await this.#open()).openRoot();
    const root = this.#root;
    const missing = files.layers.slice(this.#added);
    this.#added = files.layers.length;
    await Promise.all(
      missing.map(async (layer) => {
        this.#sources.learn(await root.add(this.#sources.fetch(layer)));
      }),
    );
    return root;
  }

  /** The layer of the last run is already in place. */
  skip(): void {
    this.#added += 1;
  }

  async close(): Promise<void> {
    await this.#root?.close();
  }
}
