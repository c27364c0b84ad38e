// Lets only so many pieces of work run at a time, first come, first served.

import { expectListeners } from "../http/http.ts";

export interface Limit {
  run<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T>;
}

export function openLimit(most: number): Limit {
  let running = 0;
  const waiting: (() => void)[] = [];

  function wait(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const go = () => {
        signal?.removeEventListener("abort", stop);
        running += 1;
        resolve();
      };
      const stop = () => {
        waiting.splice(waiting.indexOf(go), 1);
        reject(signal?.reason);
      };
      expectListeners(signal);
      signal?.addEventListener("abort", stop, { once: true });
      waiting.push(go);
    });
  }

  return {
    async run(work, signal) {
      signal?.throwIfAborted();
      if (running < most) running += 1;
      else await wait(signal);
      try {
        return await work();
      } finally {
        running -= 1;
        waiting.shift()?.();
      }
    },
  };
}
