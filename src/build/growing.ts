// The files of a stage while its steps run: what they come to is known before the layer of a command is written.

import type { Tree } from "../filesystem/filesystem.ts";
import type { Layer } from "../image/image.ts";
import type { GrowingLevel, StageFiles } from "./stage-files.ts";

export interface GrowingFiles {
  readonly levels: readonly GrowingLevel[];
  /** The last layer, where it is written. */
  readonly top: Layer | undefined;
  /** Whether all layers are. */
  readonly isWhole: boolean;
  /** What they are when all layers are written and lie where they stay. */
  readonly whole: Promise<StageFiles>;
  /** What all layers come to; the digests of what a command left may be missing. */
  tree(): Promise<Tree>;
  /** The same with all digests. */
  digested(): Promise<Tree>;
}

export class WholeFiles implements GrowingFiles {
  readonly levels: readonly GrowingLevel[];
  readonly top: Layer | undefined;
  readonly isWhole = true;
  readonly whole: Promise<StageFiles>;
  readonly #files: StageFiles;

  constructor(files: StageFiles) {
    this.levels = files.levels;
    this.top = files.levels.at(-1)?.layer;
    this.whole = Promise.resolve(files);
    this.#files = files;
  }

  tree(): Promise<Tree> {
    return this.#files.tree();
  }

  digested(): Promise<Tree> {
    return this.#files.tree();
  }
}

export interface UnwrittenLayer {
  readonly layer: Promise<Layer>;
  /** What it makes of the layers below; has its digests when the layer is written. */
  readonly tree: Tree;
  /** Says where the layer lies. */
  publish(layer: Layer, tree: Tree): Promise<void>;
}

/** Files with a layer on top that is being written. */
// A class: closures would keep what the layer is written from.
export class UnwrittenFiles implements GrowingFiles {
  readonly levels: readonly GrowingLevel[];
  readonly top = undefined;
  readonly isWhole = false;
  readonly whole: Promise<StageFiles>;
  readonly #tree: Tree;
  readonly #digested: Promise<Tree>;

  constructor(below: StageFiles, { layer, tree, publish }: UnwrittenLayer) {
    this.levels = [...below.levels, { layer, tree }];
    this.#tree = tree;
    this.#digested = layer.then(() => tree);
    this.whole = layer.then(async (written) => {
      await publish(written, tree);
      return below.withTree(written, tree);
    });
    // Whoever needs them sees the error.
    for (const promise of [this.#digested, this.whole]) promise.catch(() => {});
  }

  async tree(): Promise<Tree> {
    return this.#tree;
  }

  digested(): Promise<Tree> {
    return this.#digested;
  }
}

/** Files with a layer on top that is written, while one below is not yet. */
export class StackedFiles implements GrowingFiles {
  readonly levels: readonly GrowingLevel[];
  readonly top: Layer;
  readonly isWhole = false;
  readonly whole: Promise<StageFiles>;
  readonly #tree: Tree;
  readonly #digested: Promise<Tree>;

  /** `tree` is what the layer makes of those below. */
  constructor(below: GrowingFiles, layer: Layer, tree: Tree) {
    this.levels = [...below.levels, { layer, tree }];
    this.top = layer;
    this.#tree = tree;
    this.#digested = below.digested().then(() => tree);
    this.whole = below.whole.then((files) => files.withTree(layer, tree));
    for (const promise of [this.#digested, this.whole]) promise.catch(() => {});
  }

  async tree(): Promise<Tree> {
    return this.#tree;
  }

  digested(): Promise<Tree> {
    return this.#digested;
  }
}
