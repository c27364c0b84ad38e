import {
  directoryAttributes,
  listDirectory,
  move,
  removeTree,
  resolvePath,
  scanDirectory,
  settleOwners,
  toBytes,
  toRaw,
  toText,
  unpackLayer,
  writeTree
} from "./shared-5.mjs";

// src/sandbox/hold.ts
var Hold = class {
  #helper;
  #process;
  #answers;
  #pending = Buffer.alloc(0);
  #last = Promise.resolve();
  constructor(helper) {
    this.#helper = helper;
  }
  /** Locks a directory until `close`, together with others or alone; false where there is none, or somebody else's lock. */
  take(directory, how = "shared") {
    const taken = this.#last.then(() => this.#ask(directory, how === "alone" ? 2 : 1));
    this.#last = taken.catch(() => {
    });
    return taken;
  }
  async #ask(directory, kind) {
    if (this.#process === void 0) {
      this.#process = this.#helper.start(["run", "hold"]);
      this.#answers = this.#process.stdout[Symbol.asyncIterator]();
    }
    const path = Buffer.from(`${directory}\0`);
    const head = Buffer.alloc(9);
    head.writeUInt32LE(4 + path.length, 0);
    head[4] = kind;
    head.writeUInt32LE(path.length - 1, 5);
    this.#process.stdin.write(Buffer.concat([head, path]));
    while (this.#pending.length === 0) {
      const next = await this.#answers?.next();
      if (next === void 0 || next.done) throw new Error(`Cannot lock "${directory}": ${(await this.#process.exited).stderr}`);
      this.#pending = next.value;
    }
    const answer = this.#pending[0];
    this.#pending = this.#pending.subarray(1);
    return answer === 1;
  }
  async close() {
    this.#process?.stdin.end();
    this.#process?.stdout.resume();
    await this.#process?.exited;
  }
};

// src/sandbox/lay-out.ts
async function layOut(source, directory, name, tools) {
  const place = (path) => path === "" ? name : `${name}/${path}`;
  const items = (await source.items()).map(({ entry, content: content2 }) => ({
    entry: { ...entry, path: place(entry.path), link: entry.type === "hardlink" ? place(entry.link) : entry.link },
    ...content2 === void 0 ? {} : { content: content2 }
  }));
  await writeTree(directory, items, tools);
}

