// Lets several callers wait for one piece of work, which stops when the last of them has given up.

import { expectListeners } from "./retry.ts";

export interface Shared<T> {
  /** Starts `work` unless it is under way or done; failed work is forgotten. */
  get(key: string, work: (signal: AbortSignal) => Promise<T>, signal?: AbortSignal): Promise<T>;
}

interface Entry<T> {
  readonly result: Promise<T>;
  readonly stop: AbortController;
  waiting: number;
}

export function openShared<T>(): Shared<T> {
  const entries = new Map<string, Entry<T>>();

  function start(key: string, work: (signal: AbortSignal) => Promise<T>): Entry<T> {
    const stop = new AbortController();
    const entry = { result: work(stop.signal), stop, waiting: 0 };
    entries.set(key, entry);
    entry.result.catch(() => entries.get(key) === entry && entries.delete(key));
    return entry;
  }

  return {
    async get(key, work, signal) {
      signal?.throwIfAborted();
      const entry = entries.get(key) ?? start(key, work);
      entry.waiting += 1;
      try {
        return await orAbort(entry.result, signal);
      } finally {
        entry.waiting -= 1;
        if (entry.waiting === 0 && signal?.aborted) {
          if (entries.get(key) === entry) entries.delete(key);
          entry.stop.abort(signal.reason);
        }
      }
    },
  };
}

/** The promise's outcome, or the signal's reason as soon as it aborts. */
export function orAbort<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason);
    expectListeners(signal);
    signal.addEventListener("abort", stop, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
  });
}
