import {
  hexOf,
  isDigest
} from "./shared-7.mjs";

// src/helper/last-bytes.ts
var kept = 1 << 16;
var LastBytes = class {
  #chunks = [];
  #size = 0;
  add(chunk) {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    while (this.#size - (this.#chunks[0]?.length ?? 0) >= kept) this.#size -= this.#chunks.shift()?.length ?? 0;
  }
  /** At most the last 64 KiB, without white space at their end. */
  text() {
    return Buffer.concat(this.#chunks).subarray(-kept).toString().trimEnd();
  }
};

// src/helper/frames.ts
var headerSize = 5;
var batchSize = 1 << 18;
var FrameWriter = class {
  #stream;
  #batch = Buffer.allocUnsafe(batchSize);
  #other = Buffer.allocUnsafe(batchSize);
  #otherIsFree;
  #used = 0;
  #frame = 0;
  constructor(stream) {
    this.#stream = stream;
  }
  begin(kind) {
    this.#frame = this.#used;
    const at = this.#room(headerSize);
    this.#batch[at + 4] = kind.charCodeAt(0);
    return this;
  }
  u8(value) {
    this.#batch[this.#room(1)] = value;
    return this;
  }
  u32(value) {
    const at = this.#room(4);
    this.#batch.writeUInt32LE(value, at);
    return this;
  }
  u64(value) {
    const at = this.#room(8);
    const high = Math.floor(value / 2 ** 32);
    this.#batch.writeUInt32LE(value - high * 2 ** 32, at);
    this.#batch.writeInt32LE(high, at + 4);
    return this;
  }
  /** As latin1. */
  text(value) {
    const at = this.#room(value.length + 5);
    this.#batch.writeUInt32LE(value.length, at);
    this.#batch.write(value, at + 4, "latin1");
    this.#batch[at + 4 + value.length] = 0;
    return this;
  }
  bytes(chunks) {
    const size = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    let at = this.#room(size + 5);
    this.#batch.writeUInt32LE(size, at);
    at += 4;
    for (const chunk of chunks) {
      this.#batch.set(chunk, at);
      at += chunk.length;
    }
    this.#batch[at] = 0;
    return this;
  }
  /** As they are: what takes them knows from the frame how many there are. */
  raw(bytes) {
    const at = this.#room(bytes.length);
    this.#batch.set(bytes, at);
    return this;
  }
  /** Ends the frame; where there is a promise, the next one may begin when it resolves. */
  end() {
    this.close();
    return this.isFull ? this.flush() : void 0;
  }
  /** Ends the frame, and leaves it to the caller to flush when there is enough. */
  close() {
    this.#batch.writeUInt32LE(this.#used - this.#frame - headerSize, this.#frame);
  }
  /** Whether what has gathered is worth a system call. */
  get isFull() {
    return this.#used >= batchSize / 2;
  }
  /** Where there is a promise, the next frame may begin when it resolves. */
  flush() {
    const piece = this.#batch.subarray(0, this.#used);
    const free = this.#otherIsFree;
    this.#otherIsFree = new Promise((resolve) => this.#stream.write(piece, () => resolve()));
    [this.#batch, this.#other] = [this.#other, this.#batch];
    this.#used = 0;
    return free;
  }
  #room(size) {
    const at = this.#used;
    if (at + size > this.#batch.length) {
      const larger = Buffer.allocUnsafe(Math.max(2 * this.#batch.length, at + size));
      this.#batch.copy(larger, 0, 0, at);
      this.#batch = larger;
    }
    this.#used = at + size;
    return at;
  }
};
async function* readFrames(stream) {
  let rest = Buffer.alloc(0);
  for await (const chunk of stream) {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const frames = [];
    let at = 0;
    while (bytes.length - at >= headerSize) {
      const end = at + headerSize + bytes.readUInt32LE(at);
      if (end > bytes.length) break;
      frames.push(bytes.subarray(at + headerSize - 1, end));
      at = end;
    }
    rest = bytes.subarray(at);
    if (frames.length > 0) yield frames;
  }
}
var FrameReader = class {
  #bytes;
  #at = 1;
  constructor(bytes) {
    this.#bytes = bytes;
  }
  u8() {
    this.#at += 1;
    return this.#bytes[this.#at - 1] ?? 0;
  }
  u32() {
    this.#at += 4;
    return this.#bytes.readUInt32LE(this.#at - 4);
  }
  /** Signed, and exact up to 2^53. */
  u64() {
    this.#at += 8;
    return this.#bytes.readInt32LE(this.#at - 4) * 2 ** 32 + this.#bytes.readUInt32LE(this.#at - 8);
  }
  /** The next bytes as they are. */
  raw(size) {
    this.#at += size;
    return this.#bytes.toString("latin1", this.#at - size, this.#at);
  }
  text() {
    const size = this.u32();
    const from = this.#at;
    this.#at += size + 1;
    return this.#bytes.toString("latin1", from, from + size);
  }
};

// src/helper/order.ts
async function order(helper, args, what = `do "${args[0]}"`) {
  const child = helper.start(args);
  child.stdin.end();
  child.stdout.resume();
  const { code, signal, stderr } = await child.exited;
  if (code !== 0) throw new Error(stderr || `Cannot ${what}: the helper ended with ${signal ?? `exit code ${code}`}`);
}

// src/helper/server.ts
var { spawn } = process.getBuiltinModule("node:child_process");
var { open } = process.getBuiltinModule("node:fs/promises");
var { createConnection } = process.getBuiltinModule("node:net");
var { constants } = process.getBuiltinModule("node:os");
var ServerError = class extends Error {
  name = "ServerError";
  /** As spawn(2) has it where the program could not be started. */
  code;
  constructor(message, code) {
    super(message);
    this.code = code;
  }
};
var ready = "slipway-helper ready\n";
var patienceMs = 3e4;
async function startServer(options) {
  const { directory, command, env, rubbish, path: path2 } = options;
  const handle = await open(directory, "r");
  const here = `/proc/self/fd/${handle.fd}`;
  const child = spawn(command[0], command.slice(1), { cwd: here, env, stdio: ["ignore", "pipe", "pipe"] });
  const ended = new Promise((resolve) => child.once("close", () => resolve()).once("error", () => resolve()));
  try {
    await awaitReady(child);
    const server = new Server(`${here}/socket`);
    const life = await server.live(rubbish);
    return {
      helper: { path: path2, isForeign: true, start: (args, startOptions = {}) => server.start(args, startOptions) },
      async close(last) {
        (await server.live(last)).destroySoon();
        await ended;
        life.destroy();
        await handle.close();
      }
    };
  } catch (error) {
    child.kill("SIGKILL");
    await closeQuietly(handle);
    throw error;
  }
}
async function closeQuietly(handle) {
  await handle.close().catch(() => {
  });
}
async function awaitReady(child) {
  const errors = new LastBytes();
  child.stderr?.on("data", (chunk) => errors.add(chunk));
  let said = "";
  await new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new ServerError(`no answer within ${patienceMs / 1e3} s`)), patienceMs);
    const settle = (error) => {
      clearTimeout(timer);
      if (error === void 0) resolve();
      else reject(error);
    };
    child.stdout?.setEncoding("latin1").on("data", (text) => {
      said = (said + text).slice(-4096);
      if (said.includes(ready)) settle();
    });
    child.once("error", (cause) => settle(new ServerError(cause.message, cause.code)));
    child.once("close", (code, signal) => settle(new ServerError(errors.text() || `it ended with ${signal ?? `exit code ${code}`}`)));
  });
}
var Server = class {
  #socket;
  #count = 0;
  constructor(socket) {
    this.#socket = socket;
  }
  /** A connection that lasts as long as the builder. */
  live(rubbish) {
    const life = this.#connect("L", 0, Buffer.from(rubbish.map((path2) => `${path2}\0`).join("")));
    life.unref();
    return new Promise((resolve, reject) => {
      life.once("connect", () => resolve(life.on("error", () => {
      })));
      life.once("error", reject);
    });
  }
  start(args, { signal, extraFds = [] }) {
    this.#count += 1;
    const number = this.#count;
    const streams = Array.from({ length: 3 + extraFds.length }, (_, i) => this.#connect(String(i), number));
    const control = this.#connect("C", number, Buffer.from([streams.length, ...Buffer.from(args.map((word) => `${word}\0`).join(""))]));
    const [stdin, stdout, stderr, ...fds] = streams;
    const errors = new LastBytes();
    stderr.on("data", (chunk) => errors.add(chunk));
    stdin.resume();
    const kill = () => void control.write("K");
    signal?.addEventListener("abort", kill, { once: true });
    if (signal?.aborted) kill();
    const exited = awaitStatus(control).then(async (status) => {
      signal?.removeEventListener("abort", kill);
      stdin.destroy();
      for (const stream of streams) if (!stream.readableFlowing && stream.listenerCount("readable") === 0) stream.resume();
      await Promise.all(streams.map((stream) => stream.closed ? void 0 : new Promise((resolve) => stream.once("close", resolve))));
      return { ...status, stderr: errors.text() };
    });
    exited.catch(() => {
    });
    return { stdin, stdout, fds, kill, exited };
  }
  #connect(role, number, more = Buffer.alloc(0)) {
    const head = Buffer.alloc(9);
    head.writeUInt8(role.charCodeAt(0), 0);
    head.writeUInt32LE(number, 1);
    head.writeUInt32LE(more.length, 5);
    const socket = createConnection(this.#socket);
    socket.on("error", () => {
    });
    socket.write(Buffer.concat([head, more]));
    return socket;
  }
};
async function awaitStatus(control) {
  const chunks = [];
  control.on("data", (chunk) => chunks.push(chunk));
  await new Promise((resolve) => control.once("close", resolve));
  const answer = Buffer.concat(chunks);
  if (answer.length < 4) return { code: null, signal: "the end of its server" };
  const status = answer.readUInt32LE(0);
  const number = status & 127;
  return number === 0 ? { code: status >> 8 & 255, signal: null } : { code: null, signal: nameOfSignal(number) };
}
function nameOfSignal(number) {
  return Object.entries(constants.signals).find(([, value]) => value === number)?.[0] ?? `signal ${number}`;
}

// src/helper/session.ts
var helperGone = new Error("the helper ended early");
var Session = class {
  process;
  frames;
  constructor(process2) {
    this.process = process2;
    this.frames = new FrameWriter(process2.stdin);
  }
  /** Ends a frame as `FrameWriter` does; throws `helperGone` where nobody takes it. */
  end() {
    const wait = this.frames.end();
    if (this.process.stdin.destroyed) throw helperGone;
    return wait;
  }
  /** Says that this was all; throws what the helper could not do. `action` is what it was there for. */
  async finish(action) {
    this.frames.begin("Z").end();
    await this.frames.flush();
    this.process.stdin.end();
    const { code, signal, stderr } = await this.process.exited;
    if (code !== 0) throw new Error(stderr || `Cannot ${action}: the helper ended with ${signal ?? `exit code ${code}`}`);
  }
  /** Ends the helper without finishing, and throws `reason`; its own error, if it had one, wins. */
  async fail(reason) {
    this.process.stdin.destroy();
    const { code, stderr } = await this.process.exited;
    if (code === 0 || stderr === "" || stderr.endsWith("the builder went away")) throw reason;
    throw reason === helperGone ? new Error(stderr) : new Error(stderr, { cause: reason });
  }
};

// src/helper/helper.ts
var { spawn: spawn2 } = process.getBuiltinModule("node:child_process");
var { createHash } = process.getBuiltinModule("node:crypto");
var { readFile, writeFile } = process.getBuiltinModule("node:fs/promises");
var { fileURLToPath } = process.getBuiltinModule("node:url");
var architectures = { x64: "x86_64", arm64: "aarch64" };
var folder = new URL(import.meta.url.endsWith("/src/helper/helper.ts") ? "../../dist/" : "./", import.meta.url);
async function openHelper() {
  const architecture = architectures[process.arch];
  if (process.platform !== "linux" || architecture === void 0) return void 0;
  const name = `slipway-helper-${architecture}`;
  await verifyFile(folder, name);
  const path2 = fileURLToPath(new URL(name, folder));
  return { path: path2, start: (args, options = {}) => startHelper(path2, args, options) };
}
var recorders = /* @__PURE__ */ new Set(["apply", "unpack", "scan"]);
function recordOwners(helper) {
  const start = ([command = "", ...args], options) => helper.start(recorders.has(command) ? [command, "--record", ...args] : [command, ...args], options);
  return { ...helper, start };
}
async function copyHelper(to) {
  await writeFile(to, await verifyFile(folder, `slipway-helper-${architectures[process.arch]}`), { flag: "wx", mode: 320 });
}
async function verifyFile(directory, name) {
  const file = fileURLToPath(new URL(name, directory));
  const read = async (path2) => {
    try {
      return await readFile(path2);
    } catch (cause) {
      throw new Error(`Cannot use "${file}": "${path2}" cannot be read; run \`node scripts/native.ts\` or install Slipway again`, { cause });
    }
  };
  const manifest = JSON.parse((await read(fileURLToPath(new URL("manifest.json", directory)))).toString());
  const bytes = await read(file);
  const expected = manifest.files?.[name];
  const actual = createHash("sha256").update(bytes).digest("hex");
  if (expected?.size !== bytes.length || expected.sha256 !== actual)
    throw new Error(
      `Cannot use "${file}": its sha256 is ${actual}, manifest.json says ${expected?.sha256 ?? "nothing"}; install Slipway again`
    );
  return bytes;
}
function startHelper(path2, args, { signal, extraFds = [] }) {
  const child = spawn2(path2, args, { env: {}, stdio: ["pipe", "pipe", "pipe", ...extraFds], signal, killSignal: "SIGKILL" });
  const stdio = child.stdio;
  const errors = new LastBytes();
  child.stderr?.on("data", (chunk) => errors.add(chunk));
  const exited = new Promise((resolve, reject) => {
    child.once("close", (code, killed) => resolve({ code, signal: killed, stderr: errors.text() }));
    child.once("error", (cause) => {
      if (child.pid === void 0) reject(new Error(`Cannot start the helper "${path2}": ${cause.message}`, { cause }));
    });
  });
  exited.catch(() => {
  });
  child.stdin?.on("error", () => {
  });
  return {
    stdin: stdio[0],
    stdout: stdio[1],
    fds: stdio.slice(3),
    kill: () => void child.kill("SIGKILL"),
    exited
  };
}

// src/image/encode.ts
var { createHash: createHash2 } = process.getBuiltinModule("node:crypto");
var mediaTypes = {
  oci: {
    index: "application/vnd.oci.image.index.v1+json",
    manifest: "application/vnd.oci.image.manifest.v1+json",
    config: "application/vnd.oci.image.config.v1+json",
    layer: {
      none: "application/vnd.oci.image.layer.v1.tar",
      gzip: "application/vnd.oci.image.layer.v1.tar+gzip",
      zstd: "application/vnd.oci.image.layer.v1.tar+zstd"
    }
  },
  docker: {
    index: "application/vnd.docker.distribution.manifest.list.v2+json",
    manifest: "application/vnd.docker.distribution.manifest.v2+json",
    config: "application/vnd.docker.container.image.v1+json",
    layer: {
      none: "application/vnd.docker.image.rootfs.diff.tar",
      gzip: "application/vnd.docker.image.rootfs.diff.tar.gzip",
      zstd: "application/vnd.docker.image.rootfs.diff.tar.zstd"
    }
  }
};
function isForeignLayer(mediaType) {
  return mediaType.includes(".foreign.") || mediaType.includes(".nondistributable.");
}
var none = { document: {}, descriptor: {} };
function digestOf(bytes) {
  return `sha256:${createHash2("sha256").update(bytes).digest("hex")}`;
}
function layerDescriptor(layer, family) {
  if (isForeignLayer(layer.descriptor.mediaType)) return layer.descriptor;
  const { annotations } = layer.descriptor;
  return {
    mediaType: mediaTypes[family].layer[layer.compression],
    digest: layer.descriptor.digest,
    size: layer.descriptor.size,
    ...annotations === void 0 ? {} : { annotations }
  };
}
function encodeImage(image, annotations = none) {
  checkHistory(image);
  const types5 = mediaTypes[image.family];
  const config = encodeBlob(types5.config, JSON.stringify(sortKeys(leaveOutEmpty(image.config))));
  const manifest = {
    schemaVersion: 2,
    mediaType: types5.manifest,
    config: config.descriptor,
    layers: image.layers.map((layer) => layerDescriptor(layer, image.family)),
    ...annotationsField(annotations.document)
  };
  return { image, config, manifest: encodeBlob(types5.manifest, JSON.stringify(manifest, null, 2), annotations.descriptor) };
}
function encodeRelease(images, annotations = none) {
  const [first, ...others] = images;
  if (first === void 0) throw new Error("Cannot encode a release without an image");
  return others.length === 0 ? { images, top: first.manifest } : encodeIndex(images, first.image.family, annotations);
}
function encodeIndex(images, family, annotations = none) {
  const mediaType = mediaTypes[family].index;
  const index = {
    schemaVersion: 2,
    mediaType,
    manifests: images.map(({ manifest, image }) => ({ ...manifest.descriptor, platform: platformOf(image.config) })),
    ...annotationsField(annotations.document)
  };
  return { images, top: encodeBlob(mediaType, JSON.stringify(index, null, 2), annotations.descriptor) };
}
function platformOf(config) {
  const { architecture, os, variant, "os.version": version2, "os.features": features } = config;
  return {
    architecture,
    os,
    ...variant === void 0 ? {} : { variant },
    ...version2 === void 0 ? {} : { "os.version": version2 },
    ...features === void 0 ? {} : { "os.features": features }
  };
}
function encodeBlob(mediaType, text, annotations = {}) {
  const bytes = Buffer.from(text);
  return { bytes, descriptor: annotate({ mediaType, digest: digestOf(bytes), size: bytes.length }, annotations) };
}
function annotate(descriptor, annotations) {
  return { ...descriptor, ...annotationsField(annotations) };
}
function annotationsField(annotations) {
  const keys = Object.keys(annotations).sort();
  return keys.length === 0 ? {} : { annotations: Object.fromEntries(keys.map((key) => [key, annotations[key] ?? ""])) };
}
function checkHistory({ config, layers }) {
  const diffIds = config.rootfs.diff_ids;
  if (diffIds.length !== layers.length)
    throw new Error(`Cannot encode image: its configuration lists ${diffIds.length} layers, not the ${layers.length} that it has`);
  if (layers.some((layer, i) => layer.diffId !== diffIds[i]))
    throw new Error("Cannot encode image: its configuration lists other layers than it has");
  const lines = (config.history ?? []).filter((line) => !line.empty_layer).length;
  if (lines !== layers.length) throw new Error(`Cannot encode image: its history has ${lines} layers, the image has ${layers.length}`);
}
function alignHistory(config) {
  const count = config.rootfs.diff_ids.length;
  let spare = (config.history ?? []).filter((line) => !line.empty_layer).length - count;
  const marked = (config.history ?? []).map((line) => {
    if (line.empty_layer || spare <= 0) return line;
    spare -= 1;
    return { ...line, empty_layer: true };
  });
  const created = config.created;
  const missing = Array.from({ length: Math.max(0, -spare) }, () => ({
    ...created === void 0 ? {} : { created },
    comment: "layer without history in the base image"
  }));
  return { ...config, history: [...missing, ...marked] };
}
function leaveOutEmpty(image) {
  if (image.config === void 0) return image;
  return { ...image, config: Object.fromEntries(Object.entries(image.config).filter(([, value]) => !isEmpty(value))) };
}
function isEmpty(value) {
  return value === null || value === "" || value === false || typeof value === "object" && Object.keys(value).length === 0;
}
function sortKeys(value) {
  if (Array.isArray(value)) return value.map(sortKeys);
  if (value === null || typeof value !== "object") return value;
  const keys = Object.keys(value).sort();
  return Object.fromEntries(keys.map((key) => [key, sortKeys(value[key])]));
}

// src/layer/verify.ts
var { createHash: createHash3 } = process.getBuiltinModule("node:crypto");
var DigestMismatchError = class extends Error {
  name = "DigestMismatchError";
};
async function* verifyBytes(stream, expected) {
  const hash3 = createHash3("sha256");
  let size = 0;
  let held;
  for await (const chunk of stream) {
    size += chunk.length;
    if (expected.size !== void 0 && size > expected.size)
      throw new DigestMismatchError(`Cannot read blob "${expected.digest}": it is longer than its ${expected.size} bytes`);
    hash3.update(chunk);
    if (held !== void 0) yield held;
    held = chunk;
  }
  if (expected.size !== void 0 && size !== expected.size)
    throw new DigestMismatchError(`Cannot read blob "${expected.digest}": it ends after ${size} of ${expected.size} bytes`);
  const digest = `sha256:${hash3.digest("hex")}`;
  if (digest !== expected.digest)
    throw new DigestMismatchError(`Cannot read blob "${expected.digest}": its bytes have the digest ${digest}`);
  if (held !== void 0) yield held;
}

// src/layer/blobs.ts
var { createHash: createHash4, randomUUID } = process.getBuiltinModule("node:crypto");
var { createReadStream } = process.getBuiltinModule("node:fs");
var { access, mkdir, open: open2, rename, rm } = process.getBuiltinModule("node:fs/promises");
var { join } = process.getBuiltinModule("node:path");
async function openBlobs(directory) {
  const folder2 = join(directory, "blobs", "sha256");
  const unfinished = join(directory, "blobs", "unfinished");
  await mkdir(folder2, { recursive: true });
  await mkdir(unfinished, { recursive: true });
  const path2 = (digest) => join(folder2, hexOf(digest));
  const temporary = async () => join(unfinished, randomUUID());
  const publish = async (file, digest) => {
    await rename(file, path2(digest));
    return path2(digest);
  };
  return {
    directory,
    path: path2,
    temporary,
    publish,
    has: (digest) => access(path2(digest)).then(
      () => true,
      () => false
    ),
    open: (digest) => verifyBytes(createReadStream(path2(digest), { highWaterMark: 256 << 10 }), { digest }),
    async write(expected, bytes, signal) {
      const file = await temporary();
      try {
        const stored = await writeFile2(file, expected === void 0 ? bytes : verifyBytes(bytes, expected), signal);
        return { ...stored, path: await publish(file, stored.digest) };
      } catch (error) {
        await rm(file, { force: true });
        throw error;
      }
    }
  };
}
async function writeFile2(path2, bytes, signal) {
  const handle = await open2(path2, "wx", 420);
  try {
    const hash3 = createHash4("sha256");
    let size = 0;
    const pending = new PendingWrites(handle, path2);
    for await (const chunk of bytes) {
      signal?.throwIfAborted();
      hash3.update(chunk);
      size += chunk.length;
      await pending.add(chunk);
    }
    await pending.flush();
    signal?.throwIfAborted();
    return { digest: `sha256:${hash3.digest("hex")}`, size };
  } finally {
    await handle.close();
  }
}
var PendingWrites = class {
  #handle;
  #path;
  #chunks = [];
  #bytes = 0;
  constructor(handle, path2) {
    this.#handle = handle;
    this.#path = path2;
  }
  async add(chunk) {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    if (this.#bytes >= 256 << 10 || this.#chunks.length >= 512) await this.flush();
  }
  async flush() {
    let chunks = this.#chunks;
    this.#chunks = [];
    this.#bytes = 0;
    while (chunks.length > 0) {
      const { bytesWritten } = await this.#handle.writev(chunks).catch((cause) => {
        throw new Error(`Cannot write "${this.#path}": ${cause.message}`, { cause });
      });
      chunks = dropBytes(chunks, bytesWritten);
    }
  }
};
function dropBytes(chunks, count) {
  let left = count;
  return chunks.flatMap((chunk) => {
    const dropped = Math.min(left, chunk.length);
    left -= dropped;
    return dropped === chunk.length ? [] : [chunk.subarray(dropped)];
  });
}

