// A proxy before a registry that makes every round trip longer, and tells how many there were.

import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { Turn } from "./round-trips.ts";

export interface DelayProxy {
  /** Ends it; the requests that were answered. */
  end(): Promise<readonly Turn[]>;
}

/**
 * Listens on 127.0.0.1:`port` for `target`, another port there. Half of `roundTripMs` is added each way to whatever connections carry;
 * opening a connection costs nothing.
 */
export async function startDelayProxy(port: number, target: number, roundTripMs: number): Promise<DelayProxy> {
  const worker = new Worker(new URL("delay-worker.ts", import.meta.url), { workerData: { port, target, delayMs: roundTripMs / 2 } });
  await once(worker, "message");
  return {
    async end() {
      worker.postMessage("end");
      const [turns]: readonly Turn[][] = await once(worker, "message");
      await worker.terminate();
      return turns ?? [];
    },
  };
}
