// The stages of a Dockerfile, and how instructions name them.

import type { Range } from "./error.ts";
import type { FromInstruction, Instruction } from "./instruction.ts";

/** From one FROM to the next. */
export interface Stage {
  /** From 0. */
  readonly index: number;
  /** Lower-case; undefined where FROM gives none. */
  readonly name: string | undefined;
  readonly from: FromInstruction;
  readonly instructions: readonly Exclude<Instruction, FromInstruction>[];
  readonly range: Range;
}

/**
 * The stage that `COPY --from`, `RUN --mount=from=` or a target names: a number, or a name in any case, of which the last one in the
 * file counts, even below. undefined: no stage, so perhaps an image. A number without a stage is a RangeError.
 */
export function findStage(stages: readonly Stage[], name: string): Stage | undefined {
  if (!/^[+-]?[0-9]+$/.test(name)) return stages.findLast((stage) => stage.name === name.toLowerCase());
  const stage = stages[Number(name)];
  if (!stage) throw new RangeError(`invalid stage index ${Number(name)}`);
  return stage;
}

/** The stage above `index` that a FROM there, its variables expanded, builds on; undefined: an image. The case must match the lower-case name. */
export function findBaseStage(stages: readonly Stage[], index: number, image: string): Stage | undefined {
  return stages.slice(0, index).findLast((stage) => stage.name === image);
}