// src/layer/program.ts
var { spawn: spawn3 } = process.getBuiltinModule("node:child_process");
var { once } = process.getBuiltinModule("node:events");
var { pipeline } = process.getBuiltinModule("node:stream/promises");
var usualPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/kaniko:/busybox";
var ProgramError = class extends Error {
  name = "ProgramError";
};
var MissingProgramError = class extends Error {
  name = "MissingProgramError";
  program;
  constructor(program, cause) {
    super(`Cannot run ${program}: it is not installed`, { cause });
    this.program = program;
  }
};
async function* runProgram(program, args, input) {
  const child = spawn3(program, args, { env: { PATH: usualPath }, stdio: ["pipe", "pipe", "pipe"] });
  let complaint = "";
  child.stderr.setEncoding("utf8").on("data", (text) => {
    if (complaint.length < 4096) complaint += text;
  });
  const fault = {};
  const ended = once(child, "close").then(([code]) => code);
  const fed = pipeline(noteFault(input, fault), child.stdin);
  ended.catch(() => {
  });
  fed.catch(() => {
  });
  try {
    yield* child.stdout;
    const code = await ended;
    if (code !== 0 && !("cause" in fault)) throw new ProgramError(complaint.trim() || `${program} ended with ${code ?? "a signal"}`);
    await fed;
  } catch (error) {
    if ("cause" in fault) throw fault.cause;
    throw error.code === "ENOENT" ? new MissingProgramError(program, error) : error;
  } finally {
    child.kill("SIGKILL");
  }
}
async function* noteFault(input, fault) {
  try {
    yield* input;
  } catch (error) {
    fault.cause = error;
    throw error;
  }
}

// src/layer/zstd-program.ts
var { spawn: spawn4 } = process.getBuiltinModule("node:child_process");
var { once: once2 } = process.getBuiltinModule("node:events");
async function* runZstd(args, input) {
  try {
    yield* runProgram("zstd", ["-q", "-c", ...args], input);
  } catch (error) {
    throw error instanceof MissingProgramError ? missingZstd(error) : error;
  }
}
async function zstdVersion(path2 = usualPath) {
  const child = spawn4("zstd", ["-q", "--version"], { env: { PATH: path2 }, stdio: ["ignore", "pipe", "ignore"] });
  const ended = once2(child, "close");
  ended.catch(() => {
  });
  let text = "";
  try {
    for await (const chunk of child.stdout) text += String(chunk);
    await ended;
  } catch (error) {
    throw missingZstd(error);
  }
  return /\d+\.\d+\.\d+/.exec(text)?.[0] ?? "unknown";
}
function missingZstd(cause) {
  return new Error(`Cannot use zstd: Node ${process.versions.node} does not know it (22.15 does) and the zstd program is not installed`, {
    cause
  });
}

// src/layer/compress.ts
var { promisify } = process.getBuiltinModule("node:util");
var zlib = process.getBuiltinModule("node:zlib");
var gzipBlock = 1 << 20;
var zstdBlock = 2 << 20;
var inFlight = 4;
var gzip = promisify(zlib.gzip);
function checkLevel(compression, level) {
  const [least, most, usual] = compression === "gzip" ? [0, 9, 6] : [1, 22, 3];
  if (level === void 0) return usual;
  if (Number.isInteger(level) && level >= least && level <= most) return level;
  throw new RangeError(`Cannot compress with ${compression} at level ${level}: its levels are ${least} to ${most}`);
}
async function openCompressor(compression, wanted) {
  const level = checkLevel(compression, wanted);
  if (compression === "gzip") return openGzip(level);
  if (typeof zlib.zstdCompress === "function") return openZstd(level);
  const id = `zstd-program-${await zstdVersion()}-${level}`;
  const args = ["-T1", ...level > 19 ? ["--ultra"] : [], `-${level}`];
  return { id, compression, level, compress: (stream) => runZstd(args, stream) };
}
function openGzip(level) {
  const id = `zlib-${process.versions.zlib}-${process.arch}-gzip-${level}-b1m`;
  const compressBlock = async (block) => {
    const member = await gzip(block, { level, chunkSize: 256 << 10 });
    member[9] = 255;
    return member;
  };
  return { id, compression: "gzip", level, compress: (stream) => compressBlocks(stream, gzipBlock, compressBlock) };
}
function openZstd(level) {
  const id = `zstd-${process.versions.zstd}-${level}-b2m`;
  const compressFrame = promisify(zlib.zstdCompress);
  const params = { [zlib.constants.ZSTD_c_compressionLevel]: level, [zlib.constants.ZSTD_c_checksumFlag]: 1 };
  const compressBlock = (block) => compressFrame(block, { params, chunkSize: 1 << 20 });
  return { id, compression: "zstd", level, compress: (stream) => compressBlocks(stream, zstdBlock, compressBlock) };
}
async function* cutBlocks(stream, size, spare) {
  let block = Buffer.allocUnsafeSlow(size);
  let used = 0;
  for await (const chunk of stream) {
    for (let at = 0; at < chunk.length; ) {
      const count = Math.min(size - used, chunk.length - at);
      block.set(chunk.subarray(at, at + count), used);
      used += count;
      at += count;
      if (used < size) continue;
      yield block;
      block = spare.pop() ?? Buffer.allocUnsafeSlow(size);
      used = 0;
    }
  }
  if (used > 0) yield block.subarray(0, used);
}
async function* compressBlocks(stream, size, compressBlock) {
  const running = [];
  const spare = [];
  const finish = async ({ block, result }) => {
    const bytes = await result;
    if (block.length === size) spare.push(block);
    return bytes;
  };
  for await (const block of cutBlocks(stream, size, spare)) {
    const result = compressBlock(block);
    result.catch(() => {
    });
    running.push({ block, result });
    const first = running.length >= inFlight ? running.shift() : void 0;
    if (first !== void 0) yield await finish(first);
  }
  for (const next of running) yield await finish(next);
}

// src/layer/content-hash.ts
var { createHash: createHash5, hash } = process.getBuiltinModule("node:crypto");
var ContentHash = class {
  #size;
  #whole;
  #hash;
  /** For content of `size` bytes. Chunks must stay as they are until the digest is taken. */
  constructor(size) {
    this.#size = size;
  }
  update(chunk) {
    if (chunk.length === this.#size) {
      this.#whole = chunk;
      return;
    }
    this.#hash ??= createHash5("sha256");
    this.#hash.update(chunk);
  }
  /** 64 hex digits. */
  digest() {
    return this.#hash?.digest("hex") ?? hash("sha256", this.#whole ?? "", "hex");
  }
};

// src/layer/source.ts
var defaultLimits = {
  maxEntries: 2e6,
  maxHeaderBytes: 1 << 20,
  maxNameBytes: 512 << 20,
  maxBytes: 64 * 2 ** 30,
  maxDepth: 1024
};
var MalformedLayerError = class extends Error {
  name = "MalformedLayerError";
};
var nothing = Buffer.alloc(0);
var ByteSource = class {
  position = 0;
  #chunk = nothing;
  #iterator;
  #maxBytes;
  #received = 0;
  #ended = false;
  constructor(stream, maxBytes2) {
    this.#iterator = stream[Symbol.asyncIterator]();
    this.#maxBytes = maxBytes2;
  }
  async read(count) {
    return this.#chunk.length >= count ? this.#take(count) : readWhole(this, count);
  }
  async next(most) {
    while (this.#chunk.length === 0) if (!await this.#fill()) return void 0;
    return this.#take(Math.min(most, this.#chunk.length));
  }
  async skip(count) {
    let left = count;
    while (left > 0) {
      const part = await this.next(left);
      if (part === void 0) break;
      left -= part.length;
    }
    return count - left;
  }
  async close() {
    if (!this.#ended) await this.#iterator.return?.();
    this.#ended = true;
  }
  #take(count) {
    const part = this.#chunk.subarray(0, count);
    this.#chunk = this.#chunk.subarray(count);
    this.position += count;
    return part;
  }
  async #fill() {
    if (this.#ended) return false;
    const { done, value } = await this.#iterator.next();
    if (done) {
      this.#ended = true;
      return false;
    }
    this.#received += value.length;
    if (this.#received > this.#maxBytes) throw new MalformedLayerError(`Malformed layer: more than ${this.#maxBytes} bytes come out of it`);
    this.#chunk = Buffer.isBuffer(value) ? value : Buffer.from(value.buffer, value.byteOffset, value.length);
    return true;
  }
};
async function readWhole(source, count) {
  const parts = [];
  let missing = count;
  while (missing > 0) {
    const part = await source.next(missing);
    if (part === void 0) {
      if (missing === count) return void 0;
      throw new MalformedLayerError(`Malformed layer: it ends at byte ${source.position}, ${missing} bytes too early`);
    }
    parts.push(part);
    missing -= part.length;
  }
  return parts.length === 1 ? parts[0] : Buffer.concat(parts, count);
}

// src/layer/zstd-frames.ts
var frameMagic = 4247762216;
var isSkippable = (magic) => (magic & 4294967280) >>> 0 === 407710288;
async function* splitFrames(stream) {
  const source = new ByteSource(stream, Number.POSITIVE_INFINITY);
  try {
    for (let start = await source.read(4); start !== void 0; start = await source.read(4)) {
      const magic = start.readUInt32LE();
      if (isSkippable(magic)) await skipFrame(source);
      else if (magic === frameMagic) yield readFrame(source, start);
      else throw new MalformedLayerError("Malformed layer: its zstd frames are followed by something else");
    }
  } finally {
    await source.close();
  }
}
async function skipFrame(source) {
  const size = (await mustRead(source, 4)).readUInt32LE();
  if (await source.skip(size) !== size) throw endsEarly();
}
async function* readFrame(source, magic) {
  yield magic;
  const descriptor = await mustRead(source, 1);
  yield descriptor;
  const flags2 = descriptor[0] ?? 0;
  const isSingleSegment = (flags2 & 32) !== 0;
  const sizeBytes = [isSingleSegment ? 1 : 0, 2, 4, 8][flags2 >> 6] ?? 0;
  const dictionaryBytes = [0, 1, 2, 4][flags2 & 3] ?? 0;
  const headerBytes = (isSingleSegment ? 0 : 1) + dictionaryBytes + sizeBytes;
  if (headerBytes > 0) yield await mustRead(source, headerBytes);
  for (let isLast = false; !isLast; ) {
    const header = await mustRead(source, 3);
    yield header;
    const bits = header.readUIntLE(0, 3);
    isLast = (bits & 1) === 1;
    const isRepeated = (bits >> 1 & 3) === 1;
    for (let left = isRepeated ? 1 : bits >> 3; left > 0; ) {
      const part = await source.next(left);
      if (part === void 0) throw endsEarly();
      left -= part.length;
      yield part;
    }
  }
  if (flags2 & 4) yield await mustRead(source, 4);
}
async function mustRead(source, count) {
  const bytes = await source.read(count);
  if (bytes === void 0) throw endsEarly();
  return bytes;
}
function endsEarly() {
  return new MalformedLayerError("Malformed layer: its compressed bytes end too early");
}

// src/layer/decompress.ts
var { Readable } = process.getBuiltinModule("node:stream");
var zlib2 = process.getBuiltinModule("node:zlib");
var outputChunk = 256 << 10;
async function expandZstd(stream, options) {
  const source = new ByteSource(stream, Number.POSITIVE_INFINITY);
  const start = await readStart(source);
  const bytes = joined(start, source);
  const compression = sniffCompression(start);
  return compression === "zstd" ? { compression: "none", bytes: decompress(bytes, options) } : { compression, bytes };
}
function sniffCompression(start) {
  if (start[0] === 31 && start[1] === 139) return "gzip";
  const isFrame = start[0] === 40 && start[1] === 181 && start[2] === 47 && start[3] === 253;
  const isSkippable2 = ((start[0] ?? 0) & 240) === 80 && start[1] === 42 && start[2] === 77 && start[3] === 24;
  return isFrame || isSkippable2 ? "zstd" : "none";
}
async function* decompress(stream, options = {}) {
  const { signal, maxBytes: maxBytes2 = defaultLimits.maxBytes } = options;
  const source = new ByteSource(stream, Number.POSITIVE_INFINITY);
  let total = 0;
  try {
    const start = await readStart(source);
    for await (const chunk of expand(sniffCompression(start), joined(start, source))) {
      signal?.throwIfAborted();
      total += chunk.length;
      if (total > maxBytes2) throw new MalformedLayerError(`Malformed layer: more than ${maxBytes2} bytes come out of it`);
      yield chunk;
    }
  } finally {
    await source.close();
  }
}
async function readStart(source) {
  const parts = [];
  for (let missing = 4; missing > 0; ) {
    const part = await source.next(missing);
    if (part === void 0) break;
    parts.push(part);
    missing -= part.length;
  }
  return Buffer.concat(parts);
}
async function* joined(start, source) {
  if (start.length > 0) yield start;
  for (let chunk = await source.next(Number.POSITIVE_INFINITY); chunk !== void 0; chunk = await source.next(Number.POSITIVE_INFINITY))
    yield chunk;
}
function expand(compression, stream) {
  if (compression === "none") return stream;
  if (compression === "gzip") return inflate(stream, zlib2.createGunzip({ chunkSize: outputChunk }));
  return typeof zlib2.createZstdDecompress === "function" ? expandFrames(stream) : expandOutside(stream);
}
async function* expandFrames(stream) {
  for await (const frame of splitFrames(stream)) yield* inflate(frame, zlib2.createZstdDecompress({ chunkSize: outputChunk }));
}
async function* expandOutside(stream) {
  try {
    yield* runZstd(["-d"], stream);
  } catch (error) {
    if (!(error instanceof ProgramError)) throw error;
    throw new MalformedLayerError(`Malformed layer: its compressed bytes are damaged (${error.message})`, { cause: error });
  }
}
async function* inflate(stream, unpacker) {
  const input = Readable.from(stream, { objectMode: false, highWaterMark: 1 << 20 });
  let inputError;
  input.on("error", (error) => {
    inputError = error;
    unpacker.destroy(error);
  });
  try {
    input.pipe(unpacker);
    yield* unpacker;
  } catch (error) {
    if (inputError !== void 0) throw inputError;
    throw nameFault(error);
  } finally {
    input.destroy();
    unpacker.destroy();
  }
}
function nameFault(error) {
  const { code, message } = error;
  if (!/^(Z_|ZSTD_|ERR_ZLIB|ERR_ZSTD)/.test(code ?? "")) return error;
  return new MalformedLayerError(
    `Malformed layer: its compressed bytes ${code === "Z_BUF_ERROR" ? "end too early" : "are damaged"} (${message})`,
    { cause: error }
  );
}

// src/layer/entry.ts
function makeEntry(path2, attributes, xattrs, sha256) {
  const { type, mode, uid, gid, mtime, mtimeNs, size, link, devMajor, devMinor } = attributes;
  const entry = sha256 === void 0 ? { path: path2, type, mode, uid, gid, mtime, mtimeNs, size, link, devMajor, devMinor } : { path: path2, type, mode, uid, gid, mtime, mtimeNs, size, link, devMajor, devMinor, sha256 };
  if (xattrs !== void 0) entry.xattrs = xattrs;
  return entry;
}
function keepStored(xattrs) {
  const value = xattrs?.get(capability);
  return value === void 0 ? void 0 : /* @__PURE__ */ new Map([[capability, value]]);
}
var capability = "security.capability";
var whiteoutPrefix = ".wh.";
var opaqueMarker = ".wh..wh..opq";
function toRaw(text) {
  return Buffer.from(text, "utf8").toString("latin1");
}
function toText(raw) {
  return isPlain(raw) ? raw : Buffer.from(raw, "latin1").toString("utf8");
}
function toBytes(raw) {
  return Buffer.from(raw, "latin1");
}
function toPath(raw) {
  return isPlain(raw) ? raw : toBytes(raw);
}
function isPlain(raw) {
  return !/[^\x00-\x7f]/.test(raw);
}

// src/layer/held-input.ts
var { once: once3 } = process.getBuiltinModule("node:events");
var HeldInput = class {
  #to;
  #done;
  /** What goes wrong with the bytes also ends `answers`, with the same error: the helper must not take what came so far for all. */
  constructor(bytes, to, answers) {
    this.#to = to;
    to.on("error", () => {
    });
    answers.on("error", () => {
    });
    this.#done = this.#send(bytes).catch((error) => void answers.destroy(error));
  }
  /** Resolves when all bytes have been handed on, and so verified. */
  get done() {
    return this.#done;
  }
  close() {
    this.#to.destroy();
  }
  async #send(bytes) {
    const closed = new Promise((resolve) => this.#to.once("close", resolve));
    for await (const chunk of bytes) {
      if (this.#to.destroyed) return;
      if (!this.#to.write(chunk)) await Promise.race([once3(this.#to, "drain").catch(() => {
      }), closed]);
    }
    this.#to.end();
  }
};

