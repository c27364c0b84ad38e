import {
  CacheStore,
  Hold,
  layOut
} from "./shared-9.mjs";
import {
  failure,
  listenAt,
  messages,
  onMessages
} from "./shared-4.mjs";
import {
  ServerError,
  changesFromScan,
  changesFromUpper,
  copyHelper,
  emptyTree,
  indexLayer,
  order,
  own,
  recordOwners,
  removeTree,
  snapshot,
  startServer,
  toBytes,
  unpackLayer
} from "./shared-5.mjs";
import {
  hexOf
} from "./shared-7.mjs";

// src/sandbox/etc-files.ts
var { readFile, writeFile } = process.getBuiltinModule("node:fs/promises");
var { join } = process.getBuiltinModule("node:path");
var formatHosts = (hostname) => `127.0.0.1	localhost ${hostname}
::1	localhost ip6-localhost ip6-loopback
`;
async function writeEtcFiles(directory, hostname) {
  const hosts = join(directory, "hosts");
  const resolv = join(directory, "resolv.conf");
  const servers = await readFile("/etc/resolv.conf").catch(() => "");
  await writeFile(hosts, formatHosts(hostname), { mode: 420 });
  await writeFile(resolv, servers, { mode: 420 });
  return { "/etc/hosts": hosts, "/etc/resolv.conf": resolv };
}
async function writeAptFile(directory) {
  const file = join(directory, "apt.conf");
  await writeFile(file, 'APT::Sandbox::User "root";\n', { mode: 420 });
  return { "/etc/apt/apt.conf.d/zz-one-user": file };
}

// src/sandbox/agent-proxy.ts
var { connect } = process.getBuiltinModule("node:net");
var passedOn = /* @__PURE__ */ new Set([messages.listKeys, messages.sign]);
function openAgentProxy(directory, name, socket) {
  return listenAt(directory, name, {
    mode: 384,
    onClient(client) {
      const upstream = connect(socket);
      onMessages(client, (message) => {
        if (passedOn.has(message[4] ?? 0)) upstream.write(message);
        else client.write(failure);
      });
      upstream.pipe(client);
      client.on("end", () => upstream.end());
      client.on("error", () => upstream.destroy());
      client.on("close", () => upstream.destroy());
      upstream.on("error", () => client.destroy());
    }
  });
}

