// Where the bytes of files in layers are on this machine, put there when they are first needed.

import { lstat, mkdir, open, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Digest } from "../image/digest.ts";
import type { Layer } from "../image/image.ts";
import { type Content, type RawPath, toBytes, toRaw } from "../layer/entry.ts";
import { readLayer } from "../layer/layer.ts";
import { mayRead } from "./foreign.ts";
import { nameAtTurn, pathOfName } from "./node.ts";
import { joinPath, parentOf } from "./view.ts";

/** Local bytes of files in layers. */
export interface LayerFiles {
  /** Says that a layer lies unpacked in a directory, in the form of overlayfs, where nothing changes any more. */
  register(diffId: Digest, directory: string): void;
  /**
   * The contents of files of one layer, by the names that a tree gives: the paths of their entries, the last entry's where there are
   * several, or a path with a turn. What no unpacked directory holds is read from the layer's blob, in one pass for all that are wanted,
   * into a file. A name that the layer has no file for is missing in the answer.
   */
  locate(layer: Layer, wanted: readonly RawPath[]): Promise<ReadonlyMap<RawPath, Content>>;
}

/** `directory` takes the files with extracted content; it is made when it is needed, and whoever gave it removes it. */
export function openLayerFiles(directory: string): LayerFiles {
  const unpacked = new Map<Digest, string>();
  const spools = new Map<Digest, Spool>();
  return {
    register(diffId, path) {
      unpacked.set(diffId, path);
    },
    async locate(layer, wanted) {
      const root = unpacked.get(layer.diffId);
      const found = root === undefined ? new Map<RawPath, Content>() : await findUnpacked(toRaw(root), wanted);
      const missing = wanted.filter((path) => !found.has(path));
      if (missing.length === 0) return found;
      let spool = spools.get(layer.diffId);
      if (spool === undefined) {
        spool = new Spool(layer, directory);
        spools.set(layer.diffId, spool);
      }
      const spooled = await spool.locate(missing);
      return new Map([...found, ...spooled]);
    },
  };
}

/** A symlink on the way would lead out of the layer, so that such a path counts as not unpacked. */
async function findUnpacked(root: RawPath, wanted: readonly RawPath[]): Promise<Map<RawPath, Content>> {
  const directories = new Map<RawPath, Promise<boolean>>([["", Promise.resolve(true)]]);
  const look = (path: RawPath) => lstat(toBytes(`${root}/${path}`)).catch(() => undefined);
  const isDirectory = (path: RawPath): Promise<boolean> => {
    let known = directories.get(path);
    if (known === undefined) {
      known = isDirectory(parentOf(path)).then(async (is) => is && ((await look(path))?.isDirectory() ?? false));
      directories.set(path, known);
    }
    return known;
  };
  const found = new Map<RawPath, Content>();
  for (const path of wanted) {
    if (path !== pathOfName(path)) continue;
    const stat = (await isDirectory(parentOf(path))) ? await look(path) : undefined;
    if (stat?.isFile() && mayRead(`${root}/${path}`))
      found.set(path, { kind: "file", path: joinPath(root, path), offset: 0, size: stat.size });
  }
  return found;
}

/** Files of one layer, taken out of its blob. */
class Spool {
  readonly #layer: Layer;
  readonly #directory: string;
  readonly #known = new Map<RawPath, Content | undefined>();
  #passes = 0;
  #busy: Promise<unknown> = Promise.resolve();

  constructor(layer: Layer, directory: string) {
    this.#layer = layer;
    this.#directory = directory;
  }

  locate(wanted: readonly RawPath[]): Promise<Map<RawPath, Content>> {
    const pass = this.#busy.then(async () => {
      const missing = new Set(wanted.filter((path) => !this.#known.has(path)));
      if (missing.size > 0) for (const [path, content] of await this.#extract(missing)) this.#known.set(path, content);
      for (const path of missing) if (!this.#known.has(path)) this.#known.set(path, undefined);
      return new Map(wanted.flatMap((path) => [[path, this.#known.get(path)] as const]).filter(hasContent));
    });
    this.#busy = pass.catch(() => {});
    return pass;
  }

  async #extract(wanted: ReadonlySet<RawPath>): Promise<Map<RawPath, Content>> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    this.#passes += 1;
    const file = join(this.#directory, `${this.#layer.diffId.replace(":", "-")}.${this.#passes}`);
    const found = new Map<RawPath, Content>();
    const paths = new Set([...wanted].map(pathOfName));
    const turns = new Map<RawPath, number>();
    const handle = await open(file, "w", 0o600);
    let position = 0;
    try {
      await readLayer(this.#layer, {
        async entry(entry, content) {
          if (!paths.has(entry.path)) return;
          found.delete(entry.path);
          if (entry.type !== "file") return;
          const turn = turns.get(entry.path) ?? 0;
          turns.set(entry.path, turn + 1);
          for (const name of [entry.path, nameAtTurn(entry.path, turn)])
            if (wanted.has(name)) found.set(name, { kind: "file", path: toRaw(file), offset: position, size: entry.size });
          for await (const chunk of content) {
            await handle.appendFile(chunk);
            position += chunk.length;
          }
        },
      });
    } catch (error) {
      await rm(file, { force: true });
      throw error;
    } finally {
      await handle.close();
    }
    return found;
  }
}

function hasContent(pair: readonly [RawPath, Content | undefined]): pair is readonly [RawPath, Content] {
  return pair[1] !== undefined;
}