// src/layer/held-tar.ts
var { open: open3 } = process.getBuiltinModule("node:fs/promises");
async function openHeldTar(layer, options) {
  const { helper, root = "", digests, maxBytes: maxBytes2, signal } = options;
  const ofFile = layer.file === void 0 ? void 0 : await compressionOf(layer.file);
  const file = ofFile === "zstd" ? void 0 : layer.file;
  const input = file === void 0 ? await expandZstd(layer.open(signal), { signal, maxBytes: maxBytes2 }) : void 0;
  const form = (input?.compression ?? ofFile) === "gzip" ? "gzip" : "plain";
  const extraFds = input === void 0 ? ["pipe"] : ["pipe", "pipe"];
  const session = new Session(helper.start(["unpack", root, file ?? "", form, digests ? "1" : "0"], { signal, extraFds }));
  const { stdout, fds } = session.process;
  return new HeldTar(layer, session, maxBytes2, input && new HeldInput(input.bytes, fds[1], stdout));
}
async function compressionOf(file) {
  const handle = await open3(file);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(4), 0, 4, 0);
    return sniffCompression(buffer.subarray(0, bytesRead));
  } finally {
    await handle.close();
  }
}
var kinds = { bytes: "I", kept: "P", passing: "B", passed: "E", end: "Z" };
var faults = { 1: "end too early", 2: "are damaged" };
var nothing2 = Buffer.alloc(0);
var HeldTar = class {
  position = 0;
  session;
  #layer;
  #maxBytes;
  #input;
  #events;
  #wanted;
  #batch = [];
  #at = 0;
  /** What comes next: bytes, or else a segment. */
  #bytes = nothing2;
  #segment;
  /** What is left of a piece that comes from a segment. */
  #piece = 0;
  #received = 0;
  #hasEnded = false;
  /** The helper reads the layer's file where there is no input. */
  constructor(layer, session, maxBytes2, input) {
    this.session = session;
    this.#layer = layer;
    this.#maxBytes = maxBytes2;
    this.#input = input;
    this.#events = readFrames(session.process.stdout)[Symbol.asyncIterator]();
    this.#wanted = new ByteSource(session.process.fds[0], Number.POSITIVE_INFINITY);
  }
  read(count) {
    return this.#bytes.length >= count ? Promise.resolve(this.#take(count)) : readWhole(this, count);
  }
  async next(most) {
    while (await this.#fill()) {
      if (this.#segment === void 0) return this.#take(Math.min(most, this.#bytes.length));
      const chunk = await this.#fetch(this.#segment, most);
      if (chunk !== void 0) return chunk;
      this.#segment = void 0;
    }
    return void 0;
  }
  async skip(count) {
    let left = count;
    while (left > 0 && await this.#fill()) {
      const segment = this.#segment;
      if (segment === void 0) left -= this.#take(Math.min(left, this.#bytes.length)).length;
      else if (segment.isWanted || segment.left > left) left -= (await this.next(left))?.length ?? 0;
      else left -= (await this.#pass(segment)).size;
    }
    return count - left;
  }
  async hold(size) {
    await this.#fill();
    const segment = this.#segment;
    if (segment === void 0 || segment.isWanted || segment.left !== size || segment.size !== size) return void 0;
    const offset = this.position;
    let ended;
    const end = () => {
      ended ??= this.#pass(segment);
      return ended;
    };
    return { offset, size, end };
  }
  async close() {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#input?.close();
    for (const stream of [this.session.process.stdout, ...this.session.process.fds]) stream?.destroy();
  }
  #take(count) {
    const part = this.#bytes.subarray(0, count);
    this.#bytes = this.#bytes.subarray(count);
    this.position += count;
    return part;
  }
  /** Asks for a segment's bytes and gives the next of them; undefined where the tar ends before the segment does. */
  async #fetch(segment, most) {
    if (!segment.isWanted) {
      segment.isWanted = true;
      this.session.frames.begin("G").u64(this.position).u64(segment.left).end();
      await this.session.frames.flush();
    }
    if (this.#piece === 0) this.#piece = (await this.#wanted.read(4))?.readUInt32LE() ?? 0;
    const chunk = this.#piece === 0 ? void 0 : await this.#wanted.next(Math.min(most, this.#piece));
    if (chunk === void 0) return void 0;
    this.#piece -= chunk.length;
    segment.left -= chunk.length;
    this.position += chunk.length;
    if (segment.left === 0) this.#segment = void 0;
    return chunk;
  }
  /** Passes over a whole segment. */
  #pass(segment) {
    this.#segment = void 0;
    const { size, sha256 } = segment;
    this.position += size;
    return sha256 === void 0 ? this.#passRest(size) : { size, sha256 };
  }
  async #passRest(announced) {
    const reader = new FrameReader(await this.#nextFrame());
    const end = { size: reader.u64(), sha256: hexOf2(reader.raw(32)) };
    this.position -= announced - end.size;
    if (end.size < announced) await this.#fill();
    return end;
  }
  /** Gets hold of more bytes or of a segment where there are none at hand; false at the end. */
  async #fill() {
    while (this.#bytes.length === 0 && this.#segment === void 0) {
      if (this.#hasEnded) return false;
      const frame = await this.#nextFrame();
      const kind = String.fromCharCode(frame[0] ?? 0);
      if (kind === kinds.end) await this.#end(frame);
      else if (kind === kinds.bytes) {
        this.#bytes = frame.subarray(1);
        this.#receive(this.#bytes.length);
      } else if (kind === kinds.kept || kind === kinds.passing) {
        const reader = new FrameReader(frame);
        const size = kind === kinds.kept ? reader.u32() : reader.u64();
        const sha256 = kind === kinds.kept ? hexOf2(reader.raw(32)) : void 0;
        this.#segment = { size, left: size, isWanted: false, sha256 };
        this.#receive(size);
      }
    }
    return true;
  }
  #receive(size) {
    this.#received += size;
    if (this.#received > this.#maxBytes) throw new MalformedLayerError(`Malformed layer: more than ${this.#maxBytes} bytes come out of it`);
  }
  async #nextFrame() {
    while (this.#at === this.#batch.length) {
      this.session.frames.begin("K").u64(this.position).end();
      await this.session.frames.flush();
      const { done, value } = await this.#events.next();
      if (done === true) throw helperGone;
      [this.#batch, this.#at] = [value, 0];
    }
    const frame = this.#batch[this.#at++];
    if (frame === void 0) throw helperGone;
    return frame;
  }
  /** All has passed: now it is known whether it was what it should be. */
  async #end(frame) {
    const reader = new FrameReader(frame);
    const fault = faults[reader.u8()];
    const why = reader.text();
    const tar = `sha256:${hexOf2(reader.raw(32))}`;
    const blob = `sha256:${hexOf2(reader.raw(32))}`;
    const { descriptor, diffId } = this.#layer;
    if (this.#input === void 0 && blob !== descriptor.digest) throw wrongDigest(descriptor.digest, blob);
    if (fault !== void 0) throw new MalformedLayerError(`Malformed layer: its compressed bytes ${fault} (${why})`);
    await this.#input?.done;
    if (tar !== diffId) throw wrongDigest(diffId, tar);
    this.#hasEnded = true;
  }
};
function wrongDigest(expected, found) {
  return new DigestMismatchError(`Cannot read blob "${expected}": its bytes have the digest ${found}`);
}
function hexOf2(latin1) {
  return Buffer.from(latin1, "latin1").toString("hex");
}

// src/layer/index-file.ts
var { finished, pipeline: pipeline2 } = process.getBuiltinModule("node:stream/promises");
var { createGunzip, createGzip } = process.getBuiltinModule("node:zlib");
var version = 1;
var types = ["file", "directory", "symlink", "hardlink", "char", "block", "fifo"];
var maxBytes = 1 << 30;
function openIndexWriter(diffId) {
  const gzip2 = createGzip({ level: 1, chunkSize: 64 << 10 });
  const chunks = [];
  gzip2.on("data", (chunk) => chunks.push(chunk));
  let text = `${JSON.stringify({ version, diffId })}
`;
  let count = 0;
  return {
    add(entry) {
      text += `${JSON.stringify(rowOf(entry))}
`;
      count += 1;
      if (text.length < 64 << 10) return;
      gzip2.write(text);
      text = "";
    },
    async end() {
      gzip2.end(`${text}${JSON.stringify(count)}
`);
      await finished(gzip2);
      return Buffer.concat(chunks);
    }
  };
}
function encodeIndex2({ diffId, entries }) {
  const writer = openIndexWriter(diffId);
  for (const entry of entries) writer.add(entry);
  return writer.end();
}
async function decodeIndex(bytes, diffId) {
  const entries = [];
  let hasHead = false;
  let count;
  for await (const line of readLines(bytes)) {
    const value = JSON.parse(line);
    if (count !== void 0) throw new Error(`the index of layer ${diffId} goes on after its end`);
    if (!hasHead) checkHead(value, diffId);
    else if (typeof value === "number") count = value;
    else entries.push(entryOf(value));
    hasHead = true;
  }
  if (entries.length !== count) throw new Error(`the index of layer ${diffId} is cut short`);
  return { diffId, entries };
}
async function* readLines(bytes) {
  let rest = "";
  let size = 0;
  const unpacked = createGunzip();
  void pipeline2(bytes, unpacked).catch(() => {
  });
  for await (const chunk of unpacked.setEncoding("utf8")) {
    size += chunk.length;
    if (size > maxBytes) throw new Error(`the index is longer than ${maxBytes} characters`);
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
  if (rest !== "") throw new Error("the index is cut short");
}
function checkHead(head, diffId) {
  const isHead = typeof head === "object" && head !== null && "version" in head && "diffId" in head;
  if (!isHead || head.version !== version || head.diffId !== diffId) throw new Error(`it is not the index of layer ${diffId}`);
}
function rowOf(entry) {
  const { path: path2, type, mode, uid, gid, mtime, mtimeNs, size, link, devMajor, devMinor, xattrs, sha256 = "", text } = entry;
  const row = [path2, types.indexOf(type), mode, uid, gid, mtime, size, sha256];
  const isPlain2 = mtimeNs === 0 && link === "" && devMajor === 0 && devMinor === 0 && xattrs === void 0 && text === void 0;
  if (!isPlain2) row.push([mtimeNs, link, devMajor, devMinor, [...xattrs ?? []], text ?? null]);
  return row;
}
function entryOf(row) {
  if (!isRow(row)) throw new Error("the index has a line that is no entry");
  const [path2, number, mode, uid, gid, mtime, size, sha256, rare] = row;
  const [mtimeNs, link, devMajor, devMinor, xattrs, text] = rare ?? [0, "", 0, 0, [], null];
  const type = types[number] ?? "file";
  const attributes = { type, mode, uid, gid, mtime, mtimeNs, size, link, devMajor, devMinor };
  const entry = makeEntry(path2, attributes, xattrs.length === 0 ? void 0 : new Map(xattrs), sha256 === "" ? void 0 : sha256);
  if (text !== null) entry.text = text;
  return entry;
}
function isRow(row) {
  if (!Array.isArray(row) || row.length < 8 || row.length > 9) return false;
  const [path2, ...rest] = row;
  const [sha256, rare] = rest.slice(6);
  const isNumbers = rest.slice(0, 6).every((value) => Number.isSafeInteger(value));
  return typeof path2 === "string" && isNumbers && typeof sha256 === "string" && /^(?:|[0-9a-f]{64})$/.test(sha256) && (rare === void 0 || isRare(rare));
}
function isRare(rare) {
  if (!Array.isArray(rare) || rare.length !== 6) return false;
  const [mtimeNs, link, devMajor, devMinor, xattrs, text] = rare;
  const isPair = (pair) => Array.isArray(pair) && pair.length === 2 && pair.every((part) => typeof part === "string");
  return [mtimeNs, devMajor, devMinor].every((value) => Number.isSafeInteger(value)) && typeof link === "string" && Array.isArray(xattrs) && xattrs.every(isPair) && (text === null || typeof text === "string");
}

// src/layer/header.ts
var blockSize = 512;
function paddingOf(size) {
  return (blockSize - size % blockSize) % blockSize;
}
function isZeroBlock(block) {
  for (let i = 0; i < blockSize; i++) if (block[i] !== 0) return false;
  return true;
}
function parseHeader(block) {
  if (!hasChecksum(block)) throw new MalformedLayerError("wrong header checksum");
  const magic = block.toString("latin1", 257, 265);
  const isUstar = magic.startsWith("ustar\0");
  const isGnu = magic === "ustar  \0";
  const flag = String.fromCharCode(block[156] ?? 0);
  const isDevice = flag === "3" || flag === "4";
  const isStar = isUstar && block.toString("latin1", 508, 512) === "tar\0";
  const prefix = isUstar ? parseText(block, 345, isStar ? 131 : 155) : "";
  const name = parseText(block, 0, 100);
  return {
    flag,
    name: prefix === "" ? name : `${prefix}/${name}`,
    link: parseText(block, 157, 100),
    mode: parseNumber(block, 100, 8, "mode"),
    uid: parseNumber(block, 108, 8, "uid"),
    gid: parseNumber(block, 116, 8, "gid"),
    size: parseNumber(block, 124, 12, "size"),
    mtime: parseNumber(block, 136, 12, "mtime"),
    devMajor: isDevice && (isUstar || isGnu) ? parseNumber(block, 329, 8, "device number") : 0,
    devMinor: isDevice && (isUstar || isGnu) ? parseNumber(block, 337, 8, "device number") : 0
  };
}
function hasChecksum(block) {
  const expected = parseNumber(block, 148, 8, "checksum");
  return expected === sumBlock(block, (byte) => byte) || expected === sumBlock(block, signed);
}
var signed = (byte) => byte > 127 ? byte - 256 : byte;
function sumBlock(block, value) {
  let sum = 8 * 32;
  for (let i = 0; i < 148; i++) sum += value(block[i] ?? 0);
  for (let i = 156; i < blockSize; i++) sum += value(block[i] ?? 0);
  return sum;
}
function parseText(block, offset, length) {
  const end = block.indexOf(0, offset);
  return block.toString("latin1", offset, end < 0 || end > offset + length ? offset + length : end);
}
function parseNumber(block, offset, length, what) {
  const first = block[offset] ?? 0;
  if (first & 128) return parseBase256(block, offset, length, what);
  let value = 0;
  let digits = 0;
  let ended = false;
  for (let i = offset; i < offset + length; i++) {
    const byte = block[i] ?? 0;
    if (byte === 32 || byte === 0) {
      ended = digits > 0;
      if (byte === 0 && ended) break;
    } else if (byte >= 48 && byte <= 55 && !ended) {
      value = value * 8 + byte - 48;
      digits += 1;
    } else throw new MalformedLayerError(`${what} is no number`);
  }
  return value;
}
function parseBase256(block, offset, length, what) {
  const isNegative = ((block[offset] ?? 0) & 64) !== 0;
  let value = BigInt((block[offset] ?? 0) & 63) - (isNegative ? 0x40n : 0n);
  for (let i = offset + 1; i < offset + length; i++) value = value << 8n | BigInt(block[i] ?? 0);
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw new MalformedLayerError(`${what} ${value} is out of range`);
  return number;
}
function formatHeader(fields) {
  const block = Buffer.allocUnsafe(blockSize).fill(0);
  block.write(fields.name, 0, 100, "latin1");
  writeOctal(block, fields.mode, 100, 8);
  writeOctal(block, fields.uid, 108, 8);
  writeOctal(block, fields.gid, 116, 8);
  writeOctal(block, fields.size, 124, 12);
  writeOctal(block, fields.mtime, 136, 12);
  block.write("        ", 148, 8, "latin1");
  block.write(fields.flag, 156, 1, "latin1");
  block.write(fields.link, 157, 100, "latin1");
  block.write("ustar\x0000", 257, 8, "latin1");
  writeOctal(block, fields.devMajor, 329, 8);
  writeOctal(block, fields.devMinor, 337, 8);
  block.write(fields.prefix, 345, 155, "latin1");
  let sum = 0;
  for (let i = 0; i < blockSize; i++) sum += block[i] ?? 0;
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, 8, "latin1");
  return block;
}
function writeOctal(block, value, offset, length) {
  block.write(value.toString(8).padStart(length - 1, "0"), offset, length - 1, "latin1");
}

// src/layer/pax.ts
var xattrPrefix = "SCHILY.xattr.";
function parsePax(bytes) {
  const values = /* @__PURE__ */ new Map();
  const sparsePieces = [];
  for (let start = 0; start < bytes.length; ) {
    const space = bytes.indexOf(32, start);
    const digits = space < 0 || space - start > 10 ? "" : bytes.toString("latin1", start, space);
    const end = start + Number(digits);
    if (!/^\d+$/.test(digits) || end > bytes.length || end < space + 3 || bytes[end - 1] !== 10)
      throw new MalformedLayerError("PAX record of wrong length");
    const equals = bytes.indexOf(61, space);
    if (equals <= space + 1 || equals >= end) throw new MalformedLayerError("PAX record without keyword");
    const key = bytes.toString("latin1", space + 1, equals);
    const value = bytes.toString("latin1", equals + 1, end - 1);
    if (key.includes("\0") || !key.startsWith(xattrPrefix) && value.includes("\0"))
      throw new MalformedLayerError(`PAX record ${JSON.stringify(key)} holds a NUL byte`);
    addSparsePiece(sparsePieces, key, value);
    values.set(key, value);
    start = end;
  }
  if (sparsePieces.length % 2 !== 0) throw new MalformedLayerError("sparse map ends in the middle");
  return { values, sparsePieces };
}
function addSparsePiece(pieces, key, value) {
  const isOffset = key === "GNU.sparse.offset";
  if (!isOffset && key !== "GNU.sparse.numbytes") return;
  if (pieces.length % 2 === 0 !== isOffset) throw new MalformedLayerError("sparse map out of order");
  pieces.push(value);
}
function xattrsOf({ values }) {
  let xattrs;
  for (const [key, value] of values) {
    if (!key.startsWith(xattrPrefix) || key.length === xattrPrefix.length) continue;
    xattrs ??= /* @__PURE__ */ new Map();
    xattrs.set(key.slice(xattrPrefix.length), value);
  }
  return xattrs;
}
function parseDecimal(text, what) {
  const value = Number(text);
  if (!/^\d{1,19}$/.test(text) || !Number.isSafeInteger(value))
    throw new MalformedLayerError(`${what} ${JSON.stringify(text)} is no number`);
  return value;
}
function parseTime(text) {
  const match = /^(-?)(\d{1,16})(?:\.(\d*))?$/.exec(text);
  const whole = Number(match?.[2]);
  if (match === null || !Number.isSafeInteger(whole)) throw new MalformedLayerError(`time ${JSON.stringify(text)} is no number`);
  const nanoseconds = Number((match[3] ?? "").slice(0, 9).padEnd(9, "0"));
  if (match[1] === "") return { seconds: whole, nanoseconds };
  return nanoseconds === 0 ? { seconds: 0 - whole, nanoseconds } : { seconds: -whole - 1, nanoseconds: 1e9 - nanoseconds };
}
function formatPax(values) {
  const records = [...values].sort(([a], [b]) => a < b ? -1 : 1).map(([key, value]) => formatRecord(` ${key}=${value}
`));
  return Buffer.from(records.join(""), "latin1");
}
function formatRecord(rest) {
  let length = rest.length + String(rest.length).length;
  length = rest.length + String(length).length;
  return `${length}${rest}`;
}
function xattrRecord(name) {
  return xattrPrefix + name;
}