// src/sandbox/prepare-mounts.ts
var { randomUUID } = process.getBuiltinModule("node:crypto");
var { mkdir } = process.getBuiltinModule("node:fs/promises");
var { join: join2 } = process.getBuiltinModule("node:path");
var MountShop = class {
  #work;
  #caches;
  #helper;
  #moves;
  #hasOwners;
  /** Files that several commands see, by their key. */
  #shared = /* @__PURE__ */ new Map();
  /**
   * With `moves` a mount's source is not shown but moved into the root and back: one command at a time may have it. Without `hasOwners` all
   * is this user's, in whose place the command's is.
   */
  constructor({ stateDir, freshCaches, keeper, helper, deputy }, { moves, hasOwners = true }) {
    this.#work = join2(deputy.workDir ?? join2(stateDir, "work"), randomUUID());
    this.#caches = new CacheStore(join2(stateDir, `caches${deputy.ids}`), freshCaches, keeper);
    this.#helper = helper;
    this.#moves = moves;
    this.#hasOwners = hasOwners;
  }
  /** `home` is an existing directory of the command's own, on the same file system as its root. */
  async prepare({ mounts, user }, home, signal) {
    const hold = new Hold(this.#helper);
    const agents = [];
    const copies = [];
    const settled = [];
    const settle = (directory, owner) => this.#caches.settleOwners(directory, owner, this.#helper);
    const release = async () => {
      await Promise.all(settled.map((directory) => settle(directory, user)));
      await hold.close();
      await Promise.all(agents.map((agent) => agent.close()));
      await Promise.all(copies.map((copy) => removeTree(copy, this.#helper)));
    };
    try {
      const slots = await this.#takeCaches(mounts, hold, signal);
      if (!this.#hasOwners && user.uid !== 0) {
        for (const directory of slots.values()) await settle(directory, { uid: 0, gid: 0, groups: [] });
        settled.push(...slots.values());
      }
      const ready = [];
      for (const [i, mount] of mounts.entries()) {
        if (mount.kind === "bind") ready.push(await this.#readyBind(mount, { copy: join2(home, `mount-${i}`), copies }, signal));
        else if (mount.kind === "cache") ready.push(await this.#readyCache(mount, slots.get(mount.key) ?? "", signal));
        else if (mount.kind === "agent")
          ready.push(await this.#readyAgent(this.#hasOwners ? mount : { ...mount, uid: -1, gid: -1 }, home, `agent-${i}`, agents));
        else ready.push(mount);
      }
      return { mounts: ready, release };
    } catch (error) {
      await release();
      throw error;
    }
  }
  saveCaches(signal) {
    return this.#caches.save({ helper: this.#helper, signal });
  }
  async close() {
    await Promise.allSettled(this.#shared.values());
    await removeTree(this.#work, this.#helper);
  }
  /** In one order for all commands, so that no two wait for each other. */
  async #takeCaches(mounts, hold, signal) {
    const caches = mounts.filter((mount) => mount.kind === "cache").sort((a, b) => a.key < b.key ? -1 : 1);
    const slots = /* @__PURE__ */ new Map();
    for (const cache of caches) {
      const isTaken = slots.has(cache.key);
      if (isTaken && this.#moves)
        throw new Error(`Cannot mount the cache "${cache.id}" at two places: where nothing can be mounted, it is moved to one`);
      const tools = { helper: this.#helper, signal };
      if (!isTaken) slots.set(cache.key, await this.#caches.take(cache, hold, this.#moves, tools));
    }
    return slots;
  }
  async #readyCache(mount, directory, signal) {
    const { target, writable } = mount;
    const below = await this.#caches.locate(directory, mount, { helper: this.#helper, signal });
    return { kind: "bind", target, directory, below, writable };
  }
  async #readyBind({ target, source, writable }, { copy, copies }, signal) {
    if (!writable && !this.#moves) return { kind: "bind", target, directory: await this.#share(source, signal), below: "tree", writable };
    copies.push(copy);
    return { kind: "bind", target, directory: await this.#layOut(source, copy, signal), below: "tree", writable };
  }
  #share(source, signal) {
    const known = this.#shared.get(source.key);
    if (known !== void 0) return known;
    const made = this.#layOut(source, join2(this.#work, String(this.#shared.size)), signal);
    made.catch(() => {
    });
    this.#shared.set(source.key, made);
    return made;
  }
  async #layOut(source, directory, signal) {
    await mkdir(this.#work, { recursive: true, mode: 448 });
    await mkdir(directory);
    await layOut(source, directory, "tree", { helper: this.#helper, signal });
    return directory;
  }
  async #readyAgent(mount, home, name, agents) {
    agents.push(await openAgentProxy(home, name, mount.socket));
    await own(join2(home, name), mount, this.#helper);
    return { kind: "bind", target: mount.target, directory: home, below: name, writable: false };
  }
};

// src/sandbox/start-command.ts
var { constants } = process.getBuiltinModule("node:os");
var SandboxError = class extends Error {
  name = "SandboxError";
};
var kinds = {
  namespaces: 1,
  chroot: 2,
  lower: 3,
  argument: 4,
  variable: 5,
  place: 6,
  user: 7,
  file: 8,
  go: 9,
  bind: 10,
  tmpfs: 11,
  content: 12,
  userNamespace: 13,
  inPlace: 14,
  kept: 15
};
var idMaps = { all: 0, one: 1, recorded: 2 };
var answers = { ended: 1, refused: 2, noDevice: 3, written: 5 };
var refusals = { notFound: 1, interpreter: 2, execute: 3, directory: 4 };
var killAfterMs = 3e3;
async function startCommand(command, place, options) {
  const { helper, signal } = options;
  signal.throwIfAborted();
  const child = helper.start(["run"], { extraFds: ["pipe", "pipe"] });
  let last;
  const stop = () => {
    child.stdin.end();
    last = setTimeout(() => child.kill(), killAfterMs);
  };
  signal.addEventListener("abort", stop, { once: true });
  try {
    const [output, errors] = child.fds;
    output.on("data", command.stdout);
    errors.on("data", command.stderr);
    write(child.stdin, command, place, options);
    const [ending, exit] = await Promise.all([readAnswers(child.stdout, command, options), child.exited]);
    signal.throwIfAborted();
    if (ending !== void 0) return ending;
    throw new SandboxError(exit.stderr || `Cannot run: the helper ended with ${exit.signal ?? exit.code}`);
  } finally {
    clearTimeout(last);
    signal.removeEventListener("abort", stop);
    child.stdin.end();
  }
}
function write(stdin, command, place, { files, filesInPlace = {}, mounts = [] }) {
  const send = (kind, ...fields) => {
    const size = fields.reduce((sum, field) => sum + field.length, 0);
    const head = Buffer.alloc(5);
    head.writeUInt32LE(size);
    head[4] = kind;
    stdin.write(Buffer.concat([head, ...fields]));
  };
  stdin.cork();
  if (place.kind === "in-place") {
    send(kinds.inPlace, text(place.root), text(place.scratch));
    for (const path of place.keeps) send(kinds.kept, text(path));
  } else if (place.kind === "chroot") send(kinds.chroot, text(place.root), text(place.scratch), flag(place.supervised));
  else {
    send(kinds.namespaces, text(place.upper), text(place.work), text(place.stage));
    if (place.user !== void 0) send(kinds.userNamespace, flag(place.user.processes === "shared"), Buffer.from([idMaps[place.user.ids]]));
    for (const lower of place.lowers) send(kinds.lower, text(lower));
  }
  for (const argument of command.args) send(kinds.argument, text(argument));
  for (const variable of command.env) send(kinds.variable, text(variable));
  send(kinds.place, text(command.cwd), text(command.hostname), Buffer.from([command.network === "none" ? 1 : 0]));
  const { uid, gid, groups } = command.user;
  send(kinds.user, numbers(uid, gid, groups.length, ...groups));
  for (const [path, source] of Object.entries(files)) send(kinds.file, text(path), text(source), flag(false));
  for (const [path, source] of Object.entries(filesInPlace)) send(kinds.file, text(path), text(source), flag(true));
  for (const mount of mounts) send(kinds[mount.kind], text(mount.target), ...fieldsOf(mount));
  send(kinds.go);
  stdin.uncork();
}
function fieldsOf(mount) {
  if (mount.kind === "bind") return [text(mount.directory), bytesField(toBytes(mount.below)), flag(mount.writable)];
  if (mount.kind === "content") return [numbers(mount.mode, mount.uid, mount.gid), flag(mount.executable), bytesField(mount.bytes)];
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(mount.size));
  return [size, flag(mount.writable)];
}
function flag(value) {
  return Buffer.from([value ? 1 : 0]);
}
function text(value) {
  if (value.includes("\0")) throw new SandboxError(`Cannot run ${JSON.stringify(value)}: it holds a NUL`);
  return bytesField(Buffer.from(value));
}
function bytesField(bytes) {
  return Buffer.concat([numbers(bytes.length), bytes, Buffer.from([0])]);
}
function numbers(...values) {
  const bytes = Buffer.alloc(4 * values.length);
  for (const [i, value] of values.entries()) bytes.writeUInt32LE(value, 4 * i);
  return bytes;
}
async function readAnswers(stdout, command, options) {
  let ending;
  let rest = Buffer.alloc(0);
  for await (const chunk of stdout) {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= 5 && rest.length >= 5 + rest.readUInt32LE(0)) {
      const size = rest.readUInt32LE(0);
      const body = rest.subarray(5, 5 + size);
      switch (rest[4]) {
        case answers.noDevice:
          options.onMissingDevices?.(body.readUInt32LE(0));
          break;
        case answers.written:
          options.onWritten?.(body.toString("utf8", 4, body.length - 1));
          break;
        case answers.ended:
          ending = readStatus(body.readUInt32LE(0));
          break;
        case answers.refused:
          ending = explainRefusal(command, body.readUInt8(0), body.readUInt32LE(1));
          break;
        default:
          throw new SandboxError(`Cannot understand the helper: message ${rest[4]} is unknown`);
      }
      rest = rest.subarray(5 + size);
    }
  }
  return ending;
}
function readStatus(status) {
  const number = status & 127;
  if (number === 0) return { exitCode: status >> 8 & 255 };
  const name = Object.entries(constants.signals).find(([, value]) => value === number)?.[0] ?? `signal ${number}`;
  return { exitCode: 128 + number, signal: name };
}
function explainRefusal({ args, cwd, stderr }, refusal, errno) {
  const program = args[0] ?? "";
  const quoted = JSON.stringify(program);
  const reason = Object.entries(constants.errno).find(([, value]) => value === errno)?.[0] ?? `error ${errno}`;
  const [exitCode, why] = (() => {
    switch (refusal) {
      case refusals.directory:
        return [127, `cannot enter the working directory ${JSON.stringify(cwd)}: ${reason}`];
      case refusals.interpreter:
        return [127, `exec: ${quoted}: the interpreter that it names, or the loader that it was linked for, is not in the image`];
      case refusals.execute:
        return [
          126,
          `exec: ${quoted}: ${reason === "ENOEXEC" ? "not a program for this machine (ENOEXEC)" : `cannot be executed (${reason})`}`
        ];
      default:
        return [
          127,
          program.includes("/") ? `exec: ${quoted}: no such file in the image` : `exec: ${quoted}: executable file not found in $PATH`
        ];
    }
  })();
  const hint = refusal === refusals.notFound && program === "/bin/sh" ? '; RUN in shell form needs a shell: use the exec form, RUN ["program"], or SHELL' : "";
  stderr(Buffer.from(`${why}${hint}
`));
  return { exitCode };
}

// src/sandbox/flat-root.ts
var { randomUUID: randomUUID2 } = process.getBuiltinModule("node:crypto");
var { chmod, chown, mkdir: mkdir2 } = process.getBuiltinModule("node:fs/promises");
var { join: join3 } = process.getBuiltinModule("node:path");
function openFlat(tools, way) {
  const mounts = new MountShop(tools, { moves: true });
  const roots = /* @__PURE__ */ new Set();
  return {
    name: way.name,
    why: way.why,
    stacksLayers: false,
    async openRoot() {
      const root = new FlatRoot(join3(tools.stateDir, "work", randomUUID2()), { ...tools, mounts, way });
      roots.add(root);
      return root;
    },
    saveCaches: (signal) => mounts.saveCaches(signal),
    async close() {
      await Promise.all([...roots].map((root) => root.close()));
      await way.close?.();
      await mounts.close();
    }
  };
}
var FlatRoot = class {
  #work;
  #directory;
  #tools;
  #stop = new AbortController();
  /** What is in the directory once everything that was asked for is done: one thing after the other happens there. */
  #merged = Promise.resolve({ tree: emptyTree, layers: [] });
  #running = Promise.resolve();
  #runs = 0;
  constructor(work, tools) {
    this.#work = work;
    this.#directory = join3(work, "root");
    this.#tools = tools;
  }
  async add(layer, known) {
    const unpacked = this.#merged.then(async (lower) => {
      const top = await layer;
      await this.#makeDirectory();
      const { helper, files, indexes } = this.#tools;
      const target = { root: this.#directory, form: "flat", lower: { ...lower, files }, tree: known };
      const tree = await unpackLayer(top, target, { helper, signal: this.#stop.signal, indexes });
      return { tree, layers: [...lower.layers, top] };
    });
    this.#then(unpacked);
    return (await unpacked).tree;
  }
  async run(command, lower, signal) {
    this.#tools.way.expect?.(command);
    const { layers } = await this.#merged;
    let release = (_) => {
    };
    const written = new Promise((resolve) => {
      release = resolve;
    });
    const running = this.#run(command, lower, AbortSignal.any([signal, this.#stop.signal]));
    this.#then(running.then(async (result2) => result2.exitCode === 0 ? written : { tree: await lower, layers }));
    const result = await running;
    return { ...result, publish: async (layer, tree) => release({ tree, layers: [...layers, layer] }) };
  }
  async close() {
    this.#stop.abort(new Error("Cannot run: the sandbox is closed"));
    await this.#running;
    await removeTree(this.#work);
  }
  /** Nobody else on the machine may reach the setuid programs of an image. */
  async #makeDirectory() {
    await mkdir2(this.#work, { recursive: true, mode: 448 });
    await mkdir2(this.#directory, { recursive: true });
  }
  #then(merged) {
    merged.catch(() => {
    });
    this.#merged = merged;
  }
  async #run(command, lower, signal) {
    const { helper } = this.#tools;
    this.#runs += 1;
    const home = join3(this.#work, String(this.#runs));
    const scratch = join3(home, "scratch");
    await this.#makeDirectory();
    await mkdir2(scratch, { recursive: true });
    await chown(this.#directory, 0, 0);
    await chmod(this.#directory, 493);
    const before = await snapshot(this.#directory, { helper, signal });
    const running = this.#start(command, home, scratch, signal);
    this.#running = running.catch(() => {
    });
    const ending = await running;
    await removeTree(home);
    const hint = ending.exitCode === 0 ? void 0 : this.#tools.way.explain?.(command);
    if (ending.exitCode !== 0) return { ...ending, ...hint && { hint }, changes: [] };
    const { way, ignores: exclude = () => false } = this.#tools;
    const { isMoved = false } = way;
    const changes = await changesFromScan(this.#directory, before, await lower, { helper, signal }, { exclude, isMoved });
    return { ...ending, changes };
  }
  async #start(command, home, scratch, signal) {
    const { helper, way } = this.#tools;
    const files = await writeEtcFiles(home, command.hostname);
    const { mounts, release } = await this.#tools.mounts.prepare(command, home, signal);
    try {
      return await startCommand(command, way.place(this.#directory, scratch), { ...way.listeners, helper, files, mounts, signal });
    } finally {
      await release();
    }
  }
};

// src/sandbox/chroot.ts
function openChroot(name, tools, why) {
  const supervised = name === "chroot";
  return openFlat(tools, {
    ...{ name, why },
    place: (root, scratch) => ({ kind: "chroot", root, scratch, supervised }),
    expect({ network }) {
      if (network === "none" && !supervised)
        throw new Error('Cannot run without network: the sandbox "chroot-bare" has the network of the machine');
    },
    ...supervised ? { explain: explainPrivileges } : {}
  });
}
function explainPrivileges({ args, user }) {
  const [program] = /\b(sudo|su|doas|ping|newuidmap)\b/.exec(args.join(" ")) ?? [];
  if (program === void 0 || user.uid === 0) return void 0;
  return `setuid programs and file capabilities, which ${program} needs, have no effect in the sandbox "chroot"; do it as root, with USER, or give the job CAP_SYS_ADMIN`;
}

// src/sandbox/in-place.ts
var { existsSync, statSync } = process.getBuiltinModule("node:fs");
var { join: join4 } = process.getBuiltinModule("node:path");
var mark = "/kaniko/executor-image";
var own2 = "/kaniko/in-place";
function openInPlace(tools, why) {
  const { helper, report } = tools;
  const onWritten = (path) => report.emit({ kind: "warning", text: `RUN changed "${path}", which is this container's own; that is no part of the image` });
  return openFlat(
    { ...tools, stateDir: homeInPlace(tools.stateDir) },
    {
      ...{ name: "inplace", why },
      place: (root, scratch) => placeInPlace(root, scratch, [tools.stateDir, ...tools.keeps ?? []]),
      isMoved: true,
      listeners: { onWritten },
      close: () => recoverInPlace(helper)
    }
  );
}
function placeInPlace(root, scratch, keeps) {
  return { kind: "in-place", root, scratch, keeps };
}
var isExecutorImage = () => existsSync(mark);
function homeInPlace(stateDir) {
  if (!isExecutorImage()) throw new SandboxError("Cannot run in place: this is not the executor image");
  return statSync(stateDir).dev === statSync("/").dev ? stateDir : own2;
}
async function recoverInPlace(helper) {
  if (existsSync(join4(own2, "journal"))) await order(helper, ["run", "recover"], "put the container's files back");
  if (existsSync(join4(own2, "rubbish"))) await removeTree(join4(own2, "rubbish"));
}

// src/sandbox/layer-store.ts
var { createHash, randomUUID: randomUUID3 } = process.getBuiltinModule("node:crypto");
var { mkdir: mkdir3, rename } = process.getBuiltinModule("node:fs/promises");
var { join: join5 } = process.getBuiltinModule("node:path");
var parallelUnpacks = 4;
var LayerStore = class {
  #folder;
  #helper;
  #workDir;
  #files;
  #indexes;
  #marks;
  #suffix;
  #hold;
  #stop = new AbortController();
  /** By chain, so that stages with the same base unpack it once. */
  #known = /* @__PURE__ */ new Map();
  #waiting = [];
  #free = parallelUnpacks;
  constructor(folder, tools) {
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
  add(layer, below, tree) {
    const chainId = chainOf(layer, below);
    const unpacked = chainId.then((chain) => {
      const made = this.#known.get(chain) ?? layer.then((top) => this.#unpack(top, chain, below, tree));
      this.#known.set(chain, made);
      return made;
    });
    const merged = unpacked.then(({ tree: tree2 }) => tree2);
    const directory = unpacked.then(({ directory: directory2 }) => directory2);
    for (const promise of [chainId, merged, directory]) promise.catch(() => {
    });
    return { below, layer, chainId, tree: merged, directory };
  }
  /** Lets the changes of a command serve as the layer that was written from them. `made` holds `fs`, the directory itself. */
  async publish(made, layer, below, tree) {
    const chainId = chainOf(Promise.resolve(layer), below);
    const chain = await chainId;
    await mkdir3(this.#folder, { recursive: true, mode: 448 });
    const home = this.#homeOf(chain);
    const directory = join5(home, "fs");
    if (!await moveDirectory(made, home)) await removeTree(made, this.#helper);
    if (!await this.#hold.take(home)) throw new Error(`Cannot keep layer "${layer.diffId}": "${home}" is gone`);
    this.#known.set(chain, Promise.resolve({ directory, tree }));
    this.#files.register(layer.diffId, directory);
    return { below, layer: Promise.resolve(layer), chainId, tree: Promise.resolve(tree), directory: Promise.resolve(directory) };
  }
  async close() {
    this.#stop.abort(new Error("Cannot unpack layers: the sandbox is closed"));
    await Promise.allSettled(this.#known.values());
    await this.#hold.close();
  }
  async #unpack(layer, chain, below, known) {
    await this.#enter();
    try {
      const home = this.#homeOf(chain);
      const directory = join5(home, "fs");
      const isThere = await this.#hold.take(home);
      const tree = isThere ? known ?? await this.#read(layer, below) : await this.#unpackInto(home, layer, below, known);
      this.#files.register(layer.diffId, directory);
      return { directory, tree };
    } finally {
      this.#leave();
    }
  }
  /** Overlayfs cannot read in one form what it has written in the other, and who has other ids sees other owners. */
  #homeOf(chain) {
    return join5(this.#folder, `${hexOf(chain)}${this.#suffix}`);
  }
  async #read(layer, below) {
    const index = await indexLayer(layer, { signal: this.#stop.signal, helper: this.#helper });
    return (await below?.tree ?? emptyTree).with(index);
  }
  async #unpackInto(home, layer, below, known) {
    const fresh = join5(this.#workDir, `layer-${randomUUID3()}`);
    for (const folder of [this.#folder, this.#workDir]) await mkdir3(folder, { recursive: true, mode: 448 });
    await mkdir3(join5(fresh, "fs"), { recursive: true });
    try {
      const lower = below && this.#lowerOf(below);
      lower?.catch(() => {
      });
      const tools = { helper: this.#helper, signal: this.#stop.signal, indexes: this.#indexes };
      const tree = await unpackLayer(layer, { root: join5(fresh, "fs"), form: "overlay", marks: this.#marks, lower, tree: known }, tools);
      await moveDirectory(fresh, home);
      await this.#hold.take(home);
      return tree;
    } finally {
      await removeTree(fresh, this.#helper);
    }
  }
  async #lowerOf(top) {
    const layers = [];
    for (let level = top; level !== void 0; level = level.below) layers.unshift(await level.layer);
    return { tree: await top.tree, layers, files: this.#files };
  }
  async #enter() {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise((resolve) => this.#waiting.push(resolve));
    this.#stop.signal.throwIfAborted();
  }
  #leave() {
    const next = this.#waiting.shift();
    if (next === void 0) this.#free += 1;
    else next();
  }
};
async function chainOf(layer, below) {
  const { diffId } = await layer;
  if (below === void 0) return diffId;
  return `sha256:${createHash("sha256").update(`${await below.chainId} ${diffId}`).digest("hex")}`;
}
async function moveDirectory(from, to) {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    const { code } = error;
    if (code === "ENOTEMPTY" || code === "EEXIST") return false;
    throw error;
  }
}

// src/sandbox/ns.ts
var { randomUUID: randomUUID4 } = process.getBuiltinModule("node:crypto");
var { chmod: chmod2, mkdir: mkdir4 } = process.getBuiltinModule("node:fs/promises");
var { join: join6 } = process.getBuiltinModule("node:path");
var maxLayers = 500;
function openNs(name, given, why, user) {
  const { stateDir, deputy } = given;
  const recordsOwners = hasOneId(user);
  const helper = recordsOwners ? recordOwners(given.helper) : given.helper;
  const tools = { ...given, helper };
  const layers = new LayerStore(join6(stateDir, "layers"), { ...tools, marks: marksOf(user), recordsOwners });
  const mounts = new MountShop(tools, { moves: false, hasOwners: !recordsOwners });
  const roots = /* @__PURE__ */ new Set();
  let closed;
  const close = async () => {
    await Promise.all([...roots].map((root) => root.close()));
    await Promise.all([layers.close(), mounts.close()]);
    await deputy.close();
  };
  return {
    name,
    why,
    stacksLayers: true,
    async openRoot() {
      const root = new NsRoot(join6(deputy.workDir ?? join6(stateDir, "work"), randomUUID4()), { ...tools, layers, mounts, user });
      roots.add(root);
      return root;
    },
    saveCaches: (signal) => mounts.saveCaches(signal),
    close() {
      closed ??= close();
      return closed;
    }
  };
}
function hasOneId(user) {
  return user !== void 0 && user.ids !== "all";
}
function marksOf(user) {
  return user === void 0 ? "trusted" : "user";
}
var NsRoot = class {
  #work;
  #store;
  #mounts;
  #helper;
  #files;
  #ignores;
  #user;
  #stop = new AbortController();
  /** From the top to the bottom: layers, and changes that are no layer yet. */
  #stack = [];
  /** Directories are moved when no command has them mounted. */
  #turn = Promise.resolve();
  #runs = 0;
  constructor(work, tools) {
    this.#work = work;
    this.#store = tools.layers;
    this.#mounts = tools.mounts;
    this.#helper = tools.helper;
    this.#files = tools.files;
    this.#ignores = tools.ignores;
    this.#user = tools.user;
  }
  async add(layer, tree, lower) {
    if (this.#stack.length === maxLayers) throw new Error(`Cannot stack more than ${maxLayers} layers: overlayfs takes no more`);
    const top = this.#stack[0];
    if (top === void 0 || isLevel(top)) {
      const level = this.#store.add(layer, top, tree);
      this.#stack.unshift(level);
      return level.tree;
    }
    if (tree === void 0 || lower === void 0) throw new Error("Cannot add a layer: what lies below it is not known");
    this.#runs += 1;
    const made = join6(this.#work, String(this.#runs), "layer");
    const directory = this.#unpack(layer, made, lower, tree);
    this.#stack.unshift({ made, directory, written: { layer, tree } });
    await directory;
    return tree;
  }
  /** The layer by itself; it has no name that others could find it by. */
  async #unpack(layer, made, lower, tree) {
    const directory = join6(made, "fs");
    await mkdir4(this.#work, { recursive: true, mode: 448 });
    await mkdir4(directory, { recursive: true });
    const marks = marksOf(this.#user);
    const target = { root: directory, form: "overlay", marks, lower: { tree: lower, layers: [], files: this.#files }, tree };
    await unpackLayer(await layer, target, { helper: this.#helper, signal: this.#stop.signal });
    return directory;
  }
  async run(command, lower, signal) {
    const stopped = AbortSignal.any([signal, this.#stop.signal]);
    this.#runs += 1;
    const home = join6(this.#work, String(this.#runs));
    const made = join6(home, "layer");
    const upper = join6(made, "fs");
    const ending = await this.#inTurn(() => this.#start(command, home, upper, stopped));
    if (ending.exitCode !== 0) {
      await removeTree(home, this.#helper);
      return { ...ending, changes: [], publish: async () => {
      } };
    }
    const tools = { helper: this.#helper, signal: stopped };
    const changes = await changesFromUpper(upper, await lower, tools, { exclude: this.#ignores ?? (() => false) });
    const top = { made, directory: Promise.resolve(upper) };
    this.#stack.unshift(top);
    return { ...ending, changes, publish: (layer, tree) => this.#inTurn(() => this.#publish(top, layer, tree)) };
  }
  async close() {
    this.#stop.abort(new Error("Cannot run: the sandbox is closed"));
    await this.#turn;
    await removeTree(this.#work, this.#helper);
  }
  #inTurn(work) {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => {
    });
    return done;
  }
  async #start(command, home, upper, signal) {
    const lowers = await Promise.all(this.#stack.map(({ directory }) => directory));
    signal.throwIfAborted();
    const [work, stage] = [join6(home, "work"), join6(home, "stage")];
    await mkdir4(this.#work, { recursive: true, mode: 448 });
    await mkdir4(upper, { recursive: true });
    await Promise.all([mkdir4(work), mkdir4(stage)]);
    await chmod2(upper, 493);
    const place = { kind: "namespaces", lowers, upper, work, stage, ...this.#user && { user: this.#user } };
    const files = await writeEtcFiles(home, command.hostname);
    const filesInPlace = hasOneId(this.#user) ? await writeAptFile(home) : {};
    const { mounts, release } = await this.#mounts.prepare(command, home, signal);
    try {
      return await startCommand(command, place, { helper: this.#helper, files, filesInPlace, mounts, signal });
    } finally {
      await release();
    }
  }
  async #publish(top, layer, tree) {
    const at = this.#stack.indexOf(top);
    const below = this.#stack[at + 1];
    if (at < 0 || below !== void 0 && !isLevel(below)) throw new Error("Cannot keep a layer: the one below it is not written yet");
    const level = await this.#keep(top, layer, below, tree);
    const now = this.#stack.indexOf(top);
    this.#stack[now] = level;
    const above = this.#stack[now - 1];
    if (above === void 0 || isLevel(above) || above.written === void 0) return;
    const isThere = await above.directory.then(
      () => true,
      () => false
      // Which is the error of whoever needs it.
    );
    if (isThere) await this.#publish(above, await above.written.layer, above.written.tree);
  }
  /** Where something was left out, what the command has left is more than the layer. */
  async #keep(top, layer, below, tree) {
    if (this.#ignores === void 0) return this.#store.publish(top.made, layer, below, tree);
    const level = this.#store.add(Promise.resolve(layer), below, tree);
    await level.directory;
    await removeTree(top.made, this.#helper);
    return level;
  }
};
function isLevel(entry) {
  return "chainId" in entry;
}

// src/sandbox/rungs.ts
var { join: join7 } = process.getBuiltinModule("node:path");
var rungs = [
  { name: "ns", right: "root", forms: [inNamespaces("ns", "namespaces and overlayfs", void 0)] },
  {
    name: "userns",
    right: "ids",
    forms: [
      inNamespaces("userns", "a user namespace and overlayfs", { processes: "own", ids: "all" }),
      inNamespaces("userns", "a user namespace and overlayfs", { processes: "shared", ids: "all" })
    ]
  },
  { name: "chroot", right: "own", needsRoot: true, forms: [inChroot("chroot", "/proc and /sys from a supervisor, no_new_privs")] },
  { name: "inplace", right: "own", needsRoot: true, isOffered: isExecutorImage, forms: [inPlace()] },
  {
    name: "userns-single",
    right: "own",
    forms: [
      withOneId({ processes: "own", ids: "recorded" }),
      withOneId({ processes: "shared", ids: "recorded" }),
      withOneId({ processes: "own", ids: "one" }),
      withOneId({ processes: "shared", ids: "one" })
    ]
  },
  { name: "chroot-bare", right: "own", needsRoot: true, forms: [inChroot("chroot-bare", "no /proc and /sys")] }
];
function describeTrial(form, { description }, stateDir) {
  const place = form.describe(stateDir);
  return description === "" ? place : `${place}, ${description}`;
}
function needsOf(user) {
  return [...user?.processes === "own" ? ["proc"] : [], ...user?.ids === "recorded" ? ["listener"] : []];
}
function withOneId(user) {
  const lack = user.ids === "one" ? ", but not those that a command gives them" : "";
  return inNamespaces("userns-single", `a user namespace with one id, owners of files by record${lack}, and overlayfs`, user);
}
function inNamespaces(name, what, user) {
  return {
    needs: ["overlay", ...needsOf(user)],
    directories: ["upper", "work", "stage"],
    place: (home) => ({
      kind: "namespaces",
      lowers: [],
      ...{ upper: join7(home, "upper"), work: join7(home, "work"), stage: join7(home, "stage") },
      ...user && { user }
    }),
    describe: (stateDir) => `${what} below "${stateDir}"${user?.processes === "shared" ? ", with the processes of this container in sight" : ""}`,
    open: (tools, why) => openNs(name, tools, why, user)
  };
}
function inChroot(name, what) {
  return {
    needs: [],
    directories: ["root", "scratch"],
    place: (home) => ({ kind: "chroot", root: join7(home, "root"), scratch: join7(home, "scratch"), supervised: name === "chroot" }),
    describe: () => `no isolation from this job, ${what}, changes found by scanning`,
    open: (tools, why) => openChroot(name, tools, why)
  };
}
function inPlace() {
  return {
    needs: [],
    directories: ["root", "scratch"],
    homeIn: homeInPlace,
    place: (home, stateDir) => placeInPlace(join7(home, "root"), join7(home, "scratch"), [stateDir]),
    describe: () => "no isolation from this job, in the root of this container, changes found by scanning",
    open: openInPlace
  };
}

// src/sandbox/explain-refusal.ts
var itself = (message) => message;
var rows = [
  {
    when: /sudo -n fails: .*password/,
    reason: itself,
    change: "let this user run sudo without a password, run the job as root, or see userns"
  },
  {
    when: /sudo -n fails: .*(?:tty|terminal)/,
    reason: itself,
    change: "take requiretty from the sudoers file for this user (Defaults:NAME !requiretty)"
  },
  {
    when: /sudo -n fails: .*(?:no new privileges|nosuid)/,
    reason: itself,
    change: "it needs a job without no_new_privs (in Kubernetes allowPrivilegeEscalation) on a file system that is not mounted nosuid"
  },
  {
    when: /sudo -n fails: .*slipway-helper: (?:Permission denied|command not found)/,
    reason: itself,
    change: "the state directory must be where programs may be executed (noexec); pass another as --state-dir"
  },
  {
    when: /sudo -n fails: /,
    reason: itself,
    change: "let this user run sudo without a password, or run the job as root"
  },
  {
    when: /it needs root/,
    reason: itself,
    change: "run the job as root, or with sudo that asks for no password"
  },
  {
    when: /Cannot map ids: /,
    reason: itself,
    change: "as root, usermod --add-subuids 100000-165535 --add-subgids 100000-165535 NAME, or a line NAME:100000:65536 in both /etc/subuid and /etc/subgid"
  },
  {
    when: /Cannot run new.idmap: No such file/,
    reason: (message) => `${/new.idmap/.exec(message)?.[0]} is not installed`,
    change: "install the package uidmap, on Fedora shadow-utils"
  },
  {
    when: /Cannot map subordinate ids/,
    reason: (message) => message.split("\n")[0] ?? message,
    change: "newuidmap and newgidmap must be setuid root, without no_new_privs; in a container that is not enough, but setcap cap_setuid+ep newuidmap and cap_setgid+ep newgidmap are"
  },
  {
    when: /overlayfs/,
    reason: (_, stateDir) => `the state directory "${stateDir}" is on an overlayfs, which cannot hold another`,
    change: "mount a volume (in Kubernetes an emptyDir) and pass it as --state-dir",
    lack: "overlay"
  },
  { when: /Cannot mount a \/proc of its own/, reason: itself, change: "", lack: "proc" },
  {
    when: /record owners of files/,
    reason: itself,
    change: "it needs a state directory whose file system has extended attributes for users, a tmpfs Linux 6.6"
  },
  {
    when: /user namespaces: Operation not permitted/,
    reason: () => "making user namespaces is forbidden here (EPERM)",
    change: "it needs a seccomp profile that lets it, in Kubernetes seccompProfile Unconfined"
  },
  {
    when: /user namespaces: No space left/,
    reason: () => "this machine has no user namespaces to give (ENOSPC)",
    change: "raise the sysctl user.max_user_namespaces"
  },
  {
    when: /user namespaces: /,
    reason: itself,
    change: "it needs a kernel that has user namespaces"
  },
  {
    when: /Cannot map the ids/,
    reason: itself,
    change: "it needs CAP_SETUID, CAP_SETGID and CAP_SETFCAP"
  },
  {
    when: /namespaces: Operation not permitted/,
    reason: () => "making namespaces is forbidden here (EPERM)",
    change: "it needs CAP_SYS_ADMIN and a seccomp profile that lets it"
  },
  {
    when: /listen to system calls: Device or resource busy/,
    reason: () => "somebody else supervises the system calls of this container already (EBUSY), and the kernel takes one listener",
    change: "",
    lack: "listener"
  },
  {
    when: /listen to system calls|serve \/proc/,
    reason: itself,
    change: "it needs Linux 5.14, and a kernel that lets root read the memory of its own processes",
    lack: "listener"
  },
  {
    when: /[Mm]ount.*: Permission denied/,
    reason: itself,
    change: "a security module such as AppArmor denies mounts; in Kubernetes set appArmorProfile Unconfined"
  },
  {
    when: /(?:mounts private|Cannot mount a tmpfs): Operation not permitted/,
    reason: itself,
    change: "the machine takes all rights from user namespaces, as Ubuntu does; unset the sysctl kernel.apparmor_restrict_unprivileged_userns"
  },
  { when: /not the executor image$/, reason: () => "it is for the executor image alone", change: "" },
  {
    when: /Cannot run in place: cannot .* files/,
    reason: itself,
    change: "add the capabilities CHOWN, DAC_OVERRIDE, FOWNER, SETUID and SETGID"
  },
  { when: /Cannot mount the overlay/, reason: itself, change: "it needs Linux 5.11, on a tmpfs Linux 6.6", lack: "overlay" },
  { when: /Cannot chroot: Operation not permitted/, reason: itself, change: "it needs CAP_SYS_CHROOT" }
];
function explainRefusal2(message, stateDir, needsRoot2) {
  const uid = process.geteuid?.() ?? 0;
  if (needsRoot2 && uid !== 0) {
    const reason = `it needs root, and this is uid ${uid}`;
    return { reason, change: "run the container as root", message: reason };
  }
  const row = rows.find(({ when }) => when.test(message));
  const { change = "", lack } = row ?? {};
  return { reason: row?.reason(message, stateDir) ?? message, change, message, ...lack && { lack } };
}
function showRefusal({ reason, change }) {
  return change === "" ? reason : `${reason}: ${change}`;
}

// src/sandbox/subordinate-ids.ts
var { readFileSync } = process.getBuiltinModule("node:fs");
var { userInfo } = process.getBuiltinModule("node:os");
var fewest = 65536;
function findSubordinateIds(read = readText) {
  const [uid, gid] = [process.geteuid?.() ?? 0, process.getegid?.() ?? 0];
  const name = nameOf(uid);
  const find = (file) => findRanges(read(file), file, [name, String(uid)]);
  const [users, groups] = [find("/etc/subuid"), find("/etc/subgid")];
  return { uids: mapOf(uid, users), gids: mapOf(gid, groups), name: nameRanges(users, groups) };
}
function readText(file) {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
function nameOf(uid) {
  try {
    return userInfo().username;
  } catch {
    return String(uid);
  }
}
function findRanges(text2, file, [name, uid]) {
  const ranges = text2.split("\n").flatMap((line) => {
    const [owner, first = "", count = ""] = line.trim().split(":");
    return (owner === name || owner === uid) && /^\d+$/.test(first) && /^\d+$/.test(count) ? [{ first: +first, count: +count }] : [];
  });
  const total = ranges.reduce((sum, { count }) => sum + count, 0);
  const who = name === uid ? `uid ${uid}` : `"${name}" (uid ${uid})`;
  if (ranges.length === 0) throw new SandboxError(`Cannot map ids: "${file}" has no range for ${who}`);
  if (total < fewest) throw new SandboxError(`Cannot map ids: "${file}" has ${total} ids for ${who}, and ${fewest} are needed`);
  return ranges;
}
function mapOf(own3, ranges) {
  let inside = 1;
  const words = [`0 ${own3} 1`];
  for (const { first, count } of ranges) {
    words.push(`${inside} ${first} ${count}`);
    inside += count;
  }
  return words.join(" ");
}
function nameRanges(users, groups) {
  const show = (ranges) => ranges.map(({ first, count }) => `${first}-${first + count - 1}`).join(",");
  return show(users) === show(groups) ? show(users) : `${show(users)} and of groups ${show(groups)}`;
}

// src/sandbox/deputy.ts
var { createHash: createHash2, randomUUID: randomUUID5 } = process.getBuiltinModule("node:crypto");
var { lstat, mkdir: mkdir5, readdir, rm } = process.getBuiltinModule("node:fs/promises");
var { join: join8 } = process.getBuiltinModule("node:path");
async function appoint(right, tools) {
  const { helper } = tools;
  const uid = process.geteuid?.() ?? 0;
  if (uid === 0 || right === "own") return { helper, ids: "", description: "", async close() {
  } };
  if (right === "root" && !tools.sudo) throw new SandboxError(`${needsRoot(uid)}, and --no-sudo was given`);
  return startDeputy(right === "root" ? throughSudo : mapped(helper), right, tools);
}
var environment = { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/run/wrappers/bin", LC_ALL: "C" };
var copyName = "slipway-helper";
var throughSudo = {
  ids: "",
  description: "as root through sudo",
  command: ["sudo", "-n", "-u", "root", "--", `./${copyName}`, "serve"]
};
function mapped(helper) {
  const { uids, gids, name } = findSubordinateIds();
  const ids = `-${createHash2("sha256").update(`${uids} ${gids}`).digest("hex").slice(0, 12)}`;
  return { ids, description: `with the subordinate ids ${name}`, command: [helper.path, "serve", uids, gids] };
}
function needsRoot(uid) {
  return `it needs root, and this is uid ${uid}`;
}
async function startDeputy({ command, ids, description }, right, tools) {
  const { helper, stateDir, stateIsPrivate } = tools;
  const all = join8(stateDir, "work");
  const workDir = join8(all, `${prefix}${randomUUID5()}`);
  await mkdir5(workDir, { recursive: true, mode: 448 });
  try {
    if (right === "root") await copyHelper(join8(workDir, copyName));
    const rubbish = [stateIsPrivate ? stateDir : workDir];
    const server = await startServer({ directory: workDir, command, env: environment, rubbish, path: helper.path });
    const swept = sweep(all, workDir, server.helper);
    return {
      helper: server.helper,
      ...{ workDir, ids, description },
      async close() {
        await swept;
        await server.close([workDir, ...stateIsPrivate ? [join8(stateDir, "layers"), join8(stateDir, `caches${ids}`)] : []]);
      }
    };
  } catch (error) {
    await rm(workDir, { recursive: true, force: true });
    if (!(error instanceof ServerError)) throw error;
    throw new SandboxError(right === "root" ? explainSudo(error) : error.message);
  }
}
function explainSudo({ code, message }) {
  const root = needsRoot(process.geteuid?.() ?? 0);
  if (code === "ENOENT") return `${root}, and there is no sudo`;
  const lines = message.split("\n");
  return `${root}, and sudo -n fails: ${lines.find((line) => line.startsWith("sudo:")) ?? lines.at(-1)}`;
}
var prefix = "deputy-";
var youngMs = 6e4;
async function sweep(folder, own3, helper) {
  const found = [];
  for (const name of await readdir(folder).catch(() => [])) {
    const path = join8(folder, name);
    const changed = await lstat(path).catch(() => void 0);
    if (name.startsWith(prefix) && path !== own3 && changed !== void 0 && Date.now() - changed.mtimeMs > youngMs) found.push(path);
  }
  if (found.length === 0) return;
  await order(helper, ["remove", "--unlocked", ...found]).catch(() => {
  });
}

// src/sandbox/try-rung.ts
var { randomUUID: randomUUID6 } = process.getBuiltinModule("node:crypto");
var { mkdir: mkdir6 } = process.getBuiltinModule("node:fs/promises");
var { join: join9 } = process.getBuiltinModule("node:path");
var nothing = {
  args: [],
  env: [],
  cwd: "/",
  user: { uid: 0, gid: 0, groups: [] },
  hostname: "probe",
  network: "default",
  mounts: [],
  stdout() {
  },
  stderr() {
  }
};
async function tryRung({ name, right, needsRoot: needsRoot2 = false, forms }, tools) {
  let deputy;
  try {
    deputy = await appoint(right, tools);
  } catch (error) {
    if (!(error instanceof SandboxError)) throw error;
    return { name, refusal: explainRefusal2(error.message, tools.stateDir, needsRoot2) };
  }
  let refusal;
  const lacks = /* @__PURE__ */ new Set();
  for (const form of forms) {
    if (form.needs.some((need) => lacks.has(need))) continue;
    const tried = await tryForm(form, deputy, tools.stateDir);
    if (!(tried instanceof SandboxError)) return { name, form, deputy, ...tried };
    refusal = explainRefusal2(tried.message, tools.stateDir, needsRoot2);
    if (refusal.lack === void 0) break;
    lacks.add(refusal.lack);
  }
  await deputy.close();
  return { name, refusal };
}
async function tryForm(form, { helper, workDir }, stateDir) {
  let home = "";
  try {
    home = join9(workDir ?? join9(form.homeIn?.(stateDir) ?? stateDir, "work"), `probe-${randomUUID6()}`);
    await mkdir6(home, { recursive: true, mode: 448 });
    for (const name of form.directories) await mkdir6(join9(home, name));
    let warning;
    const onMissingDevices = () => {
      warning = "RUN has no /dev/null here: making device nodes is forbidden (CAP_MKNOD is missing); package managers may fail";
    };
    await startCommand(nothing, form.place(home, stateDir), { helper, files: {}, signal: new AbortController().signal, onMissingDevices });
    return { warning };
  } catch (error) {
    if (error instanceof SandboxError) return error;
    if (form.homeIn !== void 0 && error.code === "EACCES") return new SandboxError(error.message);
    throw error;
  } finally {
    if (home !== "") await removeTree(home, helper);
  }
}

export {
  rungs,
  describeTrial,
  showRefusal,
  tryRung
};
