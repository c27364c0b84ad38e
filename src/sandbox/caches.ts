// The directories of cache mounts: below the state directory, shared by all builds that have it, and locked while in use.

import { createHash, randomUUID } from "node:crypto";
import { existsSync, lstatSync, readdirSync, readlinkSync } from "node:fs";
import { mkdir, rename, utimes } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import {
  directoryAttributes,
  type FileView,
  listDirectory,
  move,
  removeTree,
  resolvePath,
  type ScannedEntry,
  scanDirectory,
  settleOwners,
  unpackLayer,
} from "../filesystem/filesystem.ts";
import type { Helper } from "../helper/helper.ts";
import { type EntryType, type RawPath, toBytes, toRaw, toText } from "../layer/entry.ts";
import { Hold } from "./hold.ts";
import { layOut } from "./lay-out.ts";
import type { CacheMount, MountSource } from "./mount.ts";
import type { CacheKeeper, Command } from "./sandbox.ts";

/** Between two tries to lock what somebody else has, as BuildKit waits. */
const retryMs = 100;
/** The name of a cache's files in its slot: the slot itself is what is locked. */
export const content = "fs";

export interface CacheTools {
  readonly helper: Helper;
  readonly signal: AbortSignal;
}

/** A cache that is in use; the lock goes with the `Hold` that took it. */
export interface TakenCache {
  readonly directory: string;
  /** What of the directory is to be shown. */
  readonly below: RawPath;
}

export class CacheStore {
  readonly #folder: string;
  readonly #fresh: ReadonlySet<string>;
  readonly #keeper: CacheKeeper | undefined;
  /** What commands could write to, by key. */
  readonly #written = new Map<string, { readonly mount: CacheMount; readonly directory: string }>();
  /** By id. */
  readonly #emptied = new Map<string, Promise<void>>();

  /** Caches whose id is in `fresh` are emptied when they are first taken. */
  constructor(folder: string, fresh: ReadonlySet<string>, keeper: CacheKeeper | undefined) {
    this.#folder = folder;
    this.#fresh = fresh;
    this.#keeper = keeper;
  }

