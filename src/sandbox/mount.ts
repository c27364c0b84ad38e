// What one command sees beside its root's own files, and what never becomes part of its changes.

import type { LayerItem, RawPath } from "../layer/entry.ts";

/** Files to be shown, laid out on disk when a command needs them. */
export interface MountSource {
  /** Sources of one build with the same key are the same files. */
  readonly key: string;
  /** Parents first; "" is what is mounted, a directory or anything else. */
  items(): Promise<readonly LayerItem[]>;
}

interface Placed {
  /** Absolute, in the root; symlinks of the root are followed. Later mounts may lie in earlier ones. */
  readonly target: string;
}

interface Owned {
  /** Permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/** A copy of files; what the command writes there is gone afterwards. */
export interface BindMount extends Placed {
  readonly kind: "bind";
  readonly source: MountSource;
  readonly writable: boolean;
}

/** A directory that outlives the command, however that ends. */
export interface CacheMount extends Placed {
  readonly kind: "cache";
  /** Names the directory among all builds with the same state directory. */
  readonly key: string;
  /** For errors. */
  readonly id: string;
  /** What to do while others use it: use it too, take an empty one, wait. */
  readonly sharing: "shared" | "private" | "locked";
  /** What it holds at first. */
  readonly seed: MountSource | undefined;
  /** Of a directory without a seed. */
  readonly owner: Owned;
  /** What of it is shown, "" is all; its symlinks do not lead out of it. */
  readonly source: RawPath;
  readonly writable: boolean;
}

export interface TmpfsMount extends Placed {
  readonly kind: "tmpfs";
  /** Bytes; 0 is the kernel's usual half of the memory. */
  readonly size: number;
  readonly writable: boolean;
}

/** A read-only file whose bytes the command alone gets to see: on no disk, where anything can be mounted. */
export interface ContentMount extends Placed, Owned {
  readonly kind: "content";
  readonly bytes: Uint8Array;
  readonly executable: boolean;
}

/** A socket that passes on to an SSH agent what it takes to use keys, not what changes them. */
export interface AgentMount extends Placed, Owned {
  readonly kind: "agent";
  /** The agent's own socket. */
  readonly socket: string;
}

/** In a command's list they are put in place in order. */
export type Mount = BindMount | CacheMount | TmpfsMount | ContentMount | AgentMount;
