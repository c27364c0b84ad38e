// Sandboxes of namespaces around a command, with overlayfs under it: "ns" as root of the machine, "userns" as root of a user namespace,
// where that may be made by who may not mount, "userns-single" as the only user of one. What a command has changed is the overlay's upper
// directory.

import { randomUUID } from "node:crypto";
import { chmod, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { changesFromUpper, type LayerFiles, type OverlayMarks, removeTree, type Tree, unpackLayer } from "../filesystem/filesystem.ts";
import { type Helper, recordOwners } from "../helper/helper.ts";
import type { Layer } from "../image/image.ts";
import type { Deputy } from "./deputy.ts";
import { writeAptFile, writeEtcFiles } from "./etc-files.ts";
import { LayerStore, type Level } from "./layer-store.ts";
import { MountShop, type MountTools } from "./prepare-mounts.ts";
import type { Command, Root, RunResult, Sandbox, SandboxOptions } from "./sandbox.ts";
import { type Ending, type Place, startCommand, type UserNamespace } from "./start-command.ts";

/** The kernel's OVL_MAX_STACK. */
const maxLayers = 500;

interface NsTools extends MountTools, Pick<SandboxOptions, "indexes" | "ignores"> {
  readonly files: LayerFiles;
  readonly deputy: Deputy;
}

export type NsName = "ns" | "userns" | "userns-single";

/** In a user namespace where `user` is given. */
export function openNs(name: NsName, given: NsTools, why: string, user: UserNamespace | undefined): Sandbox {
  const { stateDir, deputy } = given;
  const recordsOwners = hasOneId(user);
  const helper = recordsOwners ? recordOwners(given.helper) : given.helper;
  const tools = { ...given, helper };
  const layers = new LayerStore(join(stateDir, "layers"), { ...tools, marks: marksOf(user), recordsOwners });
  const mounts = new MountShop(tools, { moves: false, hasOwners: !recordsOwners });
  const roots = new Set<NsRoot>();
  let closed: Promise<void> | undefined;
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
      const root = new NsRoot(join(deputy.workDir ?? join(stateDir, "work"), randomUUID()), { ...tools, layers, mounts, user });
      roots.add(root);
      return root;
    },
    saveCaches: (signal) => mounts.saveCaches(signal),
    close() {
      closed ??= close();
      return closed;
    },
  };
}

/** Then owners are recorded, as nobody can be given anything. */
function hasOneId(user: UserNamespace | undefined): boolean {
  return user !== undefined && user.ids !== "all";
}

function marksOf(user: UserNamespace | undefined): OverlayMarks {
  return user === undefined ? "trusted" : "user";
}

interface RootTools extends Pick<NsTools, "files" | "helper" | "ignores"> {
  readonly layers: LayerStore;
  readonly mounts: MountShop;
  readonly user: UserNamespace | undefined;
}

class NsRoot implements Root {
  readonly #work: string;
  readonly #store: LayerStore;
  readonly #mounts: MountShop;
  readonly #helper: Helper;
  readonly #files: LayerFiles;
  readonly #ignores: NsTools["ignores"];
  readonly #user: UserNamespace | undefined;
  readonly #stop = new AbortController();
  /** From the top to the bottom: layers, and changes that are no layer yet. */
  #stack: (Level | Changes)[] = [];
  /** Directories are moved when no command has them mounted. */
  #turn: Promise<unknown> = Promise.resolve();
  #runs = 0;

  constructor(work: string, tools: RootTools) {
    this.#work = work;
    this.#store = tools.layers;
    this.#mounts = tools.mounts;
    this.#helper = tools.helper;
    this.#files = tools.files;
    this.#ignores = tools.ignores;
    this.#user = tools.user;
  }

