// A test that every sandbox must pass, each with a stage of its own.

import { type TestContext, test } from "node:test";
import { needsRoot } from "./root.ts";
import { openBase, openStage, type Stage } from "./stage.ts";

const every = ["ns", "userns", "chroot", "userns-single", "chroot-bare"] as const;
export type Rung = (typeof every)[number];

/** Where these tests are another user's, the one that is his. */
const rungs = every.filter((rung) => (process.env.SLIPWAY_TEST_RUNG ?? rung) === rung);

export function testRungs(name: string, check: (t: TestContext, stage: Stage, rung: Rung) => Promise<void>): void {
  for (const rung of rungs) {
    test(`${name} (${rung})`, async (t) => {
      const base = needsRoot(t) ? openBase(t) : undefined;
      if (base !== undefined) await check(t, await openStage(t, rung, [base]), rung);
    });
  }
}
