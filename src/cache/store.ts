// Where records and the blobs that they name are kept between builds: a directory, a repository, the cache service of a CI.

import type { Digest } from "../image/digest.ts";
import type { Descriptor, Layer } from "../image/image.ts";

/** 64 hex digits; names a record. What it is the hash of is the caller's affair. */
export type Key = string;

/** No record has more bytes. */
export const recordLimit = 1024 * 1024;

/** What a record names, with where its bytes are; a layer is one. */
export type CacheBlob = Pick<Layer, "descriptor" | "open" | "file" | "origin">;

/** Seconds after which the use of a record is worth writing down where that takes a request. */
export const worthNoting = 24 * 3600;

/** A small document and the blobs that are of no use without it. */
export interface NewRecord {
  readonly key: Key;
  /** Up to `recordLimit`. */
  readonly bytes: Uint8Array;
  readonly blobs: readonly CacheBlob[];
}

/**
 * Nothing that comes out of a store is trusted: the caller checks records, and the store verifies blobs. Several builds may use one store at once,
 * and a build that is killed at any point leaves it whole. Whatever rejects is a warning to the build and no more.
 */
export interface Store {
  /** For messages: `directory /cache`, `repository registry.example/app/cache`. */
  readonly name: string;
  /** The records of these keys, all looked up together; keys without a record are absent. Rejects where the store cannot be asked. */
  find(keys: readonly Key[], signal?: AbortSignal): Promise<ReadonlyMap<Key, Uint8Array>>;
  /** The bytes of a blob that a found record names, verified while they are read; fails where it is gone. */
  read(blob: Pick<Descriptor, "digest" | "size">, signal?: AbortSignal): AsyncIterable<Uint8Array>;
  /**
   * Stores a record once its blobs are there; one with the same key is replaced. Blobs that the store has are not sent again. A store that
   * gathers what it is given writes it when it is closed.
   */
  put(record: NewRecord, signal?: AbortSignal): Promise<void>;
  /** Where a registry has its blobs, so that they can be mounted from there. */
  readonly origin?: { readonly registry: string; readonly repository: string };
  /** Removes what is old, and then the least recently used until the rest fits; blobs without a record go, unless they are very new. */
  prune(limits: PruneLimits, signal?: AbortSignal): Promise<PruneResult>;
  /** Writes what was gathered, and ends. */
  close(signal?: AbortSignal): Promise<void>;
}

export interface PruneLimits {
  /** Seconds since the last use, which stores that are far away note once a day. */
  readonly unusedFor?: number;
  /** Bytes. */
  readonly maxBytes?: number;
  /** Say what would go, and leave it. */
  readonly dryRun: boolean;
}

export interface PruneResult {
  readonly removedRecords: number;
  readonly removedBlobs: readonly Digest[];
  readonly freedBytes: number;
  readonly keptRecords: number;
  readonly keptBytes: number;
}
