// Starts commands that would run for a day, says so, and waits to be killed: `killed-builder.ts RUNG STATE-DIR`.

import type { TestContext } from "node:test";
import type { SandboxChoice } from "../../src/sandbox/sandbox.ts";
import { openBase, openStage } from "./stage.ts";

const [, , rung, stateDir] = process.argv;
const test = { after() {}, skip() {} } as unknown as TestContext;
const base = openBase(test);
const stage = await openStage(test, rung as SandboxChoice, base === undefined ? [] : [base], stateDir);
await stage.run("trap '' TERM HUP INT; setsid sleep 86431 & echo up; sleep 86432", { onOutput: (text) => process.stdout.write(text) });
