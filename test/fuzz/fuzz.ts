// Runs targets on made-up texts for some time, and makes what it finds small.

import type { Input } from "./input.ts";
import type { Verdict } from "./judge.ts";
import { makeInput } from "./make-input.ts";
import { shrink } from "./shrink.ts";
import { type End, Subject } from "./subject.ts";
import { loadTargets } from "./target.ts";

export interface Campaign {
  readonly seed: number;
  readonly seconds: number;
  /** Of a module with `targets`. */
  readonly targets: string;
  /** The name of one of them, or "" for all. */
  readonly only: string;
  /** Milliseconds of the processor's time after which a single run is a hang; more than a slow one may take. */
  readonly hangMs: number;
  /** For how long at most what is found is made smaller. */
  readonly shrinkSeconds: number;
}

export interface Outcome {
  readonly executions: number;
  readonly failure?: Verdict;
}

export async function fuzz({ seconds, hangMs, shrinkSeconds, ...what }: Campaign): Promise<Outcome> {
  const subject = new Subject(what);
  try {
    const result = await subject.obey({ kind: "explore", untilMs: Date.now() + seconds * 1000 }, hangMs);
    const { executions } = subject;
    if (result === undefined) return { executions };
    const found = "input" in result ? result : { ...result, input: await inputOf(what, result) };
    const deadline = Date.now() + shrinkSeconds * 1000;
    const judge = async (input: Input): Promise<Verdict | undefined> => {
      const verdict = await subject.obey({ kind: "judge", input }, hangMs / 2);
      return verdict && { ...verdict, input: "input" in verdict ? verdict.input : { ...input, times: verdict.times } };
    };
    return { executions, failure: await shrink(found, judge, () => Date.now() > deadline) };
  } finally {
    await subject.close();
  }
}

/** The thread that knew it is no more; seed and number make it again. */
async function inputOf(
  what: Pick<Campaign, "targets" | "only" | "seed">,
  { number, times }: Pick<End, "number" | "times">,
): Promise<Input> {
  return { ...makeInput(await loadTargets(what.targets, what.only), what.seed, number).input, times };
}
