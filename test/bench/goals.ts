// What Slipway is to reach beside the best peer.

export const cases = ["cold", "hit", "edit"] as const;
/** `cold`: no cache anywhere. `hit`: a cache repository that the same build filled. `edit`: the same, with one file changed. */
export type Case = (typeof cases)[number];

export interface Kind {
  readonly input: string;
  readonly case: Case;
  /** Milliseconds added to every round trip. */
  readonly delay: number;
}

export interface Goal {
  /** Our time by the best peer's. */
  readonly ratio: number;
  /** Milliseconds that are good enough whatever the peers took. */
  readonly enough: number;
}

const coldInputs = ["small", "web", "many-runs", "node-app", "multi-stage", "parallel-stages", "big-layer"];
const hitInputs = ["small", "node-app", "web"];

/** Undefined where none was set. */
export function findGoal({ input, case: name, delay }: Kind): Goal | undefined {
  if (name === "cold") return delay === 0 && coldInputs.includes(input) ? { ratio: 0.5, enough: 0 } : undefined;
  if (name === "edit") return input === "node-app" ? { ratio: 0.5, enough: 0 } : undefined;
  if (!hitInputs.includes(input)) return undefined;
  return delay === 0 ? { ratio: 0.7, enough: 250 } : { ratio: 0.5, enough: 0 };
}

/** 256 MiB. */
export const mostMemory = 256 * 2 ** 20;
