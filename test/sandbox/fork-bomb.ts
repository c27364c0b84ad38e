// Runs a command that makes processes without end, another, and one that is aborted: `fork-bomb.ts RUNG STATE-DIR`.
// The answer is JSON. To be started where the number of processes has a bound.

import { readdirSync } from "node:fs";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { SandboxChoice } from "../../src/sandbox/sandbox.ts";
import { openBase, openStage } from "./stage.ts";

const [, , rung, stateDir] = process.argv;
const test = { after() {}, skip() {} } as unknown as TestContext;
const base = openBase(test);
const stage = await openStage(test, rung as SandboxChoice, base === undefined ? [] : [base], stateDir);
await stage.run("true");
const countProcesses = () => readdirSync("/proc").filter((name) => /^\d+$/.test(name)).length;
const before = countProcesses();

/** Processes that are left of a command; the last of them may be taking down its mounts. */
async function countLeft(): Promise<number> {
  for (let i = 0; i < 40 && countProcesses() > before; i++) await sleep(50);
  return countProcesses() - before;
}

const bomb = "(b() { b | b & }; b) 2>/dev/null &";
const left = await stage.run(`${bomb} i=0; while [ $i -lt 3000 ]; do i=$((i+1)); done; exit 3`);
const afterLeft = await countLeft();
const next = await stage.run("echo well");

const abort = new AbortController();
let most = 0;
const watch = setInterval(() => {
  most = Math.max(most, countProcesses());
}, 50);
let started = 0;
const end = () => {
  started = performance.now();
  abort.abort(new Error("enough"));
};
const running = stage.run(`trap '' TERM; echo up; ${bomb} while :; do :; done`, {
  signal: abort.signal,
  onOutput: () => setTimeout(end, 500),
});
const aborted = await running.then(
  () => "not aborted",
  (error: Error) => error.message,
);
const lateMs = performance.now() - started;
clearInterval(watch);
const afterAbort = await countLeft();
await stage.sandbox.close();
process.stdout.write(JSON.stringify({ code: left.code, afterLeft, aborted, lateMs, afterAbort, most, next: next.out }));
