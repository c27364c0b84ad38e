// Prints how many milliseconds one `RUN true` takes, from Node and back, the median of ten: `measure-run.ts RUNG STATE-DIR`.

import type { TestContext } from "node:test";
import type { SandboxChoice } from "../../src/sandbox/sandbox.ts";
import { findMedian } from "../bench/compare.ts";
import { openBase, openStage } from "../sandbox/stage.ts";

const [, , rung, stateDir] = process.argv;
const test = { after() {}, skip() {} } as unknown as TestContext;
const base = openBase(test);
const stage = await openStage(test, rung as SandboxChoice, base === undefined ? [] : [base], stateDir);
// The first has layers to wait for.
await stage.run(["/bin/true"]);
const times: number[] = [];
for (let i = 0; i < 10; i++) times.push((await stage.run(["/bin/true"])).runMs);
await stage.sandbox.close();
process.stdout.write(String(findMedian(times)));
