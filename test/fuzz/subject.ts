// The thread that runs targets, watched: one that makes no progress is ended, and begun anew for the next order.

import { cpuUsage } from "node:process";
import { Worker } from "node:worker_threads";
import type { Verdict } from "./judge.ts";
import type { Order, Setting } from "./worker.ts";

/** Why there is no verdict. */
export interface End {
  readonly kind: "hang" | "memory" | "crash";
  readonly message: string;
  /** The input at work, and how often its parts were repeated. */
  readonly number: number;
  readonly times: number;
}

const limits = { maxOldGenerationSizeMb: 512, stackSizeMb: 1 };
const lookMs = 50;

export class Subject {
  readonly #setting: Setting;
  readonly #progress: Int32Array;
  #worker: Worker | undefined;

  constructor(what: Omit<Setting, "progress">) {
    const progress = new SharedArrayBuffer(12);
    this.#setting = { ...what, progress };
    this.#progress = new Int32Array(progress);
  }

  get executions(): number {
    return Atomics.load(this.#progress, 2);
  }

  /** `hangMs`: of the processor's time in a single run. Nothing is said of what is well. */
  async obey(order: Order, hangMs: number): Promise<Verdict | End | undefined> {
    this.#worker ??= new Worker(new URL("./worker.ts", import.meta.url), { workerData: this.#setting, resourceLimits: limits });
    const worker = this.#worker;
    const answer = Promise.withResolvers<Verdict | End | undefined>();
    const end = (kind: End["kind"], message: string) =>
      answer.resolve({ kind, message, number: Atomics.load(this.#progress, 0), times: Atomics.load(this.#progress, 1) });
    const watch = setInterval(
      this.#watch(hangMs, () => end("hang", `it did not end within ${hangMs} ms`)),
      lookMs,
    );
    const onError = (error: NodeJS.ErrnoException) => {
      if (error.code === "ERR_WORKER_OUT_OF_MEMORY") end("memory", `it took more than ${limits.maxOldGenerationSizeMb} MB`);
      else end("crash", `the thread ended: ${error.stack}`);
    };
    worker.once("message", answer.resolve);
    worker.once("error", onError);
    worker.postMessage(order);
    try {
      const result = await answer.promise;
      if (result !== undefined && "number" in result) await this.close();
      return result;
    } finally {
      clearInterval(watch);
      worker.off("message", answer.resolve);
      worker.off("error", onError);
    }
  }

  /** Counts what the processor has done since the last run began; this thread itself does nothing meanwhile. */
  #watch(hangMs: number, onHang: () => void): () => void {
    let executions = -1;
    let before = cpuUsage();
    return () => {
      if (this.executions !== executions) {
        executions = this.executions;
        before = cpuUsage();
        return;
      }
      const { user, system } = cpuUsage(before);
      if ((user + system) / 1000 > hangMs) onHang();
    };
  }

  async close(): Promise<void> {
    await this.#worker?.terminate();
    this.#worker = undefined;
  }
}
