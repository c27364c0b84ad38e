// Makes the mounts of a command ready for the helper: files laid out, caches locked, agents listened for.

import { randomUUID } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Listener } from "../agent/agent.ts";
import { own, removeTree } from "../filesystem/filesystem.ts";
import type { Helper } from "../helper/helper.ts";
import type { RawPath } from "../layer/entry.ts";
import { openAgentProxy } from "./agent-proxy.ts";
import { CacheStore } from "./caches.ts";
import type { Deputy } from "./deputy.ts";
import { Hold } from "./hold.ts";
import { layOut } from "./lay-out.ts";
import type { AgentMount, BindMount, CacheMount, ContentMount, Mount, MountSource, TmpfsMount } from "./mount.ts";
import type { Command, SandboxOptions } from "./sandbox.ts";

/** What the helper is told: `below` names what of a directory is mounted. */
export type ReadyMount =
  | { readonly kind: "bind"; readonly target: string; readonly directory: string; readonly below: RawPath; readonly writable: boolean }
  | TmpfsMount
  | ContentMount;

export interface ReadyMounts {
  readonly mounts: readonly ReadyMount[];
  /** To be called when the command has ended, however it did. */
  release(): Promise<void>;
}

export interface MountTools extends Pick<SandboxOptions, "stateDir" | "freshCaches" | "keeper"> {
  readonly helper: Helper;
  readonly deputy: Deputy;
}

/** The mounts of all commands of one sandbox. */
export class MountShop {
  readonly #work: string;
  readonly #caches: CacheStore;
  readonly #helper: Helper;
  readonly #moves: boolean;
  readonly #hasOwners: boolean;
  /** Files that several commands see, by their key. */
  readonly #shared = new Map<string, Promise<string>>();

  /**
   * With `moves` a mount's source is not shown but moved into the root and back: one command at a time may have it. Without `hasOwners` all
   * is this user's, in whose place the command's is.
   */
  constructor(
    { stateDir, freshCaches, keeper, helper, deputy }: MountTools,
    { moves, hasOwners = true }: { readonly moves: boolean; readonly hasOwners?: boolean },
  ) {
    this.#work = join(deputy.workDir ?? join(stateDir, "work"), randomUUID());
    this.#caches = new CacheStore(join(stateDir, `caches${deputy.ids}`), freshCaches, keeper);
    this.#helper = helper;
    this.#moves = moves;
    this.#hasOwners = hasOwners;
  }

  /** `home` is an existing directory of the command's own, on the same file system as its root. */
  async prepare({ mounts, user }: Pick<Command, "mounts" | "user">, home: string, signal: AbortSignal): Promise<ReadyMounts> {
    const hold = new Hold(this.#helper);
    const agents: Listener[] = [];
    const copies: string[] = [];
    /** Where owners are recorded: what root left is root's, and what this user leaves is his. */
    const settled: string[] = [];
    const settle = (directory: string, owner: Command["user"]) => this.#caches.settleOwners(directory, owner, this.#helper);
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
      const ready: ReadyMount[] = [];
      for (const [i, mount] of mounts.entries()) {
        if (mount.kind === "bind") ready.push(await this.#readyBind(mount, { copy: join(home, `mount-${i}`), copies }, signal));
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

  saveCaches(signal: AbortSignal): Promise<void> {
    return this.#caches.save({ helper: this.#helper, signal });
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#shared.values());
    await removeTree(this.#work, this.#helper);
  }

  /** In one order for all commands, so that no two wait for each other. */
  async #takeCaches(mounts: readonly Mount[], hold: Hold, signal: AbortSignal): Promise<ReadonlyMap<string, string>> {
    const caches = mounts.filter((mount) => mount.kind === "cache").sort((a, b) => (a.key < b.key ? -1 : 1));
    const slots = new Map<string, string>();
    for (const cache of caches) {
      const isTaken = slots.has(cache.key);
      if (isTaken && this.#moves)
        throw new Error(`Cannot mount the cache "${cache.id}" at two places: where nothing can be mounted, it is moved to one`);
      const tools = { helper: this.#helper, signal };
      if (!isTaken) slots.set(cache.key, await this.#caches.take(cache, hold, this.#moves, tools));
    }
    return slots;
  }

  async #readyCache(mount: CacheMount, directory: string, signal: AbortSignal): Promise<ReadyMount> {
    const { target, writable } = mount;
    const below = await this.#caches.locate(directory, mount, { helper: this.#helper, signal });
    return { kind: "bind", target, directory, below, writable };
  }

  async #readyBind(
    { target, source, writable }: BindMount,
    { copy, copies }: { readonly copy: string; readonly copies: string[] },
    signal: AbortSignal,
  ): Promise<ReadyMount> {
    if (!writable && !this.#moves) return { kind: "bind", target, directory: await this.#share(source, signal), below: "tree", writable };
    copies.push(copy);
    return { kind: "bind", target, directory: await this.#layOut(source, copy, signal), below: "tree", writable };
  }

  #share(source: MountSource, signal: AbortSignal): Promise<string> {
    const known = this.#shared.get(source.key);
    if (known !== undefined) return known;
    const made = this.#layOut(source, join(this.#work, String(this.#shared.size)), signal);
    made.catch(() => {});
    this.#shared.set(source.key, made);
    return made;
  }

  async #layOut(source: MountSource, directory: string, signal: AbortSignal): Promise<string> {
    await mkdir(this.#work, { recursive: true, mode: 0o700 });
    await mkdir(directory);
    await layOut(source, directory, "tree", { helper: this.#helper, signal });
    return directory;
  }

  async #readyAgent(mount: AgentMount, home: string, name: string, agents: Listener[]): Promise<ReadyMount> {
    agents.push(await openAgentProxy(home, name, mount.socket));
    await own(join(home, name), mount, this.#helper);
    return { kind: "bind", target: mount.target, directory: home, below: name, writable: false };
  }
}
