// In which order builds are measured.

import type { Case } from "./goals.ts";
import type { Attempt } from "./results.ts";

export interface Wanted {
  readonly inputs: readonly string[];
  readonly cases: readonly Case[];
  /** Milliseconds. */
  readonly delays: readonly number[];
  readonly tools: readonly string[];
  readonly runs: number;
}

/** Input by input, and within one the tools in turn: what disturbs the machine for a while disturbs all of them. */
export function listAttempts({ inputs, cases, delays, tools, runs }: Wanted): Attempt[] {
  const numbers = Array.from({ length: runs }, (_, index) => index + 1);
  return inputs.flatMap((input) =>
    numbers.flatMap((run) =>
      delays.flatMap((delay) => cases.flatMap((name) => tools.map((tool): Attempt => ({ tool, input, case: name, delay, run })))),
    ),
  );
}
