// Where this machine differs from the reference: what worked there and does not here, and what is better.

import { sandboxNames } from "../../src/sandbox/sandbox.ts";
import { expectedSteps, ladder } from "./expected.ts";
import type { Cell } from "./try-cell.ts";

/** What the reference has and this has not; empty where all is well. */
export function findDifferences({ environment, asked, rung, refused, passed, failed }: Cell): string[] {
  const where = `${environment}, ${rung}`;
  if (asked === "auto") {
    const strongest = findStrongest(environment);
    if (strongest !== undefined && refused !== undefined) return [`${where}: refused: ${refused}`];
    if (refused !== undefined) return [];
    if (strongest !== undefined && ladder.indexOf(rung) > ladder.indexOf(strongest))
      return [`${where}: was chosen, where ${strongest} worked in the reference`];
  }
  const expected = expectedSteps(environment, rung);
  if (expected === undefined) return [];
  if (refused !== undefined) return [`${where}: refused: ${refused}`];
  const missing = expected.filter((step) => failed.has(step) && !passed.includes(step));
  return missing.map((step) => `${where}: ${step}: ${failed.get(step)}`);
}

/** What `auto` should come to, or to something stronger; the sandbox of the executor image works in no other. */
function findStrongest(environment: string): string | undefined {
  const names: readonly string[] = sandboxNames;
  return ladder.find((rung) => rung !== "inplace" && names.includes(rung) && expectedSteps(environment, rung) !== undefined);
}

/** Steps that failed where the reference, too, had them fail, or had nothing. */
export function findKnownFailures({ environment, rung, failed }: Cell): string[] {
  const expected = expectedSteps(environment, rung) ?? [];
  return [...failed.keys()].filter((step) => !expected.includes(step));
}
