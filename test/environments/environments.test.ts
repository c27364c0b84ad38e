// The environments' instruments: what they take for a difference, what they find in layers, and how they show it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { chains, readMarks, stepNames, writeChain } from "./battery.ts";
import { findDifferences, findKnownFailures } from "./compare.ts";
import { expectedSteps } from "./expected.ts";
import { findMissing } from "./left.ts";
import { showFailures, showTable } from "./table.ts";
import type { Cell } from "./try-cell.ts";

const cell = (environment: string, rung: string, more: Partial<Cell> = {}): Cell => ({
  ...{ environment, asked: rung, rung, passed: stepNames, failed: new Map(), runMs: undefined },
  ...more,
});
const without = (step: string) => ({ passed: stepNames.filter((name) => name !== step), failed: new Map([[step, "it broke"]]) });

const rows: readonly (readonly [what: string, cell: Cell, differences: readonly string[]])[] = [
  ["all is well", cell("root", "ns"), []],
  ["a step fails", cell("root", "ns", without("su")), ["root, ns: su: it broke"]],
  ["a step fails that failed in the reference", cell("k8s", "userns", without("mknod")), []],
  ["a sandbox is refused", cell("docker", "chroot", { refused: "why" }), ["docker, chroot: refused: why"]],
  ["a sandbox is refused that was in the reference", cell("docker", "ns", { refused: "why" }), []],
  ["something works that did not", cell("restricted", "ns"), []],
  ["auto finds the strongest", cell("docker", "chroot", { asked: "auto" }), []],
  ["auto finds a weaker one", cell("k8s", "chroot", { asked: "auto" }), ["k8s, chroot: was chosen, where userns worked in the reference"]],
  ["auto finds none", cell("k8s", "auto", { refused: "why" }), ["k8s, auto: refused: why"]],
  ["auto finds none where there was none", cell("docker-user", "auto", { refused: "why" }), []],
  ["only some was tried", cell("root", "ns", { passed: ["su"] }), []],
];
for (const [what, one, differences] of rows) test(`findDifferences: ${what}`, () => assert.deepEqual(findDifferences(one), differences));

test("what fails is known where the reference has it or has nothing", () => {
  assert.deepEqual(findKnownFailures(cell("k8s", "userns", without("mknod"))), ["mknod"]);
  assert.deepEqual(findKnownFailures(cell("root", "ns", without("su"))), []);
});

test("steps have names of their own, and none that the reference is said to lack is missing", () => {
  assert.equal(new Set(stepNames).size, stepNames.length);
  const lacking = (environment: string, rung: "chroot-bare") => stepNames.length - (expectedSteps(environment, rung)?.length ?? 0);
  assert.equal(lacking("docker", "chroot-bare"), 11);
});

test("a chain says how each step ended", () => {
  const [packages] = chains;
  assert.ok(packages);
  const { Dockerfile = "" } = writeChain(packages);
  assert.match(Dockerfile, /^FROM packages\nCOPY steps \/steps\nRUN sh -e \/steps\/0 2>&1; code=\$\?; echo "@@ \$code ids"\n/);
  assert.deepEqual(
    [...readMarks('[2/9] 0.1s | @@ 0 ids\nRUN echo "@@ $code ids"\n[3/9] 1.2s | @@ 1 a b\n')],
    [
      ["ids", true],
      ["a b", false],
    ],
  );
});

test("findMissing says what of a layer is not as it should be", () => {
  const tree = { "/f": { t: "f", m: "0o644", o: "0:0" } };
  assert.equal(findMissing({ "/f": { t: "f", m: "0o644" } }, tree), undefined);
  assert.equal(findMissing({ "/f": { o: "33:34" } }, tree), "/f has o 0:0 in its layer, not 33:34");
  assert.equal(findMissing({ "/g": {} }, tree), "/g is in no layer");
  assert.match(findMissing({ "/f": { capability: "01" } }, tree) ?? "", /another capability/);
});

test("the table marks what the reference has and this has not", () => {
  const cells = [
    cell("root", "ns", { runMs: 14.2, passed: ["a", "b"] }),
    cell("root", "chroot", { refused: "why" }),
    cell("docker", "chroot", { ...without("a file's capability"), passed: ["a"] }),
    cell("docker", "ns", { refused: "why" }),
  ];
  assert.equal(
    showTable(cells, ["inplace"]),
    `| environment | ns           | chroot | inplace |
| ----------- | ------------ | ------ | ------- |
| root        | all 2, 14 ms | no (!) |         |
| docker      | no           | 1 of 2 | not yet |`,
  );
  assert.equal(showFailures(cells), "- chroot lacks a file's capability (docker)");
});
