// Where the commands of RUN run: the strongest sandbox that works on this machine, and what a command changed.

import { join } from "node:path";
import type { LayerFiles, Tree } from "../filesystem/filesystem.ts";
import type { Helper } from "../helper/helper.ts";
import type { Layer } from "../image/image.ts";
import type { LayerItem, RawPath } from "../layer/entry.ts";
import type { Blobs, IndexSink } from "../layer/layer.ts";
import type { Report } from "../report/report.ts";
import type { CacheTools } from "./caches.ts";
import type { CacheMount, Mount } from "./mount.ts";
import type { CacheLimits, PrunedCaches } from "./prune-caches.ts";

export type { CacheMount, Mount, MountSource } from "./mount.ts";

/** The sandboxes that exist, from the strongest to the weakest. */
export const sandboxNames = ["ns", "userns", "chroot", "inplace", "userns-single", "chroot-bare"] as const;

export type SandboxName = (typeof sandboxNames)[number];

/** What `--sandbox` takes; `auto` is the strongest that works here. */
export type SandboxChoice = "auto" | SandboxName;

export interface Sandbox {
  readonly name: SandboxName;
  /** One line for the log: what it gives, and why nothing stronger was taken. */
  readonly why: string;
  /**
   * Each layer lies by itself: those that several roots have are unpacked once, and what a command has changed stays as it is while the
   * next one runs.
   */
  readonly stacksLayers: boolean;
  /** Starts the file system of one stage; stages may run side by side. */
  openRoot(): Promise<Root>;
  /** Hands over what the caches hold that commands have written to, where somebody keeps them. */
  saveCaches(signal: AbortSignal): Promise<void>;
  /** Ends every command that still runs and removes what was written below the state directory, unpacked layers excepted. */
  close(): Promise<void>;
}

/** One stage's file system on disk. */
export interface Root {
  /**
   * Puts a layer on top and gives the tree of all layers so far. That and the tree of those below may be handed in where they are known,
   * and must be where `publish` has not been called yet for what lies below. Called for each layer from the bottom, in order, without waiting for the last call's
   * answer: fetching and unpacking go on side by side, and the same layer in several stages is unpacked once. A layer that
   * `publish` has taken need not be added again.
   */
  add(layer: Promise<Layer>, tree?: Tree, lower?: Tree): Promise<Tree>;
  /**
   * Runs one command on top of all layers added so far; `lower` is their merged tree, which is needed when the command has ended. Rejects
   * when it cannot be started, with what a mount lacks, or when `signal` aborts.
   */
  run(command: Command, lower: Promise<Tree>, signal: AbortSignal): Promise<RunResult>;
  close(): Promise<void>;
}

/** Strings are UTF-8 as in the Dockerfile. */
export interface Command {
  /** The program is looked up in `PATH` of `env` where its name has no slash. */
  readonly args: readonly string[];
  /** `NAME=value`; the command sees nothing else. */
  readonly env: readonly string[];
  /** Absolute; made (0755, the user's) where it is absent, as BuildKit does, and then part of the changes. */
  readonly cwd: string;
  readonly user: { readonly uid: number; readonly gid: number; readonly groups: readonly number[] };
  readonly hostname: string;
  /** `default` and `host` are the network of the machine, `none` is a loop-back interface alone. */
  readonly network: "default" | "none" | "host";
  /** Put in place in this order. */
  readonly mounts: readonly Mount[];
  stdout(bytes: Uint8Array): void;
  stderr(bytes: Uint8Array): void;
}

export type { PrunedCaches } from "./prune-caches.ts";

export interface RunResult {
  /** 128 + signal number when a signal ended it; 127 when the program was not found, 126 when it could not be executed. */
  readonly exitCode: number;
  /** `SIGKILL`, when a signal ended it. */
  readonly signal?: string;
  /** What of the sandbox may have made it fail. */
  readonly hint?: string;
  /** Sorted, ready for a layer; contents lie in files that stay as they are until `publish` is called. */
  readonly changes: readonly LayerItem[];
  /**
   * Must be called once the layer of `changes` is written: the root then has it, and `tree` is what the layers up to it come to. A command
   * that runs meanwhile is waited for where layers are stacked; elsewhere none starts before.
   */
  publish(layer: Layer, tree: Tree): Promise<void>;
}

/** Carries what caches hold from build to build. */
export interface CacheKeeper {
  /** What a cache held; undefined where nothing is known of it. */
  restore(cache: CacheMount): Promise<Layer | undefined>;
  /** Takes everything that a cache holds now, as items that lie below a folder "cache". */
  save(cache: CacheMount, items: AsyncIterable<LayerItem>): Promise<void>;
  /** Says that something could not be kept or brought back. */
  warn(text: string): void;
}

export interface SandboxOptions {
  /** Absolute; unpacked layers and work directories lie below it. */
  readonly stateDir: string;
  /** It goes with the build. */
  readonly stateIsPrivate: boolean;
  /** Whether a builder that is not root may ask for it. */
  readonly sudo: boolean;
  /** Ids of caches that are emptied before the first command that mounts them. */
  readonly freshCaches: ReadonlySet<string>;
  readonly blobs: Blobs;
  readonly files: LayerFiles;
  /** Without it no command can run. */
  readonly helper: Helper | undefined;
  readonly report: Report;
  /** What a command does to these paths is no change, and is undone where layers are stacked. */
  readonly ignores?: ((path: RawPath) => boolean) | undefined;
  /** Gets the entries of layers that are unpacked. */
  readonly indexes?: IndexSink | undefined;
  /** Absolute paths that the builder writes to while commands run: where these run in the builder's own root, they stay there. */
  readonly keeps?: readonly string[];
  /** Without one, caches live as long as the state directory. */
  readonly keeper?: CacheKeeper | undefined;
}

/** What trying one sandbox came to. */
export interface SandboxReport {
  readonly name: SandboxName;
  readonly works: boolean;
  /** What it gives, or why it does not work. */
  readonly why: string;
  /** The helper's own words, with the kernel's error, where `why` has others. */
  readonly message?: string;
  /** What would help, or what is lacking all the same. */
  readonly change?: string;
}

/** Tries every sandbox, from the strongest to the weakest. */
export async function surveySandboxes(
  tools: Pick<SandboxOptions, "stateDir" | "stateIsPrivate" | "sudo"> & { readonly helper: Helper },
): Promise<readonly SandboxReport[]> {
  const { surveyRungs } = await import("./survey.ts");
  return surveyRungs(tools);
}

/** Makes what RUN mounts as caches smaller, in a state directory. */
export async function pruneCaches(stateDir: string, limits: CacheLimits, tools: CacheTools): Promise<PrunedCaches> {
  const prune = await import("./prune-caches.ts");
  return prune.pruneCaches(join(stateDir, "caches"), limits, tools);
}

/**
 * Opens the sandbox that is asked for, or for `auto` the strongest that works here. Whether one works is found by doing all that it
 * does, short of a command. Throws with what was refused and what would help.
 */
export async function openSandbox(choice: SandboxChoice, options: SandboxOptions): Promise<Sandbox> {
  // Most builds have nothing to run, and are over before all this would be loaded.
  const { chooseSandbox } = await import("./choose.ts");
  return chooseSandbox(choice, options);
}
