// One directory for all layers of a stage: unpacked over each other, entered in one way or another, and compared before and after.

import { randomUUID } from "node:crypto";
import { chmod, chown, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { changesFromScan, emptyTree, type LayerFiles, removeTree, snapshot, type Tree, unpackLayer } from "../filesystem/filesystem.ts";
import type { Layer } from "../image/image.ts";
import { writeEtcFiles } from "./etc-files.ts";
import { MountShop, type MountTools } from "./prepare-mounts.ts";
import type { Command, Root, RunResult, Sandbox, SandboxName, SandboxOptions } from "./sandbox.ts";
import { type Ending, type Place, type StartOptions, startCommand } from "./start-command.ts";

export interface FlatTools extends MountTools, Pick<SandboxOptions, "indexes" | "ignores"> {
  readonly files: LayerFiles;
}

/** How a command gets to see the directory. */
export interface FlatWay {
  readonly name: SandboxName;
  readonly why: string;
  /** `scratch` is an empty directory beside the root. */
  place(root: string, scratch: string): Place;
  /** Throws where a command asks for what cannot be had. */
  expect?(command: Command): void;
  /** What may have made a command fail. */
  explain?(command: Command): string | undefined;
  /** The directory's files are elsewhere while a command runs. */
  readonly isMoved?: boolean;
  readonly listeners?: Pick<StartOptions, "onWritten">;
  /** When all commands have ended. */
  close?(): Promise<void>;
}

/** `stateDir` of the tools is where the directories are. */
export function openFlat(tools: FlatTools, way: FlatWay): Sandbox {
  const mounts = new MountShop(tools, { moves: true });
  const roots = new Set<FlatRoot>();
  return {
    name: way.name,
    why: way.why,
    stacksLayers: false,
    async openRoot() {
      const root = new FlatRoot(join(tools.stateDir, "work", randomUUID()), { ...tools, mounts, way });
      roots.add(root);
      return root;
    },
    saveCaches: (signal) => mounts.saveCaches(signal),
    async close() {
      await Promise.all([...roots].map((root) => root.close()));
      await way.close?.();
      await mounts.close();
    },
  };
}

interface RootTools extends FlatTools {
  readonly mounts: MountShop;
  readonly way: FlatWay;
}

interface Merged {
  readonly tree: Tree;
  readonly layers: readonly Layer[];
}

class FlatRoot implements Root {
  readonly #work: string;
  readonly #directory: string;
  readonly #tools: RootTools;
  readonly #stop = new AbortController();
  /** What is in the directory once everything that was asked for is done: one thing after the other happens there. */
  #merged: Promise<Merged> = Promise.resolve({ tree: emptyTree, layers: [] });
  #running: Promise<unknown> = Promise.resolve();
  #runs = 0;

  constructor(work: string, tools: RootTools) {
    this.#work = work;
    this.#directory = join(work, "root");
    this.#tools = tools;
  }

  async add(layer: Promise<Layer>, known?: Tree): Promise<Tree> {
    const unpacked = this.#merged.then(async (lower) => {
      const top = await layer;
      await this.#makeDirectory();
      const { helper, files, indexes } = this.#tools;
      const target = { root: this.#directory, form: "flat", lower: { ...lower, files }, tree: known } as const;
      const tree = await unpackLayer(top, target, { helper, signal: this.#stop.signal, indexes });
      return { tree, layers: [...lower.layers, top] };
    });
    this.#then(unpacked);
    return (await unpacked).tree;
  }

  async run(command: Command, lower: Promise<Tree>, signal: AbortSignal): Promise<RunResult> {
    this.#tools.way.expect?.(command);
    const { layers } = await this.#merged;
    let release = (_: Merged) => {};
    // The contents of the changes lie in the directory itself, so that nothing may happen there until their layer is written.
    const written = new Promise<Merged>((resolve) => {
      release = resolve;
    });
    const running = this.#run(command, lower, AbortSignal.any([signal, this.#stop.signal]));
    this.#then(running.then(async (result) => (result.exitCode === 0 ? written : { tree: await lower, layers })));
    const result = await running;
    return { ...result, publish: async (layer, tree) => release({ tree, layers: [...layers, layer] }) };
  }

  async close(): Promise<void> {
    this.#stop.abort(new Error("Cannot run: the sandbox is closed"));
    await this.#running;
    await removeTree(this.#work);
  }

  /** Nobody else on the machine may reach the setuid programs of an image. */
  async #makeDirectory(): Promise<void> {
    await mkdir(this.#work, { recursive: true, mode: 0o700 });
    await mkdir(this.#directory, { recursive: true });
  }

  #then(merged: Promise<Merged>): void {
    merged.catch(() => {});
    this.#merged = merged;
  }

  async #run(command: Command, lower: Promise<Tree>, signal: AbortSignal): Promise<Omit<RunResult, "publish">> {
    const { helper } = this.#tools;
    this.#runs += 1;
    const home = join(this.#work, String(this.#runs));
    const scratch = join(home, "scratch");
    await this.#makeDirectory();
    await mkdir(scratch, { recursive: true });
    // Like containerd, whatever a layer says of the root itself.
    await chown(this.#directory, 0, 0);
    await chmod(this.#directory, 0o755);
    const before = await snapshot(this.#directory, { helper, signal });
    const running = this.#start(command, home, scratch, signal);
    this.#running = running.catch(() => {});
    const ending = await running;
    await removeTree(home);
    const hint = ending.exitCode === 0 ? undefined : this.#tools.way.explain?.(command);
    if (ending.exitCode !== 0) return { ...ending, ...(hint && { hint }), changes: [] };
    const { way, ignores: exclude = () => false } = this.#tools;
    const { isMoved = false } = way;
    const changes = await changesFromScan(this.#directory, before, await lower, { helper, signal }, { exclude, isMoved });
    return { ...ending, changes };
  }

  async #start(command: Command, home: string, scratch: string, signal: AbortSignal): Promise<Ending> {
    const { helper, way } = this.#tools;
    const files = await writeEtcFiles(home, command.hostname);
    const { mounts, release } = await this.#tools.mounts.prepare(command, home, signal);
    try {
      return await startCommand(command, way.place(this.#directory, scratch), { ...way.listeners, helper, files, mounts, signal });
    } finally {
      await release();
    }
  }
}
