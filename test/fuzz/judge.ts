// Runs a target on a text and judges what it did: whether it crashed, broke a law, or took longer than its length explains.

import { threadCpuUsage } from "node:process";
import { type Input, textOf } from "./input.ts";
import type { Target } from "./target.ts";

/** What is wrong. `law`: the first words of the message, by which one mistake is told from another. */
export interface Verdict {
  readonly kind: "crash" | "violation" | "slow" | "hang" | "memory";
  readonly message: string;
  readonly input: Input;
}

const judgements = 3;

/** Milliseconds of the processor's time: generous for what takes time linear in the text, enough for the square of it. */
export function allowedMs(length: number): number {
  return 500 + length ** 2 / 12_500;
}

/** Tries an input in the size it has; `started` is called before each run. */
export function judge(target: Target, input: Input, started: (input: Input) => void): Verdict | undefined {
  const text = textOf(input);
  const allowed = allowedMs(text.length);
  let least = Number.POSITIVE_INFINITY;
  // A busy machine may slow one run down, but hardly all.
  for (let i = 0; i < judgements; i++) {
    started(input);
    const start = performance.now();
    const before = threadCpuUsage();
    try {
      target.run(text);
    } catch (error) {
      return { ...describe(error), input };
    }
    if (performance.now() - start <= allowed) return undefined;
    const { user, system } = threadCpuUsage(before);
    least = Math.min(least, (user + system) / 1000);
    if (least <= allowed) return undefined;
    if (least > 4 * allowed) break;
  }
  return { kind: "slow", message: `${Math.round(least)} ms for ${text.length} characters; ${Math.round(allowed)} ms are allowed`, input };
}

function describe(error: unknown): Pick<Verdict, "kind" | "message"> {
  if (!(error instanceof Error)) return { kind: "crash", message: String(error) };
  if (error.name === "Violation") return { kind: "violation", message: error.message };
  return { kind: "crash", message: error.stack ?? `${error.name}: ${error.message}` };
}
