// What is fuzzed: a function of text that may refuse it, in its own way, and must do nothing else.

import type { Random } from "./random.ts";

export interface Target {
  readonly name: string;
  /** How often it is chosen, beside others. */
  readonly weight: number;
  /** A text that is worth trying. */
  make(random: Random): string;
  /** Throws a Violation where a law does not hold; whatever else it throws is a crash. */
  run(text: string): void;
}

/** The targets of a module; with a name that one alone. */
export async function loadTargets(module: string, only: string): Promise<readonly Target[]> {
  const { targets }: { targets: readonly Target[] } = await import(module);
  const chosen = targets.filter(({ name }) => only === "" || name === only);
  if (chosen.length === 0) throw new Error(`There is no target "${only}"; there are ${targets.map(({ name }) => name).join(", ")}`);
  return chosen;
}

/** A law of a target that does not hold for some text. */
export class Violation extends Error {
  constructor(law: string) {
    super(law);
    this.name = "Violation";
  }
}

export function holds(law: string, isTrue: boolean): void {
  if (!isTrue) throw new Violation(law);
}

/** `left` and `right` are compared as JSON, and told as such. */
export function agree(law: string, left: unknown, right: unknown): void {
  const [a, b] = [JSON.stringify(left) ?? "nothing", JSON.stringify(right) ?? "nothing"];
  if (a !== b) throw new Violation(`${law}: ${a} and ${b}`);
}

/** The value, or undefined where it is refused with one of the errors that are meant for that. */
export function attempt<T>(refusal: abstract new (...parameters: never[]) => Error, action: () => T): T | undefined {
  try {
    return action();
  } catch (error) {
    if (error instanceof refusal) return undefined;
    throw error;
  }
}
