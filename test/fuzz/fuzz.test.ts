// The fuzzer finds what is wrong with broken targets, makes it small, and repeats itself.

import assert from "node:assert/strict";
import { test } from "node:test";
import { fuzz } from "./fuzz.ts";
import { showInput, textOf } from "./input.ts";
import type { Verdict } from "./judge.ts";
import { makeInput } from "./make-input.ts";
import { loadTargets } from "./target.ts";

const broken = new URL("./broken-targets.ts", import.meta.url).href;
const real = new URL("./targets.ts", import.meta.url).href;

async function find(only: string): Promise<Verdict | undefined> {
  const { executions, failure } = await fuzz({ seed: 1, seconds: 60, targets: broken, only, hangMs: 3000, shrinkSeconds: 2 });
  assert.ok(executions > 0);
  return failure;
}

const rows: readonly (readonly [target: string, kinds: readonly Verdict["kind"][], message: RegExp, text: RegExp])[] = [
  ["crash", ["crash"], /^TypeError: a and b cannot be borne\n +at /, /^ab$/],
  ["violation", ["violation"], /^there is no c$/, /^c$/],
  ["deep", ["crash"], /^RangeError: Maximum call stack size exceeded/, /^[a-e]{1000,}$/],
  ["exponential", ["slow", "hang"], /characters|did not end/, /^[a-e]{12,}$/],
  ["cubic", ["slow", "hang"], /characters|did not end/, /^[a-e]{150,}$/],
  ["endless", ["hang"], /^it did not end within \d+ ms$/, /d/],
  ["greedy", ["memory"], /^it took more than \d+ MB$/, /ee/],
];

for (const [target, kinds, message, text] of rows)
  test(`a target that is ${target} is found out`, { timeout: 240_000 }, async () => {
    const failure = await find(target);
    assert.ok(failure, "nothing was found");
    assert.ok(kinds.includes(failure.kind), failure.kind);
    assert.match(failure.message, message);
    assert.match(textOf(failure.input), text);
  });

test("a sound target is left in peace", async () => {
  const { executions, failure } = await fuzz({ seed: 1, seconds: 1, targets: broken, only: "sound", hangMs: 1000, shrinkSeconds: 1 });
  assert.equal(failure, undefined);
  assert.ok(executions > 100, `${executions} executions`);
});

test("a seed and a number give the same input", async () => {
  const targets = await loadTargets(real, "");
  const make = (seed: number) => Array.from({ length: 200 }, (_, i) => showInput(makeInput(targets, seed, i).input));
  assert.deepEqual(make(7), make(7));
  assert.notDeepEqual(make(7), make(8));
});

test("an input is shown as an expression", () => {
  const pieces = [
    { text: "a\n", grows: false },
    { text: "$", grows: true },
  ];
  assert.equal(showInput({ target: "x", pieces, times: 3 }), String.raw`"a\n" + "$".repeat(3)`);
});