// src/layer/write-tar.ts
var flags = {
  file: "0",
  hardlink: "1",
  symlink: "2",
  char: "3",
  block: "4",
  directory: "5",
  fifo: "6"
};
var maxSmall = 2097151;
var maxLarge = 8589934591;
var trailer = Buffer.alloc(2 * blockSize);
function storedEntry(entry, clampMtime) {
  const stored = makeEntry(entry.path, entry, keepStored(entry.xattrs), entry.type === "file" ? "" : void 0);
  if (clampMtime !== void 0) stored.mtime = Math.min(entry.mtime, clampMtime);
  stored.mtimeNs = 0;
  if (entry.type !== "file") stored.size = 0;
  if (entry.type !== "symlink" && entry.type !== "hardlink") stored.link = "";
  return stored;
}
function encodeEntry(entry) {
  checkEntry(entry);
  const name = entry.type === "directory" ? `${entry.path === "" ? "." : entry.path}/` : entry.path;
  const records = /* @__PURE__ */ new Map();
  const split = splitName(name);
  if (split === void 0) records.set("path", name);
  if (entry.link.length > 100 || !isAscii(entry.link)) records.set("linkpath", entry.link);
  const fit = (key, value, most) => {
    if (value >= 0 && value <= most) return value;
    records.set(key, String(value));
    return 0;
  };
  const fields = {
    flag: flags[entry.type],
    name: split?.name ?? name.slice(0, 100),
    prefix: split?.prefix ?? "",
    link: entry.link.slice(0, 100),
    mode: entry.mode,
    uid: fit("uid", entry.uid, maxSmall),
    gid: fit("gid", entry.gid, maxSmall),
    size: fit("size", entry.size, maxLarge),
    mtime: fit("mtime", entry.mtime, maxLarge),
    devMajor: entry.devMajor,
    devMinor: entry.devMinor
  };
  for (const [key, value] of entry.xattrs ?? []) records.set(xattrRecord(key), value);
  const header = formatHeader(fields);
  return records.size === 0 ? header : Buffer.concat([encodeRecords(records), header]);
}
function encodeRecords(records) {
  const body = formatPax(records);
  const fields = {
    flag: "x",
    name: "PaxHeaders",
    prefix: "",
    link: "",
    mode: 420,
    uid: 0,
    gid: 0,
    size: body.length,
    mtime: 0,
    devMajor: 0,
    devMinor: 0
  };
  return Buffer.concat([formatHeader(fields), body, Buffer.alloc(paddingOf(body.length))]);
}
function splitName(name) {
  if (!isAscii(name)) return void 0;
  if (name.length <= 100) return { prefix: "", name };
  const slash3 = name.lastIndexOf("/", Math.min(155, name.length - 2));
  if (slash3 <= 0 || name.length - slash3 - 1 > 100) return void 0;
  return { prefix: name.slice(0, slash3), name: name.slice(slash3 + 1) };
}
function isAscii(text) {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 127) return false;
  return true;
}
function checkEntry(entry) {
  const wrong = (/\0/.test(entry.path) || /\0/.test(entry.link) ? "its name holds a NUL byte" : void 0) ?? (entry.path === "" && entry.type !== "directory" ? "the root is a directory" : void 0) ?? ((entry.type === "symlink" || entry.type === "hardlink") && entry.link === "" ? "it links to nothing" : void 0) ?? (isWithin(entry.mode, 4095) ? void 0 : `its mode is ${entry.mode}`) ?? (isWithin(entry.uid, 4294967294) && isWithin(entry.gid, 4294967294) ? void 0 : `its owner is ${entry.uid}:${entry.gid}`) ?? (isWithin(entry.size, Number.MAX_SAFE_INTEGER) ? void 0 : `its size is ${entry.size}`) ?? (Number.isSafeInteger(entry.mtime) ? void 0 : `its time is ${entry.mtime}`) ?? (isWithin(entry.devMajor, maxSmall) && isWithin(entry.devMinor, maxSmall) ? void 0 : `its device is ${entry.devMajor}:${entry.devMinor}`);
  if (wrong !== void 0) throw new Error(`Cannot write "${toText(entry.path)}" to a layer: ${wrong}`);
}
function isWithin(value, most) {
  return Number.isInteger(value) && value >= 0 && value <= most;
}

// src/layer/item.ts
var { hash: hash2 } = process.getBuiltinModule("node:crypto");
var { closeSync, constants: constants2, fstatSync, openSync, readSync } = process.getBuiltinModule("node:fs");
var { setImmediate } = process.getBuiltinModule("node:timers/promises");
var ContentChangedError = class extends Error {
  name = "ContentChangedError";
};
var keptTexts = /* @__PURE__ */ new Set(["etc/passwd", "etc/group"]);
var maxKeptText = 10 << 20;
function prepareItem({ entry, content }, clampMtime) {
  const stored = storedEntry(entry, clampMtime);
  const header = encodeEntry(stored);
  const size = content === void 0 ? 0 : content.kind === "bytes" ? content.bytes.length : content.size;
  if (size !== stored.size)
    throw new Error(`Cannot write "${toText(entry.path)}" to a layer: it has ${size} bytes of content, not ${stored.size}`);
  if (stored.type !== "file") return { entry: stored, header, content: void 0, expected: void 0 };
  const bytes = readKept(stored, content);
  if (bytes !== void 0) stored.text = bytes.toString("latin1");
  const held = bytes === void 0 ? content : { kind: "bytes", bytes };
  return { entry: stored, header, content: size === 0 ? void 0 : held, expected: entry.sha256 };
}
function announceItem({ entry, content }, clampMtime) {
  const stored = storedEntry(entry, clampMtime);
  const bytes = readKept(stored, content);
  if (bytes !== void 0) stored.text = bytes.toString("latin1");
  return stored;
}
function readKept({ type, path: path2, size }, content) {
  if (type !== "file" || !keptTexts.has(path2) || size > maxKeptText) return void 0;
  if (content === void 0) return Buffer.alloc(0);
  return content.kind === "bytes" ? Buffer.from(content.bytes) : Buffer.concat([...readRange(content)]);
}
function settleDigest(item, sha256) {
  if (item.expected !== void 0 && item.expected !== sha256)
    throw new ContentChangedError(`Cannot write "${toText(item.entry.path)}" to a layer: the context changed while building`);
  item.entry.sha256 = sha256;
}
var sha256OfNothing = hash2("sha256", "", "hex");
function settleInline(item) {
  if (item.content === void 0) settleDigest(item, sha256OfNothing);
  else if (item.content.kind === "bytes") settleDigest(item, hash2("sha256", item.content.bytes, "hex"));
  else return false;
  return true;
}
function* readRange(range) {
  let handle;
  try {
    handle = openSync(toBytes(range.path), constants2.O_RDONLY | constants2.O_NOFOLLOW | constants2.O_NONBLOCK);
  } catch (cause) {
    throw contentFailure(range.path, cause);
  }
  try {
    if (!fstatSync(handle).isFile()) throw changedFile(range.path);
    for (let done = 0; done < range.size; ) {
      const buffer = Buffer.allocUnsafe(Math.min(range.size - done, 256 << 10));
      const count = readSync(handle, buffer, 0, buffer.length, range.offset + done);
      if (count === 0) throw changedFile(range.path);
      done += count;
      yield buffer.subarray(0, count);
    }
  } finally {
    closeSync(handle);
  }
}
var turnBytes = 4 << 20;
async function digestContent(content) {
  if (content.kind === "bytes") return hash2("sha256", content.bytes, "hex");
  const digest = new ContentHash(content.size);
  let sinceTurn = 0;
  for await (const chunk of content.read?.() ?? readRange(content)) {
    digest.update(chunk);
    sinceTurn += chunk.length;
    if (sinceTurn < turnBytes) continue;
    sinceTurn = 0;
    await setImmediate();
  }
  return digest.digest();
}
function changedFile(path2, cause) {
  const text = `Cannot read "${toText(path2)}": the context changed while building`;
  return new ContentChangedError(text, cause === void 0 ? {} : { cause });
}
function contentFailure(path2, cause) {
  const isReplaced = cause.code === "ENOENT" || cause.code === "ENOTDIR" || cause.code === "ELOOP";
  return isReplaced ? changedFile(path2, cause) : new Error(`Cannot read "${toText(path2)}": ${cause.message}`, { cause });
}