  async add(layer: Promise<Layer>, tree?: Tree, lower?: Tree): Promise<Tree> {
    if (this.#stack.length === maxLayers) throw new Error(`Cannot stack more than ${maxLayers} layers: overlayfs takes no more`);
    const top = this.#stack[0];
    if (top === undefined || isLevel(top)) {
      const level = this.#store.add(layer, top, tree);
      this.#stack.unshift(level);
      return level.tree;
    }
    if (tree === undefined || lower === undefined) throw new Error("Cannot add a layer: what lies below it is not known");
    this.#runs += 1;
    const made = join(this.#work, String(this.#runs), "layer");
    const directory = this.#unpack(layer, made, lower, tree);
    this.#stack.unshift({ made, directory, written: { layer, tree } });
    await directory;
    return tree;
  }

  /** The layer by itself; it has no name that others could find it by. */
  async #unpack(layer: Promise<Layer>, made: string, lower: Tree, tree: Tree): Promise<string> {
    const directory = join(made, "fs");
    await mkdir(this.#work, { recursive: true, mode: 0o700 });
    await mkdir(directory, { recursive: true });
    const marks = marksOf(this.#user);
    const target = { root: directory, form: "overlay", marks, lower: { tree: lower, layers: [], files: this.#files }, tree } as const;
    await unpackLayer(await layer, target, { helper: this.#helper, signal: this.#stop.signal });
    return directory;
  }

  async run(command: Command, lower: Promise<Tree>, signal: AbortSignal): Promise<RunResult> {
    const stopped = AbortSignal.any([signal, this.#stop.signal]);
    this.#runs += 1;
    const home = join(this.#work, String(this.#runs));
    const made = join(home, "layer");
    const upper = join(made, "fs");
    const ending = await this.#inTurn(() => this.#start(command, home, upper, stopped));
    if (ending.exitCode !== 0) {
      await removeTree(home, this.#helper);
      return { ...ending, changes: [], publish: async () => {} };
    }
    const tools = { helper: this.#helper, signal: stopped };
    const changes = await changesFromUpper(upper, await lower, tools, { exclude: this.#ignores ?? (() => false) });
    const top: Changes = { made, directory: Promise.resolve(upper) };
    this.#stack.unshift(top);
    return { ...ending, changes, publish: (layer, tree) => this.#inTurn(() => this.#publish(top, layer, tree)) };
  }

  async close(): Promise<void> {
    this.#stop.abort(new Error("Cannot run: the sandbox is closed"));
    await this.#turn;
    await removeTree(this.#work, this.#helper);
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => {});
    return done;
  }

  async #start(command: Command, home: string, upper: string, signal: AbortSignal): Promise<Ending> {
    const lowers = await Promise.all(this.#stack.map(({ directory }) => directory));
    signal.throwIfAborted();
    const [work, stage] = [join(home, "work"), join(home, "stage")];
    // Nobody else on the machine may reach the setuid programs of an image.
    await mkdir(this.#work, { recursive: true, mode: 0o700 });
    await mkdir(upper, { recursive: true });
    await Promise.all([mkdir(work), mkdir(stage)]);
    // The root that a command sees. Like containerd, whatever a layer says of it; the directory was made under some umask.
    await chmod(upper, 0o755);
    const place: Place = { kind: "namespaces", lowers, upper, work, stage, ...(this.#user && { user: this.#user }) };
    const files = await writeEtcFiles(home, command.hostname);
    const filesInPlace = hasOneId(this.#user) ? await writeAptFile(home) : {};
    const { mounts, release } = await this.#mounts.prepare(command, home, signal);
    try {
      return await startCommand(command, place, { helper: this.#helper, files, filesInPlace, mounts, signal });
    } finally {
      await release();
    }
  }

  async #publish(top: Changes, layer: Layer, tree: Tree): Promise<void> {
    const at = this.#stack.indexOf(top);
    const below = this.#stack[at + 1];
    if (at < 0 || (below !== undefined && !isLevel(below))) throw new Error("Cannot keep a layer: the one below it is not written yet");
    const level = await this.#keep(top, layer, below, tree);
    // There may be more on top by now.
    const now = this.#stack.indexOf(top);
    this.#stack[now] = level;
    const above = this.#stack[now - 1];
    if (above === undefined || isLevel(above) || above.written === undefined) return;
    const isThere = await above.directory.then(
      () => true,
      () => false, // Which is the error of whoever needs it.
    );
    if (isThere) await this.#publish(above, await above.written.layer, above.written.tree);
  }

  /** Where something was left out, what the command has left is more than the layer. */
  async #keep(top: Changes, layer: Layer, below: Level | undefined, tree: Tree): Promise<Level> {
    if (this.#ignores === undefined) return this.#store.publish(top.made, layer, below, tree);
    const level = this.#store.add(Promise.resolve(layer), below, tree);
    await level.directory;
    await removeTree(top.made, this.#helper);
    return level;
  }
}

/** The upper directory of a command that has ended, or a layer on top of one. */
interface Changes {
  readonly made: string;
  readonly directory: Promise<string>;
  /** The layer that lies there, where one does, and what all up to it come to. */
  readonly written?: { readonly layer: Promise<Layer>; readonly tree: Tree };
}

function isLevel(entry: Level | Changes): entry is Level {
  return "chainId" in entry;
}