// src/sandbox/caches.ts
var { createHash, randomUUID } = process.getBuiltinModule("node:crypto");
var { existsSync, lstatSync, readdirSync, readlinkSync } = process.getBuiltinModule("node:fs");
var { mkdir, rename, utimes } = process.getBuiltinModule("node:fs/promises");
var { join } = process.getBuiltinModule("node:path");
var { setTimeout: sleep } = process.getBuiltinModule("node:timers/promises");
var retryMs = 100;
var content = "fs";
var CacheStore = class {
  #folder;
  #fresh;
  #keeper;
  /** What commands could write to, by key. */
  #written = /* @__PURE__ */ new Map();
  /** By id. */
  #emptied = /* @__PURE__ */ new Map();
  /** Caches whose id is in `fresh` are emptied when they are first taken. */
  constructor(folder, fresh, keeper) {
    this.#folder = folder;
    this.#fresh = fresh;
    this.#keeper = keeper;
  }
  /**
   * Locks a cache, and makes it where there is none. A cache has numbered slots: who may not share takes the first free one, or with
   * `locked` waits for slot 0. With `alone` nobody else may use the slot at the same time, and `shared` waits like `locked`.
   */
  async take(mount, hold, alone, tools) {
    const all = join(this.#folder, hashOf(mount.id));
    const folder = join(all, hashOf(mount.key));
    if (this.#fresh.has(mount.id)) await this.#emptyOnce(mount.id, all, tools);
    const waits = mount.sharing === "locked" || alone && mount.sharing === "shared";
    for (; ; ) {
      for (let slot = 0; slot === 0 || !waits; slot += 1) {
        const directory = join(folder, String(slot));
        await mkdir(directory, { recursive: true, mode: 448 });
        if (await hold.take(directory, alone || mount.sharing !== "shared" ? "alone" : "shared")) {
          if (!existsSync(join(directory, content))) await this.#make(directory, mount, tools);
          const now = /* @__PURE__ */ new Date();
          await utimes(directory, now, now);
          if (mount.writable) this.#written.set(mount.key, { mount, directory });
          return directory;
        }
      }
      await sleep(retryMs, void 0, { signal: tools.signal });
    }
  }
  /** Hands over what caches hold; one that somebody else uses now is his to keep. */
  async save(tools) {
    const keeper = this.#keeper;
    if (keeper === void 0) return;
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
  settleOwners(directory, user, helper) {
    return settleOwners(join(directory, content), user, { helper });
  }
  /** Where a mount's `source` lies in its slot. */
  async locate(directory, { id, source }, tools) {
    if (source === "") return content;
    const root = join(directory, content);
    const { path, node } = resolvePath(tools.helper.isForeign ? await scannedView(root, tools) : diskView(root), source);
    if (node === void 0) throw new Error(`Cannot mount "/${toText(source)}" of the cache "${id}": it is not there`);
    return path === "" ? content : `${content}/${path}`;
  }
  #emptyOnce(id, all, tools) {
    const emptied = this.#emptied.get(id) ?? empty(all, tools);
    this.#emptied.set(id, emptied);
    return emptied;
  }
  /** Puts what an earlier build left into `fresh`; false, and nothing there, where it left nothing that can be had. */
  async #restore(mount, fresh, tools) {
    if (this.#keeper === void 0 || this.#fresh.has(mount.id)) return false;
    const layer = await this.#keeper.restore(mount);
    if (layer === void 0) return false;
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
  async #make(directory, mount, tools) {
    const { seed, owner } = mount;
    const making = new Hold(tools.helper);
    const fresh = join(directory, `new-${randomUUID()}`);
    try {
      while (!await making.take(join(directory, ".."), "alone")) await sleep(retryMs, void 0, { signal: tools.signal });
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
};
var cacheFolder = "cache";
function emptyDirectory({ mode, uid, gid }) {
  const entry = { ...directoryAttributes(mode, uid, gid, Math.floor(Date.now() / 1e3)), path: "" };
  return { key: "", items: async () => [{ entry }] };
}
async function empty(all, tools) {
  for (const slot of listDirectories(all).flatMap(listDirectories)) {
    const hold = new Hold(tools.helper);
    const gone = join(slot, `gone-${randomUUID()}`);
    try {
      while (!await hold.take(slot, "alone")) await sleep(retryMs, void 0, { signal: tools.signal });
      if (!existsSync(join(slot, content))) continue;
      await rename(join(slot, content), gone);
      await removeTree(gone, tools.helper);
    } finally {
      await hold.close();
    }
  }
}
function listDirectories(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory()).map(({ name }) => join(folder, name));
}
function hashOf(text) {
  return createHash("sha256").update(text).digest("hex");
}
function typeOf(stats) {
  return stats?.isSymbolicLink() ? "symlink" : stats?.isDirectory() ? "directory" : "file";
}
async function scannedView(root, tools) {
  const found = /* @__PURE__ */ new Map();
  for await (const entry of scanDirectory(root, tools)) found.set(entry.path, entry);
  return {
    list: () => [],
    lstat(path) {
      const entry = found.get(path);
      if (entry === void 0) return void 0;
      const type = entry.type === "socket" ? "file" : entry.type;
      return { attributes: { ...entry, type }, inode: {} };
    }
  };
}
function diskView(root) {
  const raw = toRaw(root);
  return {
    list: () => [],
    lstat(path) {
      const file = toBytes(path === "" ? raw : `${raw}/${path}`);
      let stats;
      try {
        stats = lstatSync(file, { throwIfNoEntry: false });
      } catch {
        return void 0;
      }
      if (stats === void 0) return void 0;
      const type = typeOf(stats);
      const link = type === "symlink" ? readlinkSync(file, "latin1") : "";
      const { mode, uid, gid, size } = stats;
      const attributes = { type, mode: mode & 4095, uid, gid, mtime: 0, mtimeNs: 0, size, link, devMajor: 0, devMinor: 0 };
      return { attributes, inode: {} };
    }
  };
}

export {
  Hold,
  layOut,
  content,
  CacheStore
};
