// Layers unpacked each into a directory of its own, below the state directory, for overlayfs to stack.

import { createHash, randomUUID } from "node:crypto";
import { mkdir, rename } from "node:fs/promises";
import { join } from "node:path";
import { emptyTree, type LayerFiles, type Lower, type OverlayMarks, removeTree, type Tree, unpackLayer } from "../filesystem/filesystem.ts";
import type { Helper } from "../helper/helper.ts";
import { type Digest, hexOf } from "../image/digest.ts";
import type { Layer } from "../image/image.ts";
import { type IndexSink, indexLayer } from "../layer/layer.ts";
import type { Deputy } from "./deputy.ts";
import { Hold } from "./hold.ts";

/** A layer on top of others. */
export interface Level {
  readonly below: Level | undefined;
  readonly layer: Promise<Layer>;
  /**
   * Names the layer together with all below it, as the image specification's ChainID does: what an unpacked layer holds for links
   * and directories of lower layers depends on those.
   */
  readonly chainId: Promise<Digest>;
  /** What all layers up to this one come to. */
  readonly tree: Promise<Tree>;
  /** This layer's directory; settles when it may be stacked. */
  readonly directory: Promise<string>;
}

/** As many as keep two cores and a download busy; each holds a few MiB. */
const parallelUnpacks = 4;

interface LayerStoreTools {
  readonly files: LayerFiles;
  readonly indexes?: IndexSink | undefined;
  readonly marks: OverlayMarks;
  /** Of who unpacks. */
  readonly helper: Helper;
  readonly deputy: Pick<Deputy, "workDir" | "ids">;
  /** Owners lie in records beside the files. */
  readonly recordsOwners: boolean;
}

export class LayerStore {
  readonly #folder: string;
  readonly #helper: Helper;
  readonly #workDir: string;
  readonly #files: LayerFiles;
  readonly #indexes: IndexSink | undefined;
  readonly #marks: OverlayMarks;
  readonly #suffix: string;
  readonly #hold: Hold;
  readonly #stop = new AbortController();
  /** By chain, so that stages with the same base unpack it once. */
  readonly #known = new Map<Digest, Promise<{ readonly directory: string; readonly tree: Tree }>>();
  readonly #waiting: (() => void)[] = [];
  #free = parallelUnpacks;

  constructor(folder: string, tools: LayerStoreTools) {
    this.#folder = folder;
    this.#helper = tools.helper;
    this.#workDir = tools.deputy.workDir ?? folder;
    this.#files = tools.files;
    this.#indexes = tools.indexes;
    this.#marks = tools.marks;
    const form = tools.recordsOwners ? "-recorded" : tools.marks === "user" ? "-user" : "";
    this.#suffix = `${form}${tools.deputy.ids}`;
    this.#hold = new Hold(tools.helper);
  }

  /** Starts to unpack a layer, unless it is there. `tree` is what it makes of those below, where that is known. */
  add(layer: Promise<Layer>, below: Level | undefined, tree: Tree | undefined): Level {
    const chainId = chainOf(layer, below);
    // Nothing may be waited for between the look and the note: stages with the same base ask in the same moment.
    const unpacked = chainId.then((chain) => {
      const made = this.#known.get(chain) ?? layer.then((top) => this.#unpack(top, chain, below, tree));
      this.#known.set(chain, made);
      return made;
    });
    const merged = unpacked.then(({ tree }) => tree);
    const directory = unpacked.then(({ directory }) => directory);
    for (const promise of [chainId, merged, directory]) promise.catch(() => {});
    return { below, layer, chainId, tree: merged, directory };
  }

  /** Lets the changes of a command serve as the layer that was written from them. `made` holds `fs`, the directory itself. */
  async publish(made: string, layer: Layer, below: Level | undefined, tree: Tree): Promise<Level> {
    const chainId = chainOf(Promise.resolve(layer), below);
    const chain = await chainId;
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    const home = this.#homeOf(chain);
    const directory = join(home, "fs");
    if (!(await moveDirectory(made, home))) await removeTree(made, this.#helper);
    if (!(await this.#hold.take(home))) throw new Error(`Cannot keep layer "${layer.diffId}": "${home}" is gone`);
    this.#known.set(chain, Promise.resolve({ directory, tree }));
    this.#files.register(layer.diffId, directory);
    return { below, layer: Promise.resolve(layer), chainId, tree: Promise.resolve(tree), directory: Promise.resolve(directory) };
  }

  async close(): Promise<void> {
    this.#stop.abort(new Error("Cannot unpack layers: the sandbox is closed"));
    await Promise.allSettled(this.#known.values());
    await this.#hold.close();
  }

  async #unpack(layer: Layer, chain: Digest, below: Level | undefined, known: Tree | undefined) {
    await this.#enter();
    try {
      const home = this.#homeOf(chain);
      const directory = join(home, "fs");
      const isThere = await this.#hold.take(home);
      const tree = isThere ? (known ?? (await this.#read(layer, below))) : await this.#unpackInto(home, layer, below, known);
      this.#files.register(layer.diffId, directory);
      return { directory, tree };
    } finally {
      this.#leave();
    }
  }

  /** Overlayfs cannot read in one form what it has written in the other, and who has other ids sees other owners. */
  #homeOf(chain: Digest): string {
    return join(this.#folder, `${hexOf(chain)}${this.#suffix}`);
  }

  async #read(layer: Layer, below: Level | undefined): Promise<Tree> {
    const index = await indexLayer(layer, { signal: this.#stop.signal, helper: this.#helper });
    return ((await below?.tree) ?? emptyTree).with(index);
  }

  async #unpackInto(home: string, layer: Layer, below: Level | undefined, known: Tree | undefined): Promise<Tree> {
    const fresh = join(this.#workDir, `layer-${randomUUID()}`);
    for (const folder of [this.#folder, this.#workDir]) await mkdir(folder, { recursive: true, mode: 0o700 });
    await mkdir(join(fresh, "fs"), { recursive: true });
    try {
      const lower = below && this.#lowerOf(below);
      lower?.catch(() => {});
      const tools = { helper: this.#helper, signal: this.#stop.signal, indexes: this.#indexes };
      const tree = await unpackLayer(layer, { root: join(fresh, "fs"), form: "overlay", marks: this.#marks, lower, tree: known }, tools);
      await moveDirectory(fresh, home);
      await this.#hold.take(home);
      return tree;
    } finally {
      await removeTree(fresh, this.#helper);
    }
  }

  async #lowerOf(top: Level): Promise<Lower> {
    const layers: Layer[] = [];
    for (let level: Level | undefined = top; level !== undefined; level = level.below) layers.unshift(await level.layer);
    return { tree: await top.tree, layers, files: this.#files };
  }

  async #enter(): Promise<void> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#stop.signal.throwIfAborted();
  }

  #leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free += 1;
    else next();
  }
}

async function chainOf(layer: Promise<Layer>, below: Level | undefined): Promise<Digest> {
  const { diffId } = await layer;
  if (below === undefined) return diffId;
  return `sha256:${createHash("sha256")
    .update(`${await below.chainId} ${diffId}`)
    .digest("hex")}`;
}

/** False where somebody else was first: what is there already is the same. */
async function moveDirectory(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOTEMPTY" || code === "EEXIST") return false;
    throw error;
  }
}
