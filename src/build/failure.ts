// Why a build ended without an image: the phase that failed, the exit code to end with, and what to tell the user.

import { locatePart, type Part, type Range } from "../dockerfile/dockerfile.ts";
import type { Source } from "./plan.ts";

export type Phase =
  | "building image"
  | "checking push permissions"
  | "pushing image"
  | "writing outputs"
  | "pruning cache"
  | "warming cache";

/** Where in a Dockerfile something went wrong. */
export interface Place {
  readonly file: string;
  /** 1-based. */
  readonly line: number;
  readonly endLine: number;
  /** What of it is wrong, as far as that is known. */
  readonly exact?: Range;
  /** The whole Dockerfile, for the excerpt. */
  readonly source: string;
}

/** Gives the place of an instruction, and of a part of it. */
export type PlaceOf = (lines: Pick<Source, "line" | "endLine" | "isTrigger">, part?: Part) => Place;

export function placesIn(file: string, source: string): PlaceOf {
  return ({ line, endLine, isTrigger }, part) => {
    const exact = part === undefined || isTrigger ? undefined : locatePart(source, line, part);
    return { file, source, line, endLine, ...(exact === undefined ? {} : { exact }) };
  };
}

/** The one error that `build` throws. `message` stands alone; `place`, `hint` and `output` are shown beside it. */
export class BuildFailure extends Error {
  readonly phase: Phase;
  /** 1, or the exit status of the RUN that failed. */
  readonly exitCode: number;
  readonly place: Place | undefined;
  /** What of the instruction is wrong, told by what does not know where that stands. */
  readonly part: Part | undefined;
  /** One thing to try. */
  readonly hint: string | undefined;
  /** The last lines that a failed command wrote. */
  readonly output: readonly string[];

  constructor(
    message: string,
    details: {
      readonly phase?: Phase;
      readonly exitCode?: number;
      readonly place?: Place | undefined;
      readonly part?: Part | undefined;
      readonly hint?: string | undefined;
      readonly output?: readonly string[];
      readonly cause?: unknown;
    } = {},
  ) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = "BuildFailure";
    this.phase = details.phase ?? "building image";
    this.exitCode = details.exitCode ?? 1;
    this.place = details.place;
    this.part = details.part;
    this.hint = details.hint;
    this.output = details.output ?? [];
  }
}

/** Waits for a part of the build and says which phase it was when it fails. A failure that already says so passes as it is. */
export async function during<T>(phase: Phase, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof BuildFailure || !(error instanceof Error) || error.name === "AbortError") throw error;
    throw new BuildFailure(error.message, { phase, hint: hintOf(error), cause: error });
  }
}

/** Waits for what a part of an instruction asks for, and says which part it was when that fails. */
export async function blaming<T>(part: Part, action: () => Promise<T> | T): Promise<T> {
  try {
    return await action();
  } catch (error) {
    if (error instanceof BuildFailure || !(error instanceof Error) || error.name === "AbortError") throw error;
    throw new BuildFailure(error.message, { part, hint: hintOf(error), cause: error });
  }
}

/** The advice that an error carries, if it carries some. */
export function hintOf(error: unknown): string | undefined {
  return error instanceof Error && "hint" in error && typeof error.hint === "string" ? error.hint : undefined;
}
