// The stores of a build as one: all are asked and written to at once, and trouble with one of them is a warning.

import type { Report } from "../report/report.ts";
import { keyOf } from "./key.ts";
import type { Found } from "./last-build.ts";
import { type CacheRecord, decodeRecord, encodeRecord } from "./record.ts";
import { type CacheBlob, type Key, recordLimit, type Store } from "./store.ts";

export interface JointOptions {
  /** Looked up in this order, written to all. */
  readonly stores: readonly Store[];
  /** Write nothing. */
  readonly readOnly: boolean;
  /** Signs records, and is asked of those that are read. */
  readonly secret: string | undefined;
  /** The scope that is written to, and those that are read besides; "" is the trusted one. */
  readonly scope: string;
  readonly readScopes: readonly string[];
  readonly report: Report;
  readonly signal: AbortSignal;
}

export interface JointStores {
  /** The first good record of each key, over all stores and scopes; everything is asked at once. `accept` throws where it is none. */
  look<T extends CacheRecord>(keys: readonly Key[], accept: (record: CacheRecord) => T | undefined): Promise<ReadonlyMap<Key, Found<T>>>;
  /** Whether stores take a record of this length. */
  fits(key: Key, record: CacheRecord): boolean;
  /** In the background. A blob that `isLost` is told, and no fault of the store that is written to. */
  write(key: Key, record: CacheRecord, blobs: readonly CacheBlob[], isLost: (blob: CacheBlob) => boolean): void;
  /** Work that `close` waits for. */
  track(work: Promise<void>): void;
  /** Says the same once. */
  warn(text: string): void;
  close(): Promise<void>;
}

export function joinStores({ stores, readOnly, secret, scope, readScopes, report, signal }: JointOptions): JointStores {
  const warned = new Set<string>();
  const writing = new Set<Promise<void>>();
  const broken = new Set<Store>();
  const scopes = [...new Set([scope, ...readScopes])];
  let isClosed = false;

  function warn(text: string): void {
    if (signal.aborted || warned.has(text)) return;
    warned.add(text);
    report.emit({ kind: "warning", text });
  }

  /** Of what fails at the same time for the same reason the first is told. */
  function giveUp(store: Store, text: string): void {
    if (!broken.has(store)) warn(text);
    broken.add(store);
  }

  async function ask(store: Store, names: readonly Key[]): Promise<ReadonlyMap<Key, Uint8Array>> {
    if (broken.has(store)) return new Map();
    try {
      return await store.find(names, signal);
    } catch (error) {
      signal.throwIfAborted();
      giveUp(store, `Cannot read the cache in ${store.name}: ${messageOf(error)}; the build goes on without it`);
      return new Map();
    }
  }

  function track(work: Promise<void>): void {
    const done = work.catch((error: unknown) => warn(`Cannot keep a layer in the cache: ${messageOf(error)}`));
    writing.add(done);
    void done.then(() => writing.delete(done));
  }

  return {
    warn,
    track,
    async look<T extends CacheRecord>(keys: readonly Key[], accept: (record: CacheRecord) => T | undefined) {
      const found = new Map<Key, Found<T>>();
      const names = new Map(keys.flatMap((key) => scopes.map((one) => [scoped(one, key), key] as const)));
      const answers = await Promise.all(stores.map((store) => ask(store, [...names.keys()])));
      for (const [i, answer] of answers.entries())
        for (const [name, bytes] of answer) {
          const [key, store] = [names.get(name), stores[i]];
          if (key === undefined || store === undefined || found.has(key)) continue;
          try {
            const record = accept(decodeRecord(name, bytes, secret));
            if (record !== undefined) found.set(key, { record, store });
          } catch (error) {
            warn(`Cannot use an entry of the cache in ${store.name}: ${messageOf(error)}; it counts as missing`);
          }
        }
      return found;
    },
    fits: (key, record) => encodeRecord(scoped(scope, key), record, secret).byteLength <= recordLimit,
    write(key, record, blobs, isLost) {
      if (readOnly || blobs.some(isLost)) return;
      const name = scoped(scope, key);
      const bytes = encodeRecord(name, record, secret);
      for (const store of stores) {
        if (broken.has(store)) continue;
        const put = store.put({ key: name, bytes, blobs }, signal).catch((error: unknown) => {
          if (blobs.some(isLost)) return;
          giveUp(store, `Cannot write to the cache in ${store.name}: ${messageOf(error)}; nothing more is written to it`);
        });
        track(put);
      }
    },
    async close() {
      if (isClosed) return;
      isClosed = true;
      while (writing.size > 0) await Promise.all(writing);
      if (readOnly) return;
      for (const store of stores)
        await store.close(signal).catch((error: unknown) => warn(`Cannot write to the cache in ${store.name}: ${messageOf(error)}`));
    },
  };
}

function scoped(scope: string, key: Key): Key {
  return scope === "" ? key : keyOf("scope", [scope, key]);
}

/** With what to try, where the error says that. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return "hint" in error && typeof error.hint === "string" ? `${error.message} (${error.hint})` : error.message;
}