  /**
   * Locks a cache, and makes it where there is none. A cache has numbered slots: who may not share takes the first free one, or with
   * `locked` waits for slot 0. With `alone` nobody else may use the slot at the same time, and `shared` waits like `locked`.
   */
  async take(mount: CacheMount, hold: Hold, alone: boolean, tools: CacheTools): Promise<string> {
    const all = join(this.#folder, hashOf(mount.id));
    const folder = join(all, hashOf(mount.key));
    if (this.#fresh.has(mount.id)) await this.#emptyOnce(mount.id, all, tools);
    const waits = mount.sharing === "locked" || (alone && mount.sharing === "shared");
    for (;;) {
      for (let slot = 0; slot === 0 || !waits; slot += 1) {
        const directory = join(folder, String(slot));
        await mkdir(directory, { recursive: true, mode: 0o700 });
        if (await hold.take(directory, alone || mount.sharing !== "shared" ? "alone" : "shared")) {
          if (!existsSync(join(directory, content))) await this.#make(directory, mount, tools);
          const now = new Date();
          await utimes(directory, now, now);
          if (mount.writable) this.#written.set(mount.key, { mount, directory });
          return directory;
        }
      }
      await sleep(retryMs, undefined, { signal: tools.signal });
    }
  }

  /** Hands over what caches hold; one that somebody else uses now is his to keep. */
  async save(tools: CacheTools): Promise<void> {
    const keeper = this.#keeper;
    if (keeper === undefined) return;
    for (const { mount, directory } of this.#written.values()) {
      const hold = new Hold(tools.helper);
      try {
        if (await hold.take(directory, "alone"))
          await keeper.save(mount, listDirectory(join(directory, content), cacheFolder, { helper: tools.helper, signal: tools.signal }));
      } catch (error) {
        tools.signal.throwIfAborted();
        keeper.warn(`Cannot keep what the cache "${mount.id}" holds: ${error instanceof Error ? error.message : error}`);
      } finally {
        await hold.close();
      }
    }
  }

  /** Gives what has no owner in a slot to somebody, where owners are recorded. */
  settleOwners(directory: string, user: Command["user"], helper: Helper): Promise<void> {
    return settleOwners(join(directory, content), user, { helper });
  }

  /** Where a mount's `source` lies in its slot. */
  async locate(directory: string, { id, source }: CacheMount, tools: CacheTools): Promise<RawPath> {
    if (source === "") return content;
    const root = join(directory, content);
    const { path, node } = resolvePath(tools.helper.isForeign ? await scannedView(root, tools) : diskView(root), source);
    if (node === undefined) throw new Error(`Cannot mount "/${toText(source)}" of the cache "${id}": it is not there`);
    return path === "" ? content : `${content}/${path}`;
  }

  #emptyOnce(id: string, all: string, tools: CacheTools): Promise<void> {
    const emptied = this.#emptied.get(id) ?? empty(all, tools);
    this.#emptied.set(id, emptied);
    return emptied;
  }

  /** Puts what an earlier build left into `fresh`; false, and nothing there, where it left nothing that can be had. */
  async #restore(mount: CacheMount, fresh: string, tools: CacheTools): Promise<boolean> {
    if (this.#keeper === undefined || this.#fresh.has(mount.id)) return false;
    const layer = await this.#keeper.restore(mount);
    if (layer === undefined) return false;
    try {
      await unpackLayer(layer, { root: fresh, form: "flat" }, tools);
      return existsSync(join(fresh, cacheFolder));
    } catch (error) {
      tools.signal.throwIfAborted();
      this.#keeper.warn(`Cannot bring back what the cache "${mount.id}" held: ${error instanceof Error ? error.message : error}`);
      for (const left of listDirectories(fresh)) await removeTree(left, tools.helper);
      return false;
    }
  }

  /** Others who share the slot may want to make it at the same time. */
  async #make(directory: string, mount: CacheMount, tools: CacheTools): Promise<void> {
    const { seed, owner } = mount;
    const making = new Hold(tools.helper);
    const fresh = join(directory, `new-${randomUUID()}`);
    try {
      while (!(await making.take(join(directory, ".."), "alone"))) await sleep(retryMs, undefined, { signal: tools.signal });
      if (existsSync(join(directory, content))) return;
      await mkdir(fresh);
      if (await this.#restore(mount, fresh, tools)) await move(join(fresh, cacheFolder), join(directory, content), tools.helper);
      else {
        await layOut(seed ?? emptyDirectory(owner), fresh, content, tools);
        await move(join(fresh, content), join(directory, content), tools.helper);
      }
    } finally {
      await removeTree(fresh, tools.helper);
      await making.close();
    }
  }
}

/** The folder of a kept cache's layer that its files are in: the root of a layer has no owner and mode. */
const cacheFolder = "cache";

function emptyDirectory({ mode, uid, gid }: CacheMount["owner"]): MountSource {
  const entry = { ...directoryAttributes(mode, uid, gid, Math.floor(Date.now() / 1000)), path: "" };
  return { key: "", items: async () => [{ entry }] };
}

/** Empties every slot of the caches in a folder, each when nobody uses it. */
async function empty(all: string, tools: CacheTools): Promise<void> {
  for (const slot of listDirectories(all).flatMap(listDirectories)) {
    const hold = new Hold(tools.helper);
    const gone = join(slot, `gone-${randomUUID()}`);
    try {
      while (!(await hold.take(slot, "alone"))) await sleep(retryMs, undefined, { signal: tools.signal });
      if (!existsSync(join(slot, content))) continue;
      await rename(join(slot, content), gone);
      await removeTree(gone, tools.helper);
    } finally {
      await hold.close();
    }
  }
}

function listDirectories(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => join(folder, name));
}

function hashOf(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

function typeOf(stats: ReturnType<typeof lstatSync>): EntryType {
  return stats?.isSymbolicLink() ? "symlink" : stats?.isDirectory() ? "directory" : "file";
}

/** The same where this process may not look everywhere. */
async function scannedView(root: string, tools: CacheTools): Promise<FileView> {
  const found = new Map<RawPath, ScannedEntry>();
  for await (const entry of scanDirectory(root, tools)) found.set(entry.path, entry);
  return {
    list: () => [],
    lstat(path) {
      const entry = found.get(path);
      if (entry === undefined) return undefined;
      const type = entry.type === "socket" ? "file" : entry.type;
      return { attributes: { ...entry, type }, inode: {} };
    },
  };
}

/** As much of a directory as it takes to resolve a path in it. */
function diskView(root: string): FileView {
  const raw = toRaw(root);
  return {
    list: () => [],
    lstat(path) {
      const file = toBytes(path === "" ? raw : `${raw}/${path}`);
      let stats: ReturnType<typeof lstatSync>;
      try {
        stats = lstatSync(file, { throwIfNoEntry: false });
      } catch {
        return undefined;
      }
      if (stats === undefined) return undefined;
      const type = typeOf(stats);
      const link = type === "symlink" ? readlinkSync(file, "latin1") : "";
      const { mode, uid, gid, size } = stats;
      const attributes = { type, mode: mode & 0o7777, uid, gid, mtime: 0, mtimeNs: 0, size, link, devMajor: 0, devMinor: 0 };
      return { attributes, inode: {} };
    },
  };
}