// src/layer/pack.ts
async function writePacked(items, options) {
  const entries = [];
  const waiting = [];
  return { ...await pack((out) => sendItems(items, { out, entries, waiting }), waiting, options), entries };
}
function packBytes(tar, options) {
  const send = async (out) => {
    for await (const chunk of tar) await out.literal(chunk);
  };
  return pack(send, [], options);
}
async function pack(send, waiting, { helper, path: path2, level, signal }) {
  const stop = new AbortController();
  const child = helper.start(["pack", path2, String(level)], {
    signal: signal === void 0 ? stop.signal : AbortSignal.any([signal, stop.signal])
  });
  const out = new PackWriter(child.stdin, stop.signal);
  const sending = send(out).then(() => out.end()).then(
    () => void 0,
    (reason) => {
      if (reason !== brokenPipe) stop.abort();
      return reason;
    }
  );
  const answer = await readAnswers(child.stdout, waiting).catch((reason) => {
    stop.abort();
    return { failure: reason };
  });
  const failure = await sending;
  const exit = await child.exited;
  signal?.throwIfAborted();
  if (answer !== void 0 && "failure" in answer) throw answer.failure;
  if (failure !== void 0 && failure !== brokenPipe) throw failure;
  if (answer === void 0 || exit.code !== 0)
    throw new Error(`Cannot write a layer: ${exit.stderr || `the helper ended with ${exit.signal ?? `exit code ${exit.code}`}`}`);
  return answer;
}
var brokenPipe = new Error("Cannot write a layer: the helper ended early");
async function sendItems(items, { out, entries, waiting }) {
  for await (const item of items) {
    entries.push(item.entry);
    out.add(item.header);
    if (item.entry.type === "file") {
      const { content } = item;
      if (settleInline(item)) {
        if (content?.kind === "bytes") await out.literal(content.bytes);
      } else if (content?.kind === "file" && content.read !== void 0) {
        const hash3 = new ContentHash(content.size);
        for await (const chunk of content.read()) {
          hash3.update(chunk);
          await out.literal(chunk);
        }
        settleDigest(item, hash3.digest());
      } else if (content?.kind === "file") {
        waiting.push(item);
        out.file(content.path, content.offset, content.size);
      }
      out.add(trailer.subarray(0, paddingOf(item.entry.size)));
    }
    if (out.isFull) await out.flush();
  }
  out.add(trailer);
}
var maxPiece = 64 << 10;
var PackWriter = class {
  #stdin;
  #frames;
  #stopped;
  /** Whether a frame of literal bytes has begun. */
  #isLiteral = false;
  constructor(stdin, stopped) {
    this.#stdin = stdin;
    this.#frames = new FrameWriter(stdin);
    this.#stopped = stopped;
  }
  get isFull() {
    return this.#frames.isFull;
  }
  /** Literal bytes, not many. */
  add(bytes) {
    if (!this.#isLiteral) this.#frames.begin("L");
    this.#isLiteral = true;
    this.#frames.raw(bytes);
  }
  /** Literal bytes, any number of them. */
  async literal(bytes) {
    for (let at = 0; at < bytes.length; at += maxPiece) {
      this.add(bytes.subarray(at, at + maxPiece));
      if (this.isFull) await this.flush();
    }
  }
  file(path2, offset, size) {
    this.#close();
    this.#frames.begin("F").u64(offset).u64(size).text(path2).close();
  }
  async end() {
    this.#close();
    this.#frames.begin("Z").close();
    await this.flush();
    this.#stdin.end();
  }
  /** Resolves when there is room for more. */
  async flush() {
    this.#close();
    this.#stopped.throwIfAborted();
    if (!this.#stdin.writable) throw brokenPipe;
    await this.#frames.flush();
    if (this.#stdin.destroyed) throw brokenPipe;
  }
  #close() {
    if (this.#isLiteral) this.#frames.close();
    this.#isLiteral = false;
  }
};
async function readAnswers(stdout, waiting) {
  let result;
  let answered = 0;
  for await (const frames of readFrames(stdout)) {
    for (const frame of frames) {
      const [kind, body] = [String.fromCharCode(frame[0] ?? 0), frame.subarray(1)];
      if (kind === "d") {
        for (let at = 0; at < body.length; at += 32) settleDigest(mustWait(waiting, answered++), body.toString("hex", at, at + 32));
        if (answered >= 1024) answered -= waiting.splice(0, answered).length;
      } else if (kind === "r") result = readResult(body);
      else if (kind === "c") throw changedFile(body.toString("latin1"));
    }
  }
  return result;
}
function mustWait(waiting, index) {
  const item = waiting[index];
  if (item === void 0) throw new Error("Cannot write a layer: the helper answered more than it was asked");
  return item;
}
function readResult(body) {
  const diffId = `sha256:${body.toString("hex", 0, 32)}`;
  const digest = `sha256:${body.toString("hex", 32, 64)}`;
  if (!isDigest(diffId) || !isDigest(digest)) throw new Error(`Cannot write a layer: the helper's answer is ${body.length} bytes long`);
  return { diffId, digest, size: Number(body.readBigUInt64LE(64)), compressor: toText(body.toString("latin1", 72)) };
}

// src/layer/name.ts
var maxPath = 4095;
var longPart = /[^/]{256}/;
var needsWork = /(?:^|\/)\.{0,2}(?:\/|$)/;
function normalizeName(name, maxDepth) {
  const path2 = needsWork.test(name) ? resolveParts(name) : name;
  if (path2.length > maxPath || longPart.test(path2)) throw new MalformedLayerError(`name of ${path2.length} bytes is too long`);
  let depth = 0;
  for (let slash3 = path2.indexOf("/"); slash3 >= 0; slash3 = path2.indexOf("/", slash3 + 1)) depth += 1;
  if (depth >= maxDepth) throw new MalformedLayerError(`directories nested ${depth + 1} deep`);
  return path2;
}
function resolveParts(name) {
  const parts = [];
  for (const part of name.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return parts.join("/");
}
function checkTarget(target) {
  if (target === "") throw new MalformedLayerError("symlink without target");
  if (target.length > maxPath) throw new MalformedLayerError(`symlink target of ${target.length} bytes is too long`);
  return target;
}

// src/layer/sparse.ts
async function readOldMap(header, { source, maxHeaderBytes, stored }) {
  const size = parseNumber(header, 483, 12, "sparse size");
  const pieces = [];
  let block = header;
  let [first, count, more] = [386, 4, header[482]];
  for (let bytes = 0; ; bytes += blockSize) {
    if (bytes > maxHeaderBytes) throw new MalformedLayerError(`sparse map of more than ${maxHeaderBytes} bytes`);
    for (let i = 0; i < count; i++) {
      const at = first + i * 24;
      if (block[at] === 0) break;
      pieces.push(parseNumber(block, at, 12, "sparse offset"), parseNumber(block, at + 12, 12, "sparse length"));
    }
    if (!more) return checkMap({ size, stored, pieces });
    block = await mustRead2(source);
    [first, count, more] = [0, 21, block[504]];
  }
}
async function readPaxMap({ values, sparsePieces }, place) {
  const version2 = `${values.get("GNU.sparse.major") ?? ""}.${values.get("GNU.sparse.minor") ?? ""}`;
  const map = values.get("GNU.sparse.map");
  const isOld = version2 === "0.0" || version2 === "0.1" || version2 === "." && (map !== void 0 || sparsePieces.length > 0);
  if (!isOld && version2 === ".") return void 0;
  const size = values.get("GNU.sparse.size") ?? values.get("GNU.sparse.realsize");
  if (size === void 0) throw new MalformedLayerError("sparse file without size");
  const whole = parseDecimal(size, "sparse size");
  if (isOld) {
    const texts = map === void 0 ? sparsePieces : map === "" ? [] : map.split(",");
    return checkMap({ size: whole, stored: place.stored, pieces: texts.map((text) => parseDecimal(text, "sparse map entry")) });
  }
  if (version2 !== "1.0") throw new MalformedLayerError(`sparse format ${version2} is unknown`);
  return readMapInData(whole, place);
}
async function readMapInData(size, { source, maxHeaderBytes, stored }) {
  const pieces = [];
  let [rest, wanted, bytes] = ["", -1, 0];
  while (wanted !== pieces.length) {
    bytes += blockSize;
    if (bytes > stored) throw new MalformedLayerError("sparse map is longer than its entry");
    if (bytes > maxHeaderBytes) throw new MalformedLayerError(`sparse map of more than ${maxHeaderBytes} bytes`);
    const lines = (rest + (await mustRead2(source)).toString("latin1")).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (wanted === pieces.length) break;
      const number = parseDecimal(line, "sparse map entry");
      if (wanted < 0) wanted = number * 2;
      else pieces.push(number);
    }
    if (wanted !== pieces.length && rest.length > 20) throw new MalformedLayerError("sparse map is not made of numbers");
  }
  return checkMap({ size, stored: stored - bytes, pieces });
}
async function mustRead2(source) {
  const block = await source.read(blockSize);
  if (block === void 0) throw new MalformedLayerError("it ends in the middle of a sparse map");
  return block;
}
function checkMap(map) {
  let [end, data] = [0, 0];
  if (map.pieces.length % 2 !== 0) throw new MalformedLayerError("sparse map ends in the middle");
  for (let i = 0; i < map.pieces.length; i += 2) {
    const [offset = 0, length = 0] = [map.pieces[i], map.pieces[i + 1]];
    if (offset < end || length < 0 || offset + length > map.size)
      throw new MalformedLayerError("sparse map entries overlap or pass the file's end");
    end = offset + length;
    data += length;
  }
  if (data !== map.stored) throw new MalformedLayerError(`sparse map of ${data} bytes does not match the ${map.stored} bytes stored`);
  return map;
}

// src/layer/read-tar.ts
var types2 = {
  "0": "file",
  "\0": "file",
  "7": "file",
  S: "file",
  "1": "hardlink",
  "2": "symlink",
  "3": "char",
  "4": "block",
  "5": "directory",
  "6": "fifo"
};
var zeros = Buffer.alloc(64 << 10);
var maxId = 4294967294;
function readTar(stream, limits = defaultLimits) {
  return readEntries(new ByteSource(stream, limits.maxBytes), limits);
}
async function* readEntries(source, limits) {
  const totals = { entries: 0, nameBytes: 0, bytes: 0 };
  try {
    for (; ; ) {
      const next = await readEntry(source, limits);
      if (next === void 0) break;
      countEntry(totals, next, limits);
      yield next;
      await next.content.finish();
    }
    await source.skip(Number.POSITIVE_INFINITY);
  } finally {
    await source.close();
  }
}
function countEntry(totals, { entry }, limits) {
  totals.entries += 1;
  totals.bytes += entry.size;
  totals.nameBytes += entry.path.length + entry.link.length;
  for (const [name, value] of entry.xattrs ?? []) totals.nameBytes += name.length + value.length;
  if (totals.entries > limits.maxEntries) throw new MalformedLayerError(`Malformed layer: it has more than ${limits.maxEntries} entries`);
  if (totals.bytes > limits.maxBytes) throw new MalformedLayerError(`Malformed layer: more than ${limits.maxBytes} bytes come out of it`);
  if (totals.nameBytes > limits.maxNameBytes)
    throw new MalformedLayerError(`Malformed layer: its names and attributes take more than ${limits.maxNameBytes} bytes`);
}
async function readEntry(source, limits) {
  let extension = {};
  for (; ; ) {
    const at = source.position;
    const block = await source.read(blockSize);
    if (block === void 0 || isZeroBlock(block)) {
      if (extension.pax || extension.name !== void 0 || extension.link !== void 0)
        throw new MalformedLayerError(`Malformed layer: an extended header at its end, byte ${at}, belongs to no entry`);
      if (block !== void 0) await checkTrailer(source);
      return void 0;
    }
    let name = "";
    try {
      const header = parseHeader(block);
      name = header.name;
      if (header.size < 0) throw new MalformedLayerError(`size is ${header.size}`);
      switch (header.flag) {
        case "x":
        case "X":
          extension = { ...extension, pax: parsePax(await readBody(source, header, limits)) };
          break;
        case "g":
          extension = {};
          await skipBody(source, header);
          break;
        case "L":
          extension = { ...extension, name: upToNul(await readBody(source, header, limits)) };
          break;
        case "K":
          extension = { ...extension, link: upToNul(await readBody(source, header, limits)) };
          break;
        case "V":
          await skipBody(source, header);
          break;
        default:
          return await makeEntry2({ block, header, extension, source, limits });
      }
    } catch (error) {
      if (!(error instanceof MalformedLayerError) || error.message.startsWith("Malformed layer")) throw error;
      const where = name === "" ? "" : ` (${JSON.stringify(Buffer.from(name, "latin1").toString())})`;
      throw new MalformedLayerError(`Malformed layer: ${error.message}, in the entry at byte ${at}${where}`, { cause: error });
    }
  }
}
async function checkTrailer(source) {
  const second = await source.read(blockSize);
  if (second !== void 0 && !isZeroBlock(second))
    throw new MalformedLayerError("Malformed layer: a lone zero block stands between entries");
}
async function readBody(source, header, limits) {
  if (header.size > limits.maxHeaderBytes)
    throw new MalformedLayerError(`extended header of ${header.size} bytes, more than ${limits.maxHeaderBytes}`);
  const body = header.size === 0 ? Buffer.alloc(0) : await source.read(header.size);
  if (body === void 0) throw new MalformedLayerError("it ends in the middle of an extended header");
  await source.skip(paddingOf(header.size));
  return body;
}
async function skipBody(source, header) {
  const whole = header.size + paddingOf(header.size);
  if (await source.skip(whole) !== whole) throw new MalformedLayerError("it ends in the middle of an extended header");
}
function upToNul(body) {
  const end = body.indexOf(0);
  return body.toString("latin1", 0, end < 0 ? body.length : end);
}
async function makeEntry2({ block, header, extension, source, limits }) {
  const values = extension.pax?.values;
  const record = (key) => values?.get(key) || void 0;
  const name = record("GNU.sparse.name") ?? extension.name ?? record("path") ?? header.name;
  const isLegacyDirectory = header.flag === "\0" && name.endsWith("/");
  const type = isLegacyDirectory ? "directory" : types2[header.flag];
  if (type === void 0) throw new MalformedLayerError(`entry type ${JSON.stringify(header.flag)} is unknown`);
  const path2 = normalizeName(name, limits.maxDepth);
  if (path2 === "" && type !== "directory") throw new MalformedLayerError(`a ${type} stands where the root directory is`);
  const target = extension.link ?? record("linkpath") ?? header.link;
  const link = type === "symlink" ? checkTarget(target) : type === "hardlink" ? normalizeName(target, limits.maxDepth) : "";
  if (type === "hardlink" && link === "") throw new MalformedLayerError("a hard link to the root");
  const time = record("mtime");
  const { seconds, nanoseconds } = time === void 0 ? { seconds: header.mtime, nanoseconds: 0 } : parseTime(time);
  const sizeText = record("size");
  const announced = sizeText === void 0 ? header.size : parseDecimal(sizeText, "size");
  const stored = type === "file" ? announced : 0;
  const place = { source, maxHeaderBytes: limits.maxHeaderBytes, stored };
  const map = type !== "file" ? void 0 : header.flag === "S" ? await readOldMap(block, place) : extension.pax && await readPaxMap(extension.pax, place);
  const xattrs = extension.pax && xattrsOf(extension.pax);
  const entry = {
    path: path2,
    type,
    mode: header.mode & 4095,
    uid: parseId(record("uid"), header.uid, "uid"),
    gid: parseId(record("gid"), header.gid, "gid"),
    mtime: seconds,
    mtimeNs: nanoseconds,
    size: map?.size ?? stored,
    link,
    devMajor: header.devMajor,
    devMinor: header.devMinor,
    ...xattrs === void 0 ? {} : { xattrs }
  };
  return { entry, content: new Content(source, entry, map, paddingOf(stored)) };
}
function parseId(text, fallback, what) {
  const id = text === void 0 ? fallback : parseDecimal(text, what);
  if (id < 0 || id > maxId) throw new MalformedLayerError(`${what} ${id} is out of range`);
  return id;
}
var Content = class {
  #source;
  #entry;
  #map;
  #padding;
  #left;
  #isTaken = false;
  #held;
  constructor(source, entry, map, padding2) {
    this.#source = source;
    this.#entry = entry;
    this.#map = map;
    this.#padding = padding2;
    this.#left = map?.stored ?? entry.size;
  }
  async *[Symbol.asyncIterator]() {
    if (this.#isTaken) throw new Error(`Cannot read ${this.#name()} again: the archive has moved on`);
    this.#isTaken = true;
    if (this.#map === void 0) return yield* this.#data(this.#left);
    let at = 0;
    for (let i = 0; i < this.#map.pieces.length; i += 2) {
      const [offset = 0, length = 0] = [this.#map.pieces[i], this.#map.pieces[i + 1]];
      yield* this.#hole(offset - at);
      yield* this.#data(length);
      at = offset + length;
    }
    yield* this.#hole(this.#map.size - at);
  }
  async hold() {
    if (this.#isTaken || this.#map !== void 0 || this.#left === 0) return void 0;
    const held = await this.#source.hold?.(this.#left);
    if (held === void 0) return void 0;
    this.#isTaken = true;
    this.#held = held;
    this.#left = 0;
    return held;
  }
  /** Skips what was not read, and the padding after it. */
  async finish() {
    this.#isTaken = true;
    if (this.#held !== void 0) this.#left = this.#held.size - (await this.#held.end()).size;
    else this.#left -= await this.#source.skip(this.#left);
    if (this.#left > 0) throw this.#tooShort();
    if (this.#padding > 0) await this.#source.skip(this.#padding);
  }
  async *#data(length) {
    for (let left = length; left > 0; ) {
      const chunk = await this.#next(left);
      left -= chunk.length;
      yield chunk;
    }
  }
  async *#hole(length) {
    for (let left = length; left > 0; left -= zeros.length) yield left < zeros.length ? zeros.subarray(0, left) : zeros;
  }
  async #next(most) {
    if (this.#left === 0) throw new Error(`Cannot read ${this.#name()}: the archive has moved on`);
    const chunk = await this.#source.next(most);
    if (chunk === void 0) throw this.#tooShort();
    this.#left -= chunk.length;
    return chunk;
  }
  #tooShort() {
    const missing = `${this.#left} bytes before the end of ${this.#name()}`;
    return new MalformedLayerError(`Malformed layer: it ends at byte ${this.#source.position}, ${missing}`);
  }
  #name() {
    return JSON.stringify(Buffer.from(this.#entry.path, "latin1").toString());
  }
};

// src/layer/write-layer.ts
var { createHash: createHash6 } = process.getBuiltinModule("node:crypto");
var padding = Buffer.alloc(512);
async function writeHere(items, options) {
  const entries = [];
  return { ...await writeBytesHere(encodeItems(items, entries), options), entries };
}
async function writeBytesHere(tar, { path: path2, compressor, signal }) {
  const hash3 = createHash6("sha256");
  const { digest, size } = await writeFile2(path2, compressor.compress(hashed(tar, hash3)), signal);
  return { diffId: `sha256:${hash3.digest("hex")}`, digest, size, compressor: compressor.id };
}
async function* hashed(stream, hash3) {
  for await (const chunk of stream) {
    hash3.update(chunk);
    yield chunk;
  }
}
async function* encodeItems(items, entries) {
  for await (const item of items) {
    entries.push(item.entry);
    yield item.header;
    if (item.entry.type !== "file") continue;
    const { content } = item;
    if (settleInline(item)) {
      if (content?.kind === "bytes") yield content.bytes;
    } else if (content?.kind === "file") {
      const hash3 = new ContentHash(content.size);
      for await (const chunk of content.read?.() ?? readRange(content)) {
        hash3.update(chunk);
        yield chunk;
      }
      settleDigest(item, hash3.digest());
    }
    yield padding.subarray(0, paddingOf(item.entry.size));
  }
  yield trailer;
}

// src/layer/layer.ts
var { rm: rm2 } = process.getBuiltinModule("node:fs/promises");
async function readLayer(layer, visitor, options = {}) {
  const { signal, limits = defaultLimits, tar } = options;
  try {
    const entries = tar === void 0 ? readTar(expandedBytes(layer, { signal, limits }), limits) : readEntries(tar, limits);
    for await (const { entry, content } of entries) {
      const taken = visitor.entry(entry, content);
      if (taken !== void 0) await taken;
    }
  } catch (error) {
    signal?.throwIfAborted();
    throw faultOf(layer, error);
  }
}
function expandedBytes(layer, { signal, limits }) {
  return verifyBytes(decompress(layer.open(signal), { signal, maxBytes: limits.maxBytes }), { digest: layer.diffId });
}
function faultOf({ descriptor }, error) {
  const isFault = error instanceof MalformedLayerError || error instanceof DigestMismatchError;
  if (!isFault) return error;
  const Fault = error instanceof MalformedLayerError ? MalformedLayerError : DigestMismatchError;
  return new Fault(`Cannot read layer "${descriptor.digest}": ${error.message}`, { cause: error });
}
async function indexLayer(layer, { helper, ...options } = {}) {
  const entries = [];
  const visitor = {
    async entry(entry, content) {
      entries.push(entry.type === "file" ? withSummary(entry, await summarizeContent(entry, content)) : entry);
    }
  };
  if (helper === void 0) await readLayer(layer, visitor, options);
  else await readHeld(layer, visitor, { ...options, helper });
  return { diffId: layer.diffId, entries };
}
async function readHeld(layer, visitor, options) {
  const { signal, limits = defaultLimits, helper } = options;
  const tar = await openHeldTar(layer, { helper, digests: true, maxBytes: limits.maxBytes, signal });
  try {
    await readLayer(layer, visitor, { ...options, tar });
    await tar.session.finish("read a layer");
  } catch (error) {
    if (signal?.aborted) await tar.session.fail(signal.reason).catch(() => {
    });
    signal?.throwIfAborted();
    await tar.session.fail(error);
  }
}
async function summarizeContent(entry, content, take = () => {
}) {
  const kept2 = keptTexts.has(entry.path) && entry.size <= maxKeptText ? [] : void 0;
  const held = kept2 === void 0 ? await content.hold() : void 0;
  if (held !== void 0) {
    await take(held);
    return { sha256: (await held.end()).sha256 };
  }
  const hash3 = new ContentHash(entry.size);
  const chunks = observe(content, (chunk) => {
    hash3.update(chunk);
    kept2?.push(chunk);
  });
  await take({ [Symbol.asyncIterator]: () => leaveOpen(chunks) });
  for (let next = await chunks.next(); !next.done; next = await chunks.next()) ;
  const sha256 = hash3.digest();
  return kept2 === void 0 ? { sha256 } : { sha256, text: Buffer.concat(kept2).toString("latin1") };
}
function withSummary(entry, { sha256, text }) {
  const known = makeEntry(entry.path, entry, entry.xattrs, sha256);
  if (text !== void 0) known.text = text;
  return known;
}
async function* observe(stream, see) {
  for await (const chunk of stream) {
    see(chunk);
    yield chunk;
  }
}
function leaveOpen(chunks) {
  return { next: () => chunks.next() };
}
async function checkCompression(compression, level) {
  await openCompressor(compression, level);
}
async function writeLayer(items, options) {
  const { compression, helper, signal, clampMtime } = options;
  const level = checkLevel(compression, options.level);
  const prepared = prepareItems(items, clampMtime, signal);
  const { written, layer } = await storeLayer(
    options,
    async (path2) => helper !== void 0 && compression === "gzip" ? writePacked(prepared, { helper, path: path2, level, signal }) : writeHere(prepared, { path: path2, compressor: await openCompressor(compression, level), signal })
  );
  return { layer, index: { diffId: layer.diffId, entries: written.entries }, compressor: written.compressor };
}
async function recompressLayer(old, options) {
  const { compression, helper, signal } = options;
  const level = checkLevel(compression, options.level);
  try {
    const { written, layer } = await storeLayer(options, async (path2) => {
      const tar = decompress(old.open(signal), { signal });
      const packed = helper !== void 0 && compression === "gzip" ? await packBytes(tar, { helper, path: path2, level, signal }) : await writeBytesHere(tar, { path: path2, compressor: await openCompressor(compression, level), signal });
      if (packed.diffId !== old.diffId)
        throw new DigestMismatchError(`its content has the digest ${packed.diffId} instead of ${old.diffId}`);
      return packed;
    });
    return { layer, compressor: written.compressor };
  } catch (error) {
    signal?.throwIfAborted();
    throw faultOf(old, error);
  }
}
async function storeLayer({ blobs, compression }, write2) {
  const path2 = await blobs.temporary();
  try {
    const written = await write2(path2);
    const { diffId, digest, size } = written;
    const file = await blobs.publish(path2, digest);
    const descriptor = { mediaType: mediaTypes.oci.layer[compression], digest, size };
    return { written, layer: { descriptor, diffId, compression, open: () => blobs.open(digest), file } };
  } catch (error) {
    await rm2(path2, { force: true });
    throw error;
  }
}
function* announceItems(items, { clampMtime }) {
  for (const item of items) yield announceItem(item, clampMtime);
}
function packItems(items, options) {
  return encodeItems(prepareItems(items, void 0, options.signal), []);
}
async function* prepareItems(items, clampMtime, signal) {
  for await (const item of items) {
    signal?.throwIfAborted();
    yield prepareItem(item, clampMtime);
  }
}

// src/filesystem/foreign.ts
var { accessSync, constants: constants3 } = process.getBuiltinModule("node:fs");
var { chmod, chown, rename: rename2 } = process.getBuiltinModule("node:fs/promises");
function throughHelper(content, { helper, signal }) {
  if (!helper.isForeign || mayRead(content.path)) return content;
  return { ...content, read: () => readThrough(helper, content, signal) };
}
function readableItem(item, tools) {
  const { content } = item;
  return content?.kind === "file" && tools.helper.isForeign ? { ...item, content: throughHelper(content, tools) } : item;
}
function readableChanges(items, tools) {
  return Promise.all(
    items.map(async (item) => {
      const { entry, content } = readableItem(item, tools);
      if (content?.kind !== "file" || content.read === void 0 || !keptTexts.has(entry.path))
        return { entry, ...content && { content } };
      const chunks = [];
      for await (const chunk of content.read()) chunks.push(chunk);
      return { entry, content: { kind: "bytes", bytes: Buffer.concat(chunks) } };
    })
  );
}
function mayRead(path2) {
  if (process.geteuid?.() === 0) return true;
  try {
    accessSync(toBytes(path2), constants3.R_OK);
    return true;
  } catch {
    return false;
  }
}
async function* readThrough(helper, { path: path2, offset, size }, signal) {
  const child = helper.start(["read", toText(path2), String(offset), String(size)], { signal });
  child.stdin.end();
  for await (const chunk of child.stdout) yield chunk;
  const { code, signal: killed, stderr } = await child.exited;
  signal?.throwIfAborted();
  if (code !== 0) throw new Error(stderr || `Cannot read "${toText(path2)}": the helper ended with ${killed ?? `exit code ${code}`}`);
}
async function own(path2, { uid, gid, mode }, helper) {
  if (helper.isForeign) return order(helper, ["own", String(uid), String(gid), mode.toString(8), path2]);
  await chown(path2, uid, gid);
  await chmod(path2, mode);
}
async function move(from, to, helper) {
  if (helper.isForeign) return order(helper, ["move", from, to]);
  await rename2(from, to);
}

// src/filesystem/node.ts
var types3 = ["file", "directory", "symlink", "hardlink", "char", "block", "fifo"];
var nothingRare = { mtimeNs: 0, link: "", devMajor: 0, devMinor: 0, xattrs: void 0, text: void 0, path: void 0 };
var TreeNode = class {
  /** The number of the layer that brought it, from the bottom. */
  layer;
  #bits;
  #uid;
  #gid;
  #mtime;
  #size;
  /** 32 bytes as latin1: half of what hex takes. */
  #sha256;
  #rare;
  constructor(attributes, layer, path2) {
    this.layer = layer;
    this.#bits = attributes.mode | types3.indexOf(attributes.type) << 12;
    this.#uid = attributes.uid;
    this.#gid = attributes.gid;
    this.#mtime = attributes.mtime;
    this.#size = attributes.size;
    this.#sha256 = attributes.sha256 === void 0 ? "" : packDigest(attributes.sha256);
    const { mtimeNs, link, devMajor, devMinor, xattrs, text } = attributes;
    const isPlain2 = mtimeNs === 0 && link === "" && devMajor === 0 && devMinor === 0 && !xattrs && text === void 0 && path2 === void 0;
    this.#rare = isPlain2 ? nothingRare : { mtimeNs, link, devMajor, devMinor, xattrs, text, path: path2 };
  }
  get type() {
    return types3[this.#bits >> 12] ?? "file";
  }
  get link() {
    return this.#rare.link;
  }
  get attributes() {
    const { mtimeNs, link, devMajor, devMinor, xattrs } = this.#rare;
    return {
      type: this.type,
      mode: this.#bits & 4095,
      uid: this.#uid,
      gid: this.#gid,
      mtime: this.#mtime,
      mtimeNs,
      size: this.#size,
      link,
      devMajor,
      devMinor,
      ...xattrs === void 0 ? {} : { xattrs }
    };
  }
  get inode() {
    return this.#rare.path === void 0 ? void 0 : this;
  }
  get sha256() {
    return this.#sha256 === "" ? void 0 : Buffer.from(this.#sha256, "latin1").toString("hex");
  }
  get text() {
    return this.#rare.text;
  }
  get pathInLayer() {
    return this.#rare.path;
  }
  /** Adds what is known only when the content has been read. */
  settle({ sha256, text }) {
    this.#sha256 = packDigest(sha256);
    if (text !== void 0) this.#rare = { ...this.#rare, text };
  }
  /** Says that the layer had this content under its name at some turn, and later another. Without a second name nobody can ask for it. */
  supersede(turn) {
    const { path: path2 } = this.#rare;
    if (path2 !== void 0) this.#rare = { ...this.#rare, path: nameAtTurn(path2, turn) };
  }
  get isSuperseded() {
    return this.#rare.path?.includes("\0") === true;
  }
  /** Remembers where the content is, before a second name makes the path in the tree a wrong answer. */
  keepPath(path2) {
    if (this.#rare.path === void 0) this.#rare = { ...this.#rare, path: path2 };
  }
};
function nameAtTurn(path2, turn) {
  return `${path2}\0${turn}`;
}
function pathOfName(name) {
  return name.split("\0", 1)[0] ?? name;
}
function packDigest(hex) {
  return Buffer.from(hex, "hex").toString("latin1");
}
var Directory = class extends TreeNode {
  children;
  /** The layer that made it anew: nothing below that layer shows through. */
  floor;
  /** The merge that may still change it. */
  edition;
  /** Attributes and layer are those of `node`. */
  constructor(node, state) {
    super(node.attributes, node.layer);
    this.children = state.children ?? /* @__PURE__ */ new Map();
    this.floor = state.floor;
    this.edition = state.edition;
  }
};
var impliedDirectory = {
  type: "directory",
  mode: 493,
  uid: 0,
  gid: 0,
  mtime: 0,
  mtimeNs: 0,
  size: 0,
  link: "",
  devMajor: 0,
  devMinor: 0
};

// src/filesystem/view.ts
function joinPath(directory, name) {
  return directory === "" ? name : name === "" ? directory : `${directory}/${name}`;
}
function parentOf(path2) {
  return path2.slice(0, Math.max(0, path2.lastIndexOf("/")));
}
function nameOf(path2) {
  return path2.slice(path2.lastIndexOf("/") + 1);
}

// src/filesystem/files.ts
var { lstat, mkdir: mkdir2, open: open4, rm: rm3 } = process.getBuiltinModule("node:fs/promises");
var { join: join2 } = process.getBuiltinModule("node:path");
function openLayerFiles(directory) {
  const unpacked = /* @__PURE__ */ new Map();
  const spools = /* @__PURE__ */ new Map();
  return {
    register(diffId, path2) {
      unpacked.set(diffId, path2);
    },
    async locate(layer, wanted) {
      const root = unpacked.get(layer.diffId);
      const found = root === void 0 ? /* @__PURE__ */ new Map() : await findUnpacked(toRaw(root), wanted);
      const missing = wanted.filter((path2) => !found.has(path2));
      if (missing.length === 0) return found;
      let spool = spools.get(layer.diffId);
      if (spool === void 0) {
        spool = new Spool(layer, directory);
        spools.set(layer.diffId, spool);
      }
      const spooled = await spool.locate(missing);
      return new Map([...found, ...spooled]);
    }
  };
}
async function findUnpacked(root, wanted) {
  const directories = /* @__PURE__ */ new Map([["", Promise.resolve(true)]]);
  const look = (path2) => lstat(toBytes(`${root}/${path2}`)).catch(() => void 0);
  const isDirectory2 = (path2) => {
    let known = directories.get(path2);
    if (known === void 0) {
      known = isDirectory2(parentOf(path2)).then(async (is) => is && ((await look(path2))?.isDirectory() ?? false));
      directories.set(path2, known);
    }
    return known;
  };
  const found = /* @__PURE__ */ new Map();
  for (const path2 of wanted) {
    if (path2 !== pathOfName(path2)) continue;
    const stat2 = await isDirectory2(parentOf(path2)) ? await look(path2) : void 0;
    if (stat2?.isFile() && mayRead(`${root}/${path2}`))
      found.set(path2, { kind: "file", path: joinPath(root, path2), offset: 0, size: stat2.size });
  }
  return found;
}
var Spool = class {
  #layer;
  #directory;
  #known = /* @__PURE__ */ new Map();
  #passes = 0;
  #busy = Promise.resolve();
  constructor(layer, directory) {
    this.#layer = layer;
    this.#directory = directory;
  }
  locate(wanted) {
    const pass = this.#busy.then(async () => {
      const missing = new Set(wanted.filter((path2) => !this.#known.has(path2)));
      if (missing.size > 0) for (const [path2, content] of await this.#extract(missing)) this.#known.set(path2, content);
      for (const path2 of missing) if (!this.#known.has(path2)) this.#known.set(path2, void 0);
      return new Map(wanted.flatMap((path2) => [[path2, this.#known.get(path2)]]).filter(hasContent));
    });
    this.#busy = pass.catch(() => {
    });
    return pass;
  }
  async #extract(wanted) {
    await mkdir2(this.#directory, { recursive: true, mode: 448 });
    this.#passes += 1;
    const file = join2(this.#directory, `${this.#layer.diffId.replace(":", "-")}.${this.#passes}`);
    const found = /* @__PURE__ */ new Map();
    const paths = new Set([...wanted].map(pathOfName));
    const turns = /* @__PURE__ */ new Map();
    const handle = await open4(file, "w", 384);
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
        }
      });
    } catch (error) {
      await rm3(file, { force: true });
      throw error;
    } finally {
      await handle.close();
    }
    return found;
  }
};
function hasContent(pair) {
  return pair[1] !== void 0;
}

// src/filesystem/scan.ts
var types4 = {
  1: "fifo",
  2: "char",
  4: "directory",
  6: "block",
  8: "file",
  10: "symlink",
  12: "socket"
};
async function* scanDirectory(root, tools, options = {}) {
  for await (const frames of scanFrames(root, tools, options)) for (const frame of frames) yield decodeEntry(frame);
}
async function* scanFrames(root, tools, options = {}) {
  const { helper, signal } = tools;
  const args = [
    ...options.oneFileSystem ? ["--one-file-system"] : [],
    ...(options.skipBelow ?? []).flatMap((path2) => ["--skip-below", Buffer.from(path2, "latin1").toString()])
  ];
  const process2 = helper.start(["scan", ...args, root], { signal });
  process2.stdin.end();
  let isComplete = false;
  try {
    for await (const frames of readFrames(process2.stdout)) {
      isComplete = frames.at(-1)?.[0] === endKind;
      yield isComplete ? frames.slice(0, -1) : frames;
    }
  } finally {
    process2.stdout.destroy();
  }
  const { code, signal: killed, stderr } = await process2.exited;
  signal?.throwIfAborted();
  if (!isComplete || code !== 0) throw new Error(stderr || `Cannot scan "${root}": the helper ended with ${killed ?? `exit code ${code}`}`);
}
var noXattrs = /* @__PURE__ */ new Map();
var endKind = "z".charCodeAt(0);
function decodeEntry(frame) {
  const reader = new FrameReader(frame);
  const path2 = reader.text();
  const mode = reader.u32();
  const [uid, gid, nlink, size] = [reader.u32(), reader.u32(), reader.u32(), reader.u64()];
  const [mtime, mtimeNs, ctime, ctimeNs] = [reader.u64(), reader.u32(), reader.u64(), reader.u32()];
  const inode = reader.raw(16);
  const [devMajor, devMinor, link] = [reader.u32(), reader.u32(), reader.text()];
  const count = reader.u32();
  const xattrs = count === 0 ? noXattrs : /* @__PURE__ */ new Map();
  for (let left = count; left > 0; left -= 1) xattrs.set(reader.text(), reader.text());
  const type = types4[mode >>> 12] ?? "socket";
  return {
    path: path2,
    type,
    mode: mode & 4095,
    uid,
    gid,
    nlink,
    size: type === "file" ? size : 0,
    mtime,
    mtimeNs,
    ctime,
    ctimeNs,
    inode,
    devMajor,
    devMinor,
    link,
    xattrs
  };
}
function pathOfFrame(frame) {
  return frame.toString("latin1", 5, 5 + frame.readUInt32LE(1));
}
function isDirectoryFrame(frame) {
  return types4[frame.readUInt32LE(frame.readUInt32LE(1) + 6) >>> 12] === "directory";
}
function isSameButForCtime(a, b) {
  const at = a.readUInt32LE(1) + 42;
  return a.length === b.length && a.subarray(0, at).equals(b.subarray(0, at)) && a.subarray(at + 12).equals(b.subarray(at + 12));
}

// src/filesystem/list-directory.ts
async function* listDirectory(root, prefix, tools) {
  const rawRoot = toRaw(root);
  const first = /* @__PURE__ */ new Map();
  for await (const found of scanDirectory(root, tools)) {
    const { type, nlink, inode, xattrs } = found;
    if (type === "socket") continue;
    const path2 = joinPath(prefix, found.path);
    const link = type === "file" && nlink > 1 ? first.get(inode) : void 0;
    if (link !== void 0) {
      yield { entry: makeEntry(path2, { ...found, type: "hardlink", size: 0, link }, void 0) };
      continue;
    }
    if (type === "file" && nlink > 1) first.set(inode, path2);
    const entry = makeEntry(path2, { ...found, type }, keepStored(xattrs));
    if (type !== "file" || found.size === 0) yield { entry };
    else yield readableItem({ entry, content: { kind: "file", path: joinPath(rawRoot, found.path), offset: 0, size: found.size } }, tools);
  }
}

// src/filesystem/remove-tree.ts
var { execFile } = process.getBuiltinModule("node:child_process");
var { lstatSync, readdirSync, rmdirSync } = process.getBuiltinModule("node:fs");
var { rm: rm4 } = process.getBuiltinModule("node:fs/promises");
var { promisify: promisify2 } = process.getBuiltinModule("node:util");
async function removeTree(directory, helper) {
  if (helper?.isForeign) return order(helper, ["remove", directory]);
  try {
    if (removeEmpty(directory)) return;
    await run("rm", "-rf", "--one-file-system", "--", directory).catch(async () => {
      await run("chmod", "-R", "u+rwx", "--", directory).catch(() => {
      });
      await run("rm", "-rf", "--one-file-system", "--", directory);
    });
  } catch {
    await rm4(directory, { recursive: true, force: true, maxRetries: 3 });
  }
}
var run = (program, ...args) => promisify2(execFile)(program, args);
var fewDirectories = 32;
function removeEmpty(directory) {
  const root = lstatSync(directory, { throwIfNoEntry: false });
  if (root === void 0) return true;
  const found = [directory];
  for (const path2 of found) {
    const { dev } = lstatSync(path2);
    const entries = readdirSync(path2, { withFileTypes: true });
    if (dev !== root.dev || found.length + entries.length > fewDirectories || !entries.every((entry) => entry.isDirectory())) return false;
    for (const { name } of entries) found.push(`${path2}/${name}`);
  }
  for (const path2 of found.reverse()) rmdirSync(path2);
  return true;
}

// src/filesystem/collect.ts
var ChangeCollector = class {
  #root;
  /** The directories on the way to the current object. */
  #parents = [];
  #changes = [];
  constructor(root) {
    this.#root = toRaw(root);
  }
  /** Must be called for each directory, before what it holds. */
  enter(directory) {
    this.#leaveTo(directory.path);
    this.#parents.push({ found: directory, isAdded: directory.path === "" });
    return [...this.#parents];
  }
  /** The object is a change; where it is a directory it has been entered. */
  add(found) {
    if (found.type === "directory") {
      this.#addParents(this.#parents);
      return;
    }
    this.#leaveTo(found.path);
    this.#addParents(this.#parents);
    this.#changes.push({ path: found.path, found });
  }
  /** What lower layers have at a path is gone; `trail` is needed where the scan is elsewhere by now. */
  hide(path2, trail) {
    if (trail === void 0) this.#leaveTo(path2);
    this.#addParents(trail ?? this.#parents);
    this.#changes.push({ path: path2, found: void 0 });
  }
  items() {
    const first = /* @__PURE__ */ new Map();
    return this.#changes.sort((a, b) => comparePaths(a.path, b.path)).map(({ path: path2, found }) => {
      if (found === void 0) return { entry: whiteout(path2) };
      const target = found.type === "file" && found.nlink > 1 ? first.get(found.inode) : void 0;
      if (target !== void 0) return { entry: { ...entryOf2(found), type: "hardlink", size: 0, link: target } };
      if (found.type === "file" && found.nlink > 1) first.set(found.inode, path2);
      const entry = entryOf2(found);
      if (entry.size === 0) return { entry };
      return { entry, content: { kind: "file", path: `${this.#root}/${path2}`, offset: 0, size: entry.size } };
    });
  }
  #leaveTo(path2) {
    for (let last = this.#parents.at(-1); last !== void 0; last = this.#parents.at(-1)) {
      if (last.found.path === "" || path2.startsWith(`${last.found.path}/`)) return;
      this.#parents.pop();
    }
  }
  #addParents(parents) {
    for (const parent of parents) {
      if (parent.isAdded) continue;
      parent.isAdded = true;
      this.#changes.push({ path: parent.found.path, found: parent.found });
    }
  }
};
function comparePaths(a, b) {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i += 1) {
    const [x, y] = [a.charCodeAt(i), b.charCodeAt(i)];
    if (x !== y) return x === slash ? -1 : y === slash ? 1 : x - y;
  }
  return a.length - b.length;
}
var slash = 47;
function entryOf2(found) {
  const entry = makeEntry(found.path, found, keepStored(found.xattrs));
  entry.mtimeNs = 0;
  return entry;
}
function whiteout(path2) {
  const nothing4 = { mode: 0, uid: 0, gid: 0, mtime: 0, mtimeNs: 0, size: 0, link: "", devMajor: 0, devMinor: 0 };
  return { path: joinPath(parentOf(path2), `${whiteoutPrefix}${nameOf(path2)}`), type: "file", ...nothing4 };
}

// src/filesystem/compare.ts
var { createHash: createHash7 } = process.getBuiltinModule("node:crypto");
var { createReadStream: createReadStream2, readFileSync } = process.getBuiltinModule("node:fs");
async function isChanged(root, found, node, tools) {
  const old = node.attributes;
  const differs = found.type !== old.type || found.mode !== old.mode || found.uid !== old.uid || found.gid !== old.gid || found.devMajor !== old.devMajor || found.devMinor !== old.devMinor || found.xattrs.get("security.capability") !== old.xattrs?.get("security.capability");
  if (differs || found.type === "directory") return differs;
  const isSameTime = found.mtime === old.mtime && (old.mtimeNs === 0 || found.mtimeNs === old.mtimeNs);
  if (!isSameTime || found.size !== old.size || found.link !== old.link) return true;
  return !await hasContent2(root, found, node, tools);
}
async function hasContent2(root, found, node, tools) {
  if (found.type !== "file" || found.size === 0) return true;
  if (node.sha256 === void 0) return false;
  const { hashed: hashed2 } = tools;
  const known = hashed2.get(found.inode);
  const sha256 = known ?? await hashFile(`${toRaw(root)}/${found.path}`, found.size, tools);
  if (found.nlink > 1) hashed2.set(found.inode, sha256);
  return node.sha256 === sha256;
}
var smallSize = 1 << 18;
async function hashFile(path2, size, tools) {
  const hash3 = createHash7("sha256");
  const { read } = throughHelper({ kind: "file", path: path2, offset: 0, size }, tools);
  if (read !== void 0) for await (const chunk of read()) hash3.update(chunk);
  else if (size <= smallSize) hash3.update(readFileSync(toBytes(path2)));
  else for await (const chunk of createReadStream2(toBytes(path2), { highWaterMark: smallSize })) hash3.update(chunk);
  return hash3.digest("hex");
}

// src/filesystem/changes.ts
var { setTimeout: sleep } = process.getBuiltinModule("node:timers/promises");
async function changesFromUpper(upper, lower, tools, options) {
  const collector = new ChangeCollector(upper);
  const compare = { ...tools, hashed: /* @__PURE__ */ new Map() };
  const opaque = /* @__PURE__ */ new Map();
  for await (const entry of scanDirectory(upper, tools)) {
    const { path: path2, type } = entry;
    const above = path2 === "" ? void 0 : opaque.get(parentOf(path2));
    if (isWhiteout(entry) || type === "socket") {
      if (above === void 0 && lower.lstat(path2) !== void 0 && !options.exclude(path2)) collector.hide(path2);
      continue;
    }
    above?.names.add(nameOf(path2));
    const found = entry;
    if (type === "directory") {
      const trail = collector.enter(found);
      if (above !== void 0 || isOpaque(entry)) opaque.set(path2, { names: /* @__PURE__ */ new Set(), trail });
    }
    if (path2 === "" || options.exclude(path2)) continue;
    const node = lower.lstat(path2);
    const owned = withOwner(found, node);
    if (node === void 0 || await isChanged(upper, owned, node, compare)) collector.add(owned);
  }
  for (const [path2, { names, trail }] of opaque) {
    for (const name of lower.list(path2)) {
      const child = joinPath(path2, name);
      if (!names.has(name) && !options.exclude(child)) collector.hide(child, trail);
    }
  }
  const items = collector.items();
  return tools.helper.isForeign ? readableChanges(items, tools) : items;
}
function withOwner(found, node) {
  if (!found.xattrs.has(unrecorded) || node === void 0) return found;
  const { type, link, mtime, mtimeNs, uid, gid } = node.attributes;
  const isSame2 = found.type === type && found.link === link && found.mtime === mtime && (mtimeNs === 0 || found.mtimeNs === mtimeNs);
  return isSame2 ? { ...found, uid, gid } : found;
}
var unrecorded = "slipway.unrecorded";
function isWhiteout({ type, devMajor, devMinor }) {
  return type === "char" && devMajor === 0 && devMinor === 0;
}
function isOpaque({ xattrs }) {
  return xattrs.get("trusted.overlay.opaque") === "y" || xattrs.get("user.overlay.opaque") === "y";
}
var stampMs = 20;
async function snapshot(root, tools, options = {}) {
  const frames = [];
  for await (const more of scanFrames(root, tools, options)) frames.push(...more);
  await sleep(stampMs);
  return { frames, options };
}
async function changesFromScan(root, before, lower, tools, options) {
  const collector = new ChangeCollector(root);
  const compare = { ...tools, hashed: /* @__PURE__ */ new Map() };
  let at = 0;
  let gone;
  const isGone = (path2) => gone !== void 0 && path2.startsWith(`${gone}/`);
  const hideMissing = (path2) => {
    if (isGone(path2)) return;
    gone = path2;
    if (lower.lstat(path2) !== void 0 && !options.exclude(path2)) collector.hide(path2);
  };
  const hideUpTo = (path2) => {
    for (let old = before.frames[at]; old !== void 0; old = before.frames[at]) {
      const oldPath = pathOfFrame(old);
      if (path2 !== void 0 && comparePaths(oldPath, path2) >= 0) return;
      hideMissing(oldPath);
      at += 1;
    }
  };
  for await (const frames of scanFrames(root, tools, before.options)) {
    for (const frame of frames) {
      if (before.frames[at]?.equals(frame) !== true) hideUpTo(pathOfFrame(frame));
      const old = before.frames[at];
      if (old?.equals(frame)) {
        at += 1;
        if (isDirectoryFrame(frame)) collector.enter(decodeEntry(frame));
        continue;
      }
      const entry = decodeEntry(frame);
      const { path: path2, type } = entry;
      const isOld = old !== void 0 && pathOfFrame(old) === path2;
      if (isOld) at += 1;
      if (type === "socket") {
        if (isOld) hideMissing(path2);
        continue;
      }
      const found = entry;
      if (type === "directory") collector.enter(found);
      else gone = path2;
      if (path2 === "" || options.exclude(path2)) continue;
      const node = lower.lstat(path2);
      const owned = withOwner(found, node);
      if (options.isMoved && isOld && isSameButForCtime(old, frame) && node && await hasContent2(root, owned, node, compare)) continue;
      if (node === void 0 || await isChanged(root, owned, node, compare)) collector.add(owned);
    }
  }
  hideUpTo(void 0);
  return collector.items();
}

// src/filesystem/contents.ts
var { once: once4 } = process.getBuiltinModule("node:events");
var pieceChars = 1 << 16;
var digestKind = "d".charCodeAt(0);
var endKind2 = "z".charCodeAt(0);
var digestBytes = 4 + 8 + 32;
function readCapabilities(root, paths, tools) {
  return ask(["capabilities", root], paths, tools, () => {
  });
}
function readContents(root, paths, tools, take) {
  return ask(["contents", root], paths, tools, (frame) => {
    for (let at = 1; at < frame.length; at += digestBytes) {
      const path2 = paths[frame.readUInt32LE(at)] ?? "";
      const size = frame.readUInt32LE(at + 4) + frame.readUInt32LE(at + 8) * 2 ** 32;
      take(path2, size, frame.toString("hex", at + 12, at + digestBytes));
    }
  });
}
async function ask(args, paths, { helper, signal }, takeDigests) {
  const found = /* @__PURE__ */ new Map();
  const pieces = piecesOf(paths);
  const first = pieces.next();
  if (first.done) return found;
  const process2 = helper.start(args, { signal });
  const written = write(process2.stdin, first.value, pieces);
  let isComplete = false;
  for await (const frames of readFrames(process2.stdout))
    for (const frame of frames) {
      if (frame[0] === digestKind) takeDigests(frame);
      else if (frame[0] === endKind2) isComplete = true;
      else {
        const reader = new FrameReader(frame);
        const path2 = reader.text();
        found.set(path2, /* @__PURE__ */ new Map([["security.capability", reader.text()]]));
      }
    }
  const { code, signal: killed, stderr } = await process2.exited;
  signal?.throwIfAborted();
  if (!isComplete || code !== 0) {
    const how = `the helper ended with ${killed ?? `exit code ${code}`}`;
    throw new Error(stderr || `Cannot read the ${args[0]} of files in "${args[1]}": ${how}`);
  }
  await written;
  return found;
}
function* piecesOf(paths) {
  let piece = "";
  for (const path2 of paths) {
    piece += `${path2}\0`;
    if (piece.length < pieceChars) continue;
    yield piece;
    piece = "";
  }
  if (piece !== "") yield piece;
}
async function write(stream, first, others) {
  const closed = new Promise((resolve) => stream.once("close", resolve));
  stream.write(toBytes(first));
  for (const piece of others) {
    if (stream.destroyed) return;
    if (!stream.write(toBytes(piece))) await Promise.race([once4(stream, "drain").catch(() => {
    }), closed]);
  }
  stream.end();
}

// src/filesystem/draft.ts
function directoryAttributes(mode, uid, gid, mtime) {
  return { type: "directory", mode, uid, gid, mtime, mtimeNs: 0, size: 0, link: "", devMajor: 0, devMinor: 0 };
}
var Place = class {
  #attributes;
  content;
  sha256;
  inode;
  children;
  /** What the tree has here and below is gone. */
  isHiding = false;
  /** Whether something has been put here, and not only below. */
  get isPut() {
    return this.#attributes !== void 0;
  }
  get attributes() {
    if (this.#attributes === void 0) throw new Error("Cannot look at a path of a layer: nothing has been put there");
    return this.#attributes;
  }
  put({ attributes, content, sha256, inode }) {
    this.#attributes = attributes;
    this.content = content;
    this.sha256 = sha256;
    this.inode = inode;
  }
  hide() {
    this.#attributes = void 0;
    this.children = void 0;
    this.isHiding = true;
  }
};
var Draft = class {
  #tree;
  #root = new Place();
  constructor(tree) {
    this.#tree = tree;
  }
  lstat(path2) {
    const { place, isHidden } = this.#find(path2);
    if (place?.isPut) return place;
    return isHidden ? void 0 : this.#tree.lstat(path2);
  }
  list(path2) {
    const { place, isHidden } = this.#find(path2);
    const below = isHidden ? [] : this.#tree.list(path2);
    const added = place?.children;
    return added === void 0 ? below : [.../* @__PURE__ */ new Set([...below, ...added.keys()])].sort();
  }
  /** What was put at a path as its content. */
  contentAt(path2) {
    return this.#find(path2).place?.content;
  }
  /** Puts an entry at a path whose parent exists. Directories over directories keep what is below them. */
  put(path2, entry) {
    const before = this.lstat(path2);
    const place = this.#make(path2);
    if (before?.attributes.type === "directory" && entry.attributes.type !== "directory") place.hide();
    place.put(entry);
  }
  /** Creates the directories that a path lacks, as mkdir(2) does. Throws when a file is in the way. */
  makeDirectories(path2, made) {
    let at = "";
    let above = this.lstat(at)?.attributes;
    for (const name of path2 === "" ? [] : path2.split("/")) {
      at = joinPath(at, name);
      if (this.lstat(at) === void 0) this.put(at, { attributes: makeDirectory(made, above) });
      above = this.lstat(at)?.attributes;
      if (above?.type !== "directory") throw new Error(`Cannot create directory "/${path2}": "/${at}" is not a directory`);
    }
  }
  /** Takes away what is at a path and below it; the layer must then put something in its place. */
  remove(path2) {
    this.#make(path2).hide();
  }
  /** The paths in the source whose bytes the layer may need. */
  sources() {
    return sourcesBelow(this.#root);
  }
  /** Adds extended attributes to the files whose bytes come from these paths in the source. */
  addXattrs(found) {
    const pending = found.size === 0 ? [] : [this.#root];
    for (let place = pending.pop(); place !== void 0; place = pending.pop()) {
      const { content, sha256, inode } = place;
      const xattrs = typeof content === "string" ? found.get(content) : void 0;
      if (xattrs !== void 0) place.put({ attributes: { ...place.attributes, xattrs }, content, sha256, inode });
      pending.push(...place.children?.values() ?? []);
    }
  }
  /**
   * The layer: what was put and is not the same below, sorted, with the parents of each entry before it as the tree has them. What has
   * been given is forgotten, so that the draft is used up in the end.
   */
  async *items(contents) {
    const links = /* @__PURE__ */ new Map();
    const parents = [];
    const pending = [{ path: "", place: this.#root, isHidden: false, depth: 0 }];
    for (let next = pending.pop(); next !== void 0; next = pending.pop()) {
      const { path: path2, place, depth } = next;
      const isHidden = next.isHidden || place.isHiding;
      parents.length = Math.min(parents.length, depth);
      const below = isHidden ? void 0 : this.#tree.lstat(path2);
      const isChanged2 = place.isPut && !await isSame(place, below, contents);
      if (isChanged2) {
        for (const parent of parents) if (parent !== given && parent.entry.path !== "") yield parent;
        parents.fill(given);
        yield this.#item(path2, place, links, contents);
      }
      if (place.children === void 0) continue;
      const attributes = place.isPut ? place.attributes : below?.attributes;
      parents.push(isChanged2 || attributes === void 0 ? given : { entry: makeEntry(path2, attributes, attributes.xattrs) });
      const names = [...place.children.keys()].sort().reverse();
      for (const name of names) {
        const child = place.children.get(name);
        if (child !== void 0) pending.push({ path: joinPath(path2, name), place: child, isHidden, depth: depth + 1 });
      }
      place.children = void 0;
    }
  }
  #item(path2, { attributes, content, sha256, inode }, links, { locate }) {
    const first = inode === void 0 || attributes.type !== "file" ? void 0 : links.get(inode);
    if (first !== void 0) return { entry: { ...attributes, type: "hardlink", size: 0, link: first, path: path2 } };
    if (inode !== void 0) links.set(inode, path2);
    const entry = makeEntry(path2, attributes, attributes.xattrs, sha256);
    const bytes = typeof content === "string" ? locate(content) : content;
    return bytes === void 0 ? { entry } : { entry, content: bytes };
  }
  #find(path2) {
    let place = this.#root;
    let isHidden = place.isHiding;
    for (const name of path2 === "" ? [] : path2.split("/")) {
      place = place.children?.get(name);
      if (place === void 0) break;
      isHidden ||= place.isHiding;
    }
    return { place, isHidden };
  }
  #make(path2) {
    let place = this.#root;
    for (const name of path2 === "" ? [] : path2.split("/")) {
      place.children ??= /* @__PURE__ */ new Map();
      let child = place.children.get(name);
      if (child === void 0) {
        child = new Place();
        place.children.set(name, child);
      }
      place = child;
    }
    return place;
  }
};
var setgid = 1024;
function makeDirectory({ mode, owner, mtime, isPlain: isPlain2 = false }, above) {
  const inherits = above !== void 0 && (above.mode & setgid) !== 0;
  const { uid, gid } = owner ?? { uid: 0, gid: inherits ? above.gid : 0 };
  return directoryAttributes(inherits && !isPlain2 ? mode | setgid : mode, uid, gid, mtime);
}
var given = { entry: { ...directoryAttributes(0, 0, 0, 0), path: "" } };
function* sourcesBelow(place) {
  if (typeof place.content === "string") yield place.content;
  for (const child of place.children?.values() ?? []) yield* sourcesBelow(child);
}
async function isSame(place, below, { locate, digested, hasDigest }) {
  if (below === void 0 || !sameAttributes(below.attributes, place.attributes)) return false;
  if (place.attributes.type !== "file") return true;
  if (below.sha256 === void 0) await digested?.();
  if (below.sha256 === void 0) return false;
  if (place.sha256 !== void 0) return place.sha256 === below.sha256;
  return hasDigest(typeof place.content === "string" ? locate(place.content) : place.content, below.sha256);
}
function sameAttributes(a, b) {
  if (a.type !== b.type || a.mode !== b.mode || a.uid !== b.uid || a.gid !== b.gid) return false;
  if (a.type === "directory") return sameXattrs(a, b);
  const same = a.size === b.size && a.mtime === b.mtime && a.link === b.link && a.devMajor === b.devMajor && a.devMinor === b.devMinor;
  return same && sameXattrs(a, b);
}
function sameXattrs(a, b) {
  const name = "security.capability";
  return a.xattrs?.get(name) === b.xattrs?.get(name);
}

// src/filesystem/glob.ts
var firstInvalid = 1114112;
var slash2 = 47;
function decodeRunes(raw) {
  const runes = [];
  for (let i = 0; i < raw.length; ) {
    const lead = raw.charCodeAt(i);
    const length = lead < 128 ? 1 : lead >= 194 && lead < 224 ? 2 : lead >= 224 && lead < 240 ? 3 : lead >= 240 && lead < 245 ? 4 : 0;
    const rune = length === 1 ? lead : decodeSequence(raw, i, length);
    runes.push(rune ?? firstInvalid + lead);
    i += rune === void 0 ? 1 : length;
  }
  return runes;
}
function decodeSequence(raw, start, length) {
  if (length === 0 || start + length > raw.length) return void 0;
  let rune = raw.charCodeAt(start) & 127 >> length;
  for (let i = start + 1; i < start + length; i++) {
    const byte = raw.charCodeAt(i);
    if ((byte & 192) !== 128) return void 0;
    rune = rune << 6 | byte & 63;
  }
  const smallest = length === 2 ? 128 : length === 3 ? 2048 : 65536;
  return rune < smallest || rune > 1114111 || rune >= 55296 && rune < 57344 ? void 0 : rune;
}
function matchGlob(pattern, name) {
  const tokens = parseGlob(pattern);
  const runes = decodeRunes(name);
  let at = 0;
  let token = 0;
  let lastStar;
  while (at < runes.length || token < tokens.length) {
    const current = tokens[token];
    if (current?.kind === "star") {
      lastStar = { token, at };
      token += 1;
      continue;
    }
    const rune = runes[at];
    if (current !== void 0 && rune !== void 0 && matchesRune(current, rune)) {
      token += 1;
      at += 1;
      continue;
    }
    const skipped = lastStar === void 0 ? void 0 : runes[lastStar.at];
    if (lastStar === void 0 || skipped === void 0 || skipped === slash2) return false;
    lastStar.at += 1;
    at = lastStar.at;
    token = lastStar.token + 1;
  }
  return true;
}
function matchesRune(token, rune) {
  switch (token.kind) {
    case "star":
      return false;
    case "any":
      return rune !== slash2;
    case "rune":
      return rune === token.rune;
    case "class":
      return token.ranges.some(([low, high]) => low <= rune && rune <= high) !== token.negated;
  }
}
function parseGlob(pattern) {
  const malformed = (why) => new SyntaxError(`Cannot read pattern "${toText(pattern)}": ${why}`);
  const runes = decodeRunes(pattern).map((rune) => rune < firstInvalid ? String.fromCodePoint(rune) : rune);
  const tokens = [];
  let i = 0;
  function parseEnd() {
    const first = runes[i];
    if (first === void 0) throw malformed(`"[" has no "]"`);
    if (first === "-" || first === "]") throw malformed(`"${first}" stands where a class needs a character; write "\\${first}"`);
    if (first === "\\") i += 1;
    const rune = runes[i];
    if (typeof rune !== "string" || i + 1 === runes.length) throw malformed(`"[" has no "]"`);
    i += 1;
    return codeOf(rune);
  }
  function parseClass() {
    const negated = runes[i] === "^";
    if (negated) i += 1;
    const ranges = [];
    while (runes[i] !== "]" || ranges.length === 0) {
      const low = parseEnd();
      const isRange = runes[i] === "-";
      if (isRange) i += 1;
      ranges.push([low, isRange ? parseEnd() : low]);
    }
    i += 1;
    return { kind: "class", negated, ranges };
  }
  while (i < runes.length) {
    const rune = runes[i] ?? "";
    i += 1;
    if (rune === "*") tokens.push({ kind: "star" });
    else if (rune === "?") tokens.push({ kind: "any" });
    else if (rune === "[") tokens.push(parseClass());
    else if (rune === "\\") {
      const escaped = runes[i];
      if (escaped === void 0) throw malformed("a backslash ends it");
      tokens.push({ kind: "rune", rune: codeOf(escaped) });
      i += 1;
    } else tokens.push({ kind: "rune", rune: codeOf(rune) });
  }
  return tokens;
}
function codeOf(rune) {
  return typeof rune === "number" ? rune : rune.codePointAt(0) ?? 0;
}

// src/filesystem/make-directories.ts
var { mkdir: mkdir3, rmdir, stat } = process.getBuiltinModule("node:fs/promises");
var path = process.getBuiltinModule("node:path");
async function makeDirectories(directory, mode) {
  if (await isDirectory(directory)) return [];
  const above = await makeDirectories(path.dirname(directory), mode);
  try {
    await mkdir3(directory, mode);
  } catch (error) {
    if (await isDirectory(directory)) return above;
    for (const made of above) await rmdir(made).catch(() => {
    });
    throw error;
  }
  return [directory, ...above];
}
async function isDirectory(place) {
  try {
    return (await stat(place)).isDirectory();
  } catch {
    return false;
  }
}

// src/filesystem/resolve.ts
var maxLinks = 255;
function resolvePath(view, path2, { followLast = true } = {}) {
  const pending = path2.split("/").reverse();
  let at = "";
  let node = view.lstat("");
  for (let links = 0; pending.length > 0; ) {
    const part = pending.pop();
    if (part === void 0 || part === "" || part === ".") continue;
    if (part === "..") {
      at = parentOf(at);
      node = view.lstat(at);
      continue;
    }
    const next = joinPath(at, part);
    const found = view.lstat(next);
    const last = pending.every((rest) => rest === "" || rest === ".");
    if (found?.attributes.type === "symlink" && (followLast || !last)) {
      if (++links > maxLinks) throw tooManyLinks(path2);
      const { link } = found.attributes;
      if (link.startsWith("/")) at = "";
      pending.push(...link.split("/").reverse());
      node = view.lstat(at);
    } else {
      at = next;
      node = found;
    }
  }
  return { path: at, node };
}
function tooManyLinks(path2) {
  return new Error(`Cannot resolve "${toText(path2)}": it leads through more than ${maxLinks} symbolic links (ELOOP)`);
}

// src/filesystem/settle-owners.ts
var { writeFile: writeFile3 } = process.getBuiltinModule("node:fs/promises");
async function settleOwners(root, { uid, gid }, tools) {
  const owner = Buffer.alloc(32);
  owner.writeUInt32LE(uid, 16);
  owner.writeUInt32LE(gid, 20);
  await writeFile3(`${root}.owners`, owner);
  for await (const _ of scanFrames(root, tools)) ;
}

// src/filesystem/merge.ts
var nothing3 = { kind: "nothing" };
var LayerMerge = class {
  #layer;
  #edition = {};
  /** Names this layer gave to files of lower layers: theirs are the nodes, but the names are new. */
  #links = /* @__PURE__ */ new Set();
  /** Of names whose files made room for other entries of this layer: how many entries have held a file under the name so far. */
  #turns = /* @__PURE__ */ new Map();
  isPartial;
  #root;
  #last;
  /** A partial merge lacks what lies below: its hard links to what it does not know are left out, not refused. */
  constructor(root, layer, { isPartial = false } = {}) {
    this.#layer = layer;
    this.isPartial = isPartial;
    this.#root = this.#copy(root);
  }
  add(entry) {
    try {
      if (entry.path === "") return { kind: "nothing" };
      const name = nameOf(entry.path);
      if (name === opaqueMarker) return this.#addOpaque(entry);
      if (name.startsWith(whiteoutPrefix)) return this.#addWhiteout(entry, name.slice(whiteoutPrefix.length));
      if (entry.type === "hardlink") return this.#addLink(entry, name);
      return this.#addObject(entry, name);
    } catch (cause) {
      throw new Error(`Cannot apply "${toText(entry.path)}": ${cause.message}`, { cause });
    }
  }
  /** Whether this layer brought an object, and not a lower one. */
  isOwn(node) {
    return node.layer === this.#layer;
  }
  /** Paths that hard links of this layer gave to files of lower layers. */
  get linksBelow() {
    return [...this.#links].filter((path2) => this.#holds(path2));
  }
  #holds(path2) {
    const node = this.#findParent(parentOf(path2))?.directory.children.get(nameOf(path2));
    return node !== void 0 && !(node instanceof Directory) && !this.isOwn(node);
  }
  /** Whether a directory of the merged tree hides all that lower layers have at its path. */
  isFresh(directory) {
    return directory.floor === this.#layer;
  }
  /** The merged tree so far; it changes with every entry. */
  get root() {
    return this.#root;
  }
  #addObject(entry, name) {
    const { path: parent, directory } = this.#makeParent(parentOf(entry.path));
    const path2 = joinPath(parent, name);
    const old = directory.children.get(name);
    let node;
    if (entry.type === "directory") {
      const attributes = new TreeNode(entry, this.#layer);
      node = old instanceof Directory ? this.#copy(old, attributes) : this.#makeDirectory(attributes);
    } else node = new TreeNode(entry, this.#layer, path2 === entry.path ? void 0 : entry.path);
    this.#set(directory, name, node, path2);
    return { kind: "put", path: path2, node };
  }
  #addLink(entry, name) {
    const { path: parent, directory } = this.#makeParent(parentOf(entry.path));
    const path2 = joinPath(parent, name);
    const from = this.#findParent(parentOf(entry.link));
    const node = from?.directory.children.get(nameOf(entry.link));
    if (this.isPartial && node === void 0) return nothing3;
    const target = joinPath(from?.path ?? "", nameOf(entry.link));
    if (node === void 0 || target.startsWith(`${path2}/`))
      throw new Error(`it is a hard link to "${toText(entry.link)}", which does not exist`);
    if (node instanceof Directory) throw new Error(`it is a hard link to "${toText(entry.link)}", which is a directory`);
    node.keepPath(target);
    const isThere = directory.children.get(name) === node;
    if (!isThere) this.#set(directory, name, node, path2);
    if (node.layer !== this.#layer) this.#links.add(path2);
    return isThere ? nothing3 : { kind: "put", path: path2, node, target };
  }
  #set(directory, name, node, path2) {
    const old = directory.children.get(name);
    if (old !== void 0 && (old.type === "symlink" || old instanceof Directory)) this.#last = void 0;
    if (old !== void 0 && !(node instanceof Directory && old instanceof Directory)) this.#supersede(old, path2);
    directory.children.set(name, node);
    this.#links.delete(path2);
  }
  /** What makes room may live on under other names; the name it has in this layer may stand for something else from now on. */
  #supersede(node, path2) {
    if (node instanceof Directory) {
      if (node.edition !== this.#edition) return;
      for (const [name2, child] of node.children) this.#supersede(child, joinPath(path2, name2));
      return;
    }
    if (node.type !== "file" || !this.isOwn(node) || node.isSuperseded) return;
    const name = node.pathInLayer ?? path2;
    const turn = this.#turns.get(name) ?? 0;
    this.#turns.set(name, turn + 1);
    node.supersede(turn);
  }
  #addWhiteout(entry, name) {
    if (name === "" || name === "." || name === "..") throw new Error("it is no valid whiteout");
    const place = this.#findParent(parentOf(entry.path));
    const child = place?.directory.children.get(name);
    if (place === void 0 || child === void 0) return nothing3;
    const directory = this.#own(place.path);
    const paths = [];
    this.#hideChild({ path: place.path, directory }, name, paths);
    this.#last = void 0;
    return { kind: "hide", paths };
  }
  #addOpaque(entry) {
    const place = this.#findParent(parentOf(entry.path));
    if (place === void 0) return nothing3;
    const paths = [];
    this.#hideBelow({ path: place.path, directory: this.#own(place.path) }, paths);
    this.#last = void 0;
    return { kind: "hide", paths };
  }
  #hideBelow(place, paths) {
    for (const name of [...place.directory.children.keys()]) this.#hideChild(place, name, paths);
  }
  #hideChild({ path: path2, directory }, name, paths) {
    const child = directory.children.get(name);
    const childPath = joinPath(path2, name);
    if (child === void 0 || this.#links.has(childPath)) return;
    const isOwn = child.layer === this.#layer;
    if (child instanceof Directory && child.edition === this.#edition) {
      this.#hideBelow({ path: childPath, directory: child }, paths);
      if (isOwn || child.children.size > 0) {
        const { children } = child;
        const attributes = isOwn ? child : new TreeNode(impliedDirectory, this.#layer);
        directory.children.set(name, this.#makeDirectory(attributes, children));
        return;
      }
    }
    if (isOwn) return;
    directory.children.delete(name);
    paths.push(childPath);
  }
  /** The directory that an entry goes into, with all that leads there, ready to be changed. */
  #makeParent(raw) {
    if (this.#last?.raw === raw) return this.#last.place;
    const { path: path2 } = this.#walk(raw, true);
    const place = { path: path2, directory: this.#own(path2) };
    this.#last = { raw, place };
    return place;
  }
  #findParent(raw) {
    return this.#last?.raw === raw ? this.#last.place : this.#walk(raw, false);
  }
  /** Follows a path inside the root. A missing directory is implied, or where nothing needs it, the end. */
  #walk(raw, isNeeded) {
    const pending = raw.split("/").reverse();
    const names = [];
    const directories = [this.#root];
    for (let links = 0; pending.length > 0; ) {
      const name = pending.pop();
      if (name === void 0 || name === "" || name === ".") continue;
      if (name === "..") {
        if (names.pop() !== void 0) directories.pop();
        continue;
      }
      const child = directories.at(-1)?.children.get(name);
      if (child === void 0) {
        if (!isNeeded) return void 0;
        names.push(name);
        directories.push(this.#own(names.join("/")));
      } else if (child instanceof Directory) {
        names.push(name);
        directories.push(child);
      } else if (child.type === "symlink") {
        if (++links > maxLinks) throw tooManyLinks(raw);
        if (child.link.startsWith("/")) {
          names.length = 0;
          directories.length = 1;
        }
        pending.push(...child.link.split("/").reverse());
      } else {
        if (!isNeeded) return void 0;
        throw new Error(`"${toText(joinPath(names.join("/"), name))}" is not a directory`);
      }
    }
    return { path: names.join("/"), directory: directories.at(-1) ?? this.#root };
  }
  /** A directory that may be changed, and with it all above it; missing ones are made. The path has no symlinks. */
  #own(path2) {
    let at = this.#root;
    if (path2 === "") return at;
    for (const name of path2.split("/")) {
      const child = at.children.get(name);
      if (child instanceof Directory && child.edition === this.#edition) {
        at = child;
        continue;
      }
      const next = child instanceof Directory ? this.#copy(child) : this.#makeDirectory(new TreeNode(impliedDirectory, this.#layer));
      at.children.set(name, next);
      at = next;
    }
    return at;
  }
  #copy(directory, node = directory) {
    const isOwn = directory.edition === this.#edition;
    const children = isOwn ? directory.children : new Map(directory.children);
    return new Directory(node, { children, floor: directory.floor, edition: this.#edition });
  }
  #makeDirectory(node, children) {
    return new Directory(node, { ...children === void 0 ? {} : { children }, floor: this.#layer, edition: this.#edition });
  }
};

// src/filesystem/tree.ts
var LayerTree = class _LayerTree {
  root;
  layers;
  constructor(root, layers) {
    this.root = root;
    this.layers = layers;
  }
  with(index) {
    const merge = new LayerMerge(this.root, this.layers);
    for (const entry of index.entries) merge.add(entry);
    return new _LayerTree(merge.root, this.layers + 1);
  }
  withUnread(entries) {
    const merge = new LayerMerge(this.root, this.layers);
    const files = [];
    for (const entry of entries) {
      const step = merge.add(entry);
      files.push(step.kind === "put" && entry.type === "file" ? step.node : void 0);
    }
    const settle = (index) => {
      for (const [i, { sha256 }] of index.entries.entries()) if (sha256 !== void 0) files[i]?.settle({ sha256 });
    };
    return { tree: new _LayerTree(merge.root, this.layers + 1), settle };
  }
  lstat(path2) {
    let node = this.root;
    if (path2 === "") return node;
    for (const name of path2.split("/")) {
      node = node instanceof Directory ? node.children.get(name) : void 0;
      if (node === void 0) return void 0;
    }
    return node;
  }
  list(path2) {
    const node = this.lstat(path2);
    return node instanceof Directory ? sortNames(node) : [];
  }
  locate(path2) {
    const node = this.lstat(path2);
    return node?.type === "file" ? { layer: node.layer, path: node.pathInLayer ?? path2 } : void 0;
  }
  *walk(from = "") {
    const node = this.lstat(from);
    if (node === void 0) return;
    const pending = [{ path: from, node }];
    for (let next = pending.pop(); next !== void 0; next = pending.pop()) {
      yield next;
      const { path: path2, node: node2 } = next;
      if (!(node2 instanceof Directory)) continue;
      for (const name of sortNames(node2).reverse()) {
        const child = node2.children.get(name);
        if (child !== void 0) pending.push({ path: joinPath(path2, name), node: child });
      }
    }
  }
};
function sortNames(directory) {
  return [...directory.children.keys()].sort();
}
var emptyRoot = new Directory(new TreeNode(impliedDirectory, -1), { floor: -1, edition: void 0 });
var emptyTree = new LayerTree(emptyRoot, 0);

// src/filesystem/apply.ts
var maxInline = 1 << 16;
var deviceTypes = { char: 8192, block: 24576, fifo: 4096 };
var reserved = ["trusted.overlay.", "user.overlay.", "user.slipway."];
function isKeptXattr(name) {
  if (name.startsWith("security.")) return name === "security.capability";
  return !reserved.some((prefix) => name.startsWith(prefix));
}
var opaqueMarks = { trusted: 1, user: 2 };
var Applier = class {
  #session;
  #frames;
  /** Of the helper's `apply` or `unpack`. */
  constructor(session) {
    this.#session = session;
    this.#frames = session.frames;
  }
  /** What is held must be of the session's own layer. */
  async file(path2, attributes, content) {
    if ("offset" in content) {
      this.#attributes(this.#frames.begin("P").text(path2), attributes).u64(content.offset).u64(content.size);
      return this.#end();
    }
    const chunks = [];
    if (attributes.size <= maxInline) {
      for await (const chunk of content) chunks.push(chunk);
      this.#attributes(this.#frames.begin("F").text(path2), attributes).u8(1).bytes(chunks);
      return this.#end();
    }
    this.#attributes(this.#frames.begin("F").text(path2), attributes).u8(0).bytes([]);
    await this.#end();
    for await (const chunk of content) {
      for (let at = 0; at < chunk.length; at += maxInline) {
        this.#frames.begin("C").bytes([chunk.subarray(at, at + maxInline)]);
        await this.#end();
      }
    }
    this.#frames.begin("E");
    return this.#end();
  }
  /** A file whose content is a range of a local file, given by its absolute raw path. */
  copy(path2, attributes, source) {
    this.#attributes(this.#frames.begin("X").text(path2), attributes).text(source.path).u64(source.offset).u64(source.size);
    return this.#end();
  }
  /** Makes a directory, 0700, or leaves the one that is there. */
  directory(path2) {
    this.#frames.begin("D").text(path2);
    return this.#end();
  }
  /** Gives a directory its attributes; to be sent when nothing is written into it any more. */
  directoryAttributes(path2, attributes, opaque) {
    this.#attributes(this.#frames.begin("A").text(path2), attributes).u8(opaque === void 0 ? 0 : opaqueMarks[opaque]);
    return this.#end();
  }
  /** A symlink, device or named pipe. */
  special(path2, attributes) {
    if (attributes.type === "symlink") this.#attributes(this.#frames.begin("S").text(path2), attributes).text(attributes.link);
    else {
      const type = deviceTypes[attributes.type];
      if (type === void 0) throw new Error(`Cannot create a ${attributes.type} as a device`);
      this.#attributes(this.#frames.begin("N").text(path2), attributes).u32(type).u32(attributes.devMajor).u32(attributes.devMinor);
    }
    return this.#end();
  }
  link(path2, target) {
    this.#frames.begin("H").text(path2).text(target);
    return this.#end();
  }
  whiteout(path2) {
    this.#frames.begin("W").text(path2);
    return this.#end();
  }
  remove(path2) {
    this.#frames.begin("R").text(path2);
    return this.#end();
  }
  finish() {
    return this.#session.finish("write files");
  }
  /** Ends the helper without finishing; its own error, if it had one, wins over `reason`. */
  fail(reason) {
    return this.#session.fail(reason);
  }
  #end() {
    return this.#session.end();
  }
  #attributes(frames, { mode, uid, gid, mtime, mtimeNs, xattrs }) {
    frames.u32(mode).u32(uid).u32(gid).u64(mtime).u32(mtimeNs);
    const kept2 = [...xattrs ?? []].filter(([name]) => isKeptXattr(name));
    frames.u32(kept2.length);
    for (const [name, value] of kept2) frames.text(name).text(value);
    return frames;
  }
};
function openApplier(root, { helper, signal }) {
  const process2 = helper.start(["apply", root], { signal });
  process2.stdout.resume();
  return new Applier(new Session(process2));
}

// src/filesystem/unpack.ts
var { setImmediate: setImmediate2 } = process.getBuiltinModule("node:timers/promises");
async function unpackLayer(layer, { root, form, marks = "trusted", lower, tree }, tools) {
  const { signal, helper, limits = defaultLimits } = tools;
  const held = await openHeldTar(layer, { helper, root, digests: tree === void 0, maxBytes: limits.maxBytes, signal });
  const applier = new Applier(held.session);
  const read = (visit, tar) => readLayer(layer, { entry: visit }, { signal, limits, ...tar === void 0 ? {} : { tar } });
  const index = tree === void 0 ? tools.indexes?.begin(layer.diffId) : void 0;
  const open5 = (merge) => new LayerWriter(applier, { form, marks, merge, summarizes: tree === void 0 });
  try {
    let below = form === "flat" ? await lower : await Promise.race([lower, setImmediate2(notYet)]);
    let writer;
    const isGuessed = below === notYet;
    if (below === notYet) {
      const guess = open5(new LayerMerge(emptyRoot, 0, { isPartial: true }));
      const entries = [];
      await read(async (entry, content) => void entries.push(await guess.add(entry, content)), held);
      for (const entry of entries) index?.add(entry);
      below = await lower;
      if (guess.adopt(mergeOn(below), entries)) writer = guess;
      else await guess.removeAll();
    }
    if (writer === void 0) {
      const exact = open5(mergeOn(below));
      const add = async (entry, content) => {
        const known = await exact.add(entry, content);
        if (!isGuessed) index?.add(known);
      };
      await read(add, isGuessed ? void 0 : held);
      writer = exact;
    }
    index?.end();
    if (form === "overlay") await writer.copyLinks(below);
    await writer.finish(rootOf(below));
    await applier.finish();
    return tree ?? new LayerTree(writer.root, (below?.tree.layers ?? 0) + 1);
  } catch (error) {
    if (signal?.aborted) await applier.fail(signal.reason).catch(() => {
    });
    signal?.throwIfAborted();
    return applier.fail(error);
  }
}
var notYet = /* @__PURE__ */ Symbol("not yet known");
function rootOf(lower) {
  return (lower?.tree ?? emptyTree).root;
}
function mergeOn(lower) {
  return new LayerMerge(rootOf(lower), lower?.tree.layers ?? 0);
}
var LayerWriter = class {
  #applier;
  #isOverlay;
  #marks;
  /** Directories that exist on disk for sure. */
  #made = /* @__PURE__ */ new Set([""]);
  /** For each entry that was put by a guess where it was put, and what it was linked to. */
  #places = [];
  #summarizes;
  #merge;
  constructor(applier, {
    form,
    marks,
    merge,
    summarizes
  }) {
    this.#applier = applier;
    this.#isOverlay = form === "overlay";
    this.#marks = marks;
    this.#merge = merge;
    this.#summarizes = summarizes;
  }
  /** The merged tree so far. */
  get root() {
    return this.#merge.root;
  }
  /** Gives the entry with what its content turned out to be. */
  async add(entry, content) {
    const step = this.#addToTree(entry);
    if (this.#merge.isPartial) this.#places.push(step === void 0 ? unknownPlace : placeOf(step, this.#merge));
    if (entry.type !== "file") {
      if (step !== void 0) await this.#write(step, entry);
      return entry;
    }
    const write2 = async (bytes) => {
      if (step !== void 0) await this.#write(step, entry, bytes);
    };
    if (!this.#summarizes) {
      await write2(await content.hold() ?? content);
      return entry;
    }
    const summary = await summarizeContent(entry, content, write2);
    if (step?.kind === "put") step.node.settle(summary);
    return withSummary(entry, summary);
  }
  async #write(step, entry, content) {
    if (step.kind === "hide") {
      for (const path3 of step.paths) await this.#remove(path3);
      return;
    }
    if (step.kind === "nothing" || step.path === "") return;
    const { path: path2, target, node } = step;
    await this.#makeDirectories(parentOf(path2));
    if (node instanceof Directory) {
      await this.#applier.directory(path2);
      this.#made.add(path2);
      return;
    }
    if (this.#made.has(path2)) this.#forget(path2);
    if (target !== void 0) {
      if (!this.#isOverlay || this.#merge.isOwn(node)) await this.#applier.link(path2, target);
    } else if (content !== void 0) await this.#applier.file(path2, entry, content);
    else await this.#applier.special(path2, entry);
  }
  /** What cannot be with nothing below may well be with what is below; `adopt` finds out. */
  #addToTree(entry) {
    try {
      return this.#merge.add(entry);
    } catch (error) {
      if (this.#merge.isPartial) return void 0;
      throw error;
    }
  }
  /** Takes the merge that knows what lies below; false when it puts entries elsewhere than they were put. */
  adopt(merge, entries) {
    this.#merge = merge;
    let isRight = true;
    for (const [i, entry] of entries.entries()) if (placeOf(merge.add(entry), merge) !== this.#places[i]) isRight = false;
    return isRight;
  }
  async removeAll() {
    for (const path2 of new Set(this.#places.map((place) => place.split(/[/\0]/, 1)[0] ?? ""))) {
      if (path2 !== "") await this.#applier.remove(path2);
    }
  }
  /** Hard links to files of lower layers, as copies; among themselves they are links. */
  async copyLinks(lower) {
    const tree = this.#merge.root;
    const copies = /* @__PURE__ */ new Map();
    for (const path2 of this.#merge.linksBelow) {
      const node = findNode(tree, path2);
      if (node === void 0 || lower === void 0) continue;
      await this.#makeDirectories(parentOf(path2));
      const copy = copies.get(node);
      if (copy !== void 0) await this.#applier.link(path2, copy);
      else if (node.type !== "file") await this.#applier.special(path2, node.attributes);
      else await this.#copyFile(path2, node, lower);
      copies.set(node, copy ?? path2);
    }
  }
  async #copyFile(path2, node, { layers, files }) {
    const { attributes, pathInLayer, layer: number } = node;
    const layer = layers[number];
    if (attributes.size === 0) return this.#applier.file(path2, attributes, noBytes());
    if (layer === void 0 || pathInLayer === void 0) throw new Error(`Cannot copy "${toText(path2)}": layer ${number} is not given`);
    const content = (await files.locate(layer, [pathInLayer])).get(pathInLayer);
    if (content?.kind === "file") return this.#applier.copy(path2, attributes, content);
    if (content === void 0) throw new Error(`Cannot copy "${toText(path2)}": layer ${number} does not have it`);
    const { bytes } = content;
    return this.#applier.file(path2, attributes, noBytes(bytes));
  }
  /** Gives directories what they end up with; in the form of overlayfs also hides what the layer hides. */
  async finish(lower) {
    const touched = [];
    for (const { path: path2, directory, below } of touchedDirectories(this.#merge.root, lower)) {
      await this.#makeDirectories(path2);
      const isFresh = this.#merge.isFresh(directory);
      touched.push({ path: path2, directory, isOpaque: this.#isOverlay && isFresh && below !== void 0 });
      if (!this.#isOverlay || isFresh || !(below instanceof Directory)) continue;
      for (const name of sortNames(below)) if (!directory.children.has(name)) await this.#applier.whiteout(joinPath(path2, name));
    }
    for (const { path: path2, directory, isOpaque: isOpaque2 } of touched.reverse())
      await this.#applier.directoryAttributes(path2, directory.attributes, isOpaque2 ? this.#marks : void 0);
  }
  async #makeDirectories(path2) {
    if (this.#made.has(path2)) return;
    await this.#makeDirectories(parentOf(path2));
    await this.#applier.directory(path2);
    this.#made.add(path2);
  }
  async #remove(path2) {
    const isHere = this.#made.has(path2);
    if (this.#isOverlay && !isHere) return;
    if (isHere) this.#forget(path2);
    await this.#applier.remove(path2);
  }
  #forget(path2) {
    for (const made of this.#made) if (made === path2 || made.startsWith(`${path2}/`)) this.#made.delete(made);
  }
};
var unknownPlace = "\0";
function placeOf(step, merge) {
  if (step.kind !== "put") return "";
  if (step.target === void 0) return step.path;
  return merge.isOwn(step.node) ? `${step.path}\0${step.target}` : "";
}
function findNode(root, path2) {
  return path2.split("/").reduce((node, name) => node instanceof Directory ? node.children.get(name) : void 0, root);
}
function* touchedDirectories(directory, below, path2 = "") {
  yield { path: path2, directory, below };
  for (const [name, child] of directory.children) {
    const childBelow = below instanceof Directory ? below.children.get(name) : void 0;
    if (child instanceof Directory && child !== childBelow) yield* touchedDirectories(child, childBelow, joinPath(path2, name));
  }
}
async function* noBytes(bytes) {
  if (bytes !== void 0) yield bytes;
}

// src/filesystem/users.ts
var maxId2 = 2 ** 31 - 1;
function findUser(accounts, spec) {
  const passwd = readPasswd(accounts.passwd);
  const [userPart = "", groupPart = ""] = splitSpec(spec);
  const numericUser = readNumber(userPart);
  const numericGroup = readNumber(groupPart);
  const homeOf = (uid2) => passwd.find((account2) => account2.uid === uid2)?.home || "/";
  if (numericUser !== void 0 && numericGroup !== void 0)
    return { uid: checkId(spec, numericUser), gid: checkId(spec, numericGroup), groups: [numericGroup], home: homeOf(numericUser) };
  const wanted = userPart === "" ? 0 : numericUser;
  const account = passwd.find(({ name, uid: uid2 }) => wanted === void 0 ? name === userPart : uid2 === wanted);
  if (account === void 0 && wanted === void 0)
    throw new Error(`Cannot run as user "${spec}": there is no user "${userPart}" in the image's /etc/passwd`);
  const uid = account?.uid ?? checkId(spec, wanted ?? 0);
  const home = homeOf(uid);
  const groups = readGroups(accounts.group);
  if (groupPart === "") {
    const memberships = groups.filter(({ members }) => account !== void 0 && members.includes(account.name));
    const own3 = account?.gid ?? 0;
    return { uid, gid: own3, groups: [.../* @__PURE__ */ new Set([own3, ...memberships.map(({ gid }) => gid)])], home };
  }
  const group = groups.find(({ name, gid }) => numericGroup === void 0 ? name === groupPart : gid === numericGroup);
  if (group === void 0 && numericGroup === void 0)
    throw new Error(`Cannot run as user "${spec}": there is no group "${groupPart}" in the image's /etc/group`);
  const own2 = group?.gid ?? checkId(spec, numericGroup ?? 0);
  return { uid, gid: own2, groups: [own2], home };
}
function findOwner(accounts, spec) {
  const parts = splitSpec(spec);
  const [userPart = "", groupPart] = parts;
  const unknown = [];
  let uid = 0;
  let gid = 0;
  const numericUser = readOwnerNumber(userPart);
  if (numericUser !== void 0) {
    uid = checkId(spec, numericUser);
    gid = uid;
  } else if (userPart !== "") {
    const account = readPasswd(accounts.passwd).find(({ name }) => name === userPart);
    if (account === void 0) unknown.push(userPart);
    uid = account?.uid ?? 0;
    gid = account?.gid ?? 0;
  }
  if (groupPart === void 0) return { uid, gid, unknown };
  const numericGroup = readOwnerNumber(groupPart);
  if (numericGroup !== void 0) return { uid, gid: checkId(spec, numericGroup), unknown };
  const group = readGroups(accounts.group).find(({ name }) => name === groupPart);
  if (group !== void 0) return { uid, gid: group.gid, unknown };
  if (groupPart === "") return { uid, gid: 0, unknown };
  return { uid, gid, unknown: [...unknown, groupPart] };
}
function splitSpec(spec) {
  const colon = spec.indexOf(":");
  return colon < 0 ? [spec] : [spec.slice(0, colon), spec.slice(colon + 1)];
}
function readNumber(text) {
  return /^[+-]?\d+$/.test(text) ? Number(text) : void 0;
}
function readOwnerNumber(text) {
  return text === "root" ? 0 : readNumber(text);
}
function isOwnerNumber(text) {
  return readOwnerNumber(text) !== void 0;
}
function checkId(spec, id) {
  if (id >= 0 && id <= maxId2) return id;
  throw new Error(`Cannot use user "${spec}": an id must be between 0 and ${maxId2}`);
}
function readLines2(text) {
  const lines = toText(text ?? "").split("\n");
  return lines.flatMap((line) => line.trim() === "" ? [] : [line.trim().split(":")]);
}
function readPasswd(text) {
  return readLines2(text).map(([name = "", , uid = "", gid = "", , home = ""]) => ({
    name,
    uid: readNumber(uid) ?? 0,
    gid: readNumber(gid) ?? 0,
    home
  }));
}
function readGroups(text) {
  return readLines2(text).map(([name = "", , gid = "", members = ""]) => ({
    name,
    gid: readNumber(gid) ?? 0,
    members: members === "" ? [] : members.split(",")
  }));
}

// src/filesystem/write-tree.ts
async function writeTree(root, items, tools) {
  const applier = openApplier(root, tools);
  try {
    for (const { entry, content } of items) {
      if (entry.type === "directory") await applier.directory(entry.path);
      else if (entry.type === "hardlink") await applier.link(entry.path, entry.link);
      else if (entry.type !== "file") await applier.special(entry.path, entry);
      else if (content?.kind === "file") await applier.copy(entry.path, entry, content);
      else await applier.file(entry.path, entry, bytesOf(content?.bytes));
    }
    for (const { entry } of items.toReversed())
      if (entry.type === "directory") await applier.directoryAttributes(entry.path, entry, void 0);
    await applier.finish();
  } catch (error) {
    await applier.fail(error);
  }
}
async function* bytesOf(bytes) {
  if (bytes !== void 0) yield bytes;
}

export {
  makeEntry,
  toRaw,
  toText,
  toBytes,
  toPath,
  joinPath,
  parentOf,
  nameOf,
  order,
  ServerError,
  startServer,
  openHelper,
  recordOwners,
  copyHelper,
  mediaTypes,
  isForeignLayer,
  digestOf,
  layerDescriptor,
  encodeImage,
  encodeRelease,
  encodeIndex,
  annotate,
  alignHistory,
  DigestMismatchError,
  verifyBytes,
  openBlobs,
  usualPath,
  MissingProgramError,
  runProgram,
  checkLevel,
  MalformedLayerError,
  decompress,
  openIndexWriter,
  encodeIndex2,
  decodeIndex,
  digestContent,
  readTar,
  indexLayer,
  checkCompression,
  writeLayer,
  recompressLayer,
  announceItems,
  packItems,
  own,
  move,
  scanDirectory,
  changesFromUpper,
  snapshot,
  changesFromScan,
  readCapabilities,
  readContents,
  directoryAttributes,
  Draft,
  openLayerFiles,
  decodeRunes,
  matchGlob,
  listDirectory,
  makeDirectories,
  removeTree,
  resolvePath,
  settleOwners,
  emptyTree,
  unpackLayer,
  findUser,
  findOwner,
  isOwnerNumber,
  writeTree
};
