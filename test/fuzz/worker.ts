// The thread in which targets run, so that one that never ends can be ended from outside.

import { parentPort, workerData } from "node:worker_threads";
import { type Input, sizesOf } from "./input.ts";
import { judge, type Verdict } from "./judge.ts";
import { makeInput } from "./make-input.ts";
import { loadTargets } from "./target.ts";

export interface Setting {
  readonly seed: number;
  /** Of a module with `targets`. */
  readonly targets: string;
  /** The name of one of them, or "" for all. */
  readonly only: string;
  /** Three 32-bit numbers: the input at work, how often its parts are repeated, and how often targets were run. */
  readonly progress: SharedArrayBuffer;
}

/** `explore` makes inputs until something is wrong or the time is over; `judge` tries one. */
export type Order = { readonly kind: "explore"; readonly untilMs: number } | { readonly kind: "judge"; readonly input: Input };

const setting: Setting = workerData;
const progress = new Int32Array(setting.progress);
const targets = await loadTargets(setting.targets, setting.only);

function started({ times }: Input): void {
  Atomics.store(progress, 1, times);
  Atomics.add(progress, 2, 1);
}

function explore(untilMs: number): Verdict | undefined {
  for (let number = 0; Date.now() < untilMs; number++) {
    Atomics.store(progress, 0, number);
    const { target, input } = makeInput(targets, setting.seed, number);
    for (const one of sizesOf(input)) {
      const verdict = judge(target, one, started);
      if (verdict) return verdict;
    }
  }
  return undefined;
}

function judgeOne(input: Input): Verdict | undefined {
  const target = targets.find(({ name }) => name === input.target);
  return target && judge(target, input, started);
}

parentPort?.on("message", (order: Order) => {
  parentPort?.postMessage(order.kind === "explore" ? explore(order.untilMs) : judgeOne(order.input));
});
