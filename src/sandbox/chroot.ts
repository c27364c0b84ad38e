// The sandboxes for root without CAP_SYS_ADMIN: a chroot without mounts, "chroot" with a supervisor that serves /proc, /sys and devices,
// "chroot-bare" without. They isolate nothing; they run commands on an image's files. Changes are found by comparing the directory before
// and after.

import { randomUUID } from "node:crypto";
import { chmod, chown, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { changesFromScan, emptyTree, type LayerFiles, removeTree, snapshot, type Tree, unpackLayer } from "../filesystem/filesystem.ts";
import type { Layer } from "../image/image.ts";
import { writeEtcFiles } from "./etc-files.ts";
import { MountShop, type MountTools } from "./prepare-mounts.ts";
import type { Command, Root, RunResult, Sandbox, SandboxOptions } from "./sandbox.ts";
import { type Ending, startCommand } from "./start-command.ts";

type Rung = "chroot" | "chroot-bare";

interface ChrootTools extends MountTools, Pick<SandboxOptions, "indexes" | "ignores"> {
  readonly files: LayerFiles;
}

export function openChroot(name: Rung, tools: ChrootTools, why: string): Sandbox {
  const mounts = new MountShop(tools, { moves: true });
  const roots = new Set<ChrootRoot>();
  return {
    name,
    why,
    stacksLayers: false,
    async openRoot() {
      const root = new ChrootRoot(join(tools.stateDir, "work", randomUUID()), { ...tools, mounts, supervised: name === "chroot" });
      roots.add(root);
      return root;
    },
    saveCaches: (signal) => mounts.saveCaches(signal),
    async close() {
      await Promise.all([...roots].map((root) => root.close()));
      await mounts.close();
    },
  };
}

interface RootTools extends ChrootTools {
  readonly mounts: MountShop;
  readonly supervised: boolean;
}

interface Merged {
  readonly tree: Tree;
  readonly layers: readonly Layer[];
}

class ChrootRoot implements Root {
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
    if (command.network === "none" && !this.#tools.supervised)
      throw new Error('Cannot run without network: the sandbox "chroot-bare" has the network of the machine');
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
    if (ending.exitCode !== 0) return { ...ending, ...(this.#tools.supervised ? explainPrivileges(command) : {}), changes: [] };
    const changes = await changesFromScan(
      this.#directory,
      before,
      await lower,
      { helper, signal },
      { exclude: this.#tools.ignores ?? (() => false) },
    );
    return { ...ending, changes };
  }

  async #start(command: Command, home: string, scratch: string, signal: AbortSignal): Promise<Ending> {
    const { helper, supervised } = this.#tools;
    const files = await writeEtcFiles(home, command.hostname);
    const { mounts, release } = await this.#tools.mounts.prepare(command.mounts, home, signal);
    try {
      return await startCommand(command, { kind: "chroot", root: this.#directory, scratch, supervised }, { helper, files, mounts, signal });
    } finally {
      await release();
    }
  }
}

/** With no_new_privs, which the filter of the supervisor needs, nobody becomes root again. */
function explainPrivileges({ args, user }: Command): { readonly hint?: string } {
  const [program] = /\b(sudo|su|doas|ping|newuidmap)\b/.exec(args.join(" ")) ?? [];
  if (program === undefined || user.uid === 0) return {};
  return {
    hint: `setuid programs and file capabilities, which ${program} needs, have no effect in the sandbox "chroot"; do it as root, with USER, or give the job CAP_SYS_ADMIN`,
  };
}
