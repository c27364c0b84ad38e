// Which layers of commands do in which sandbox.

import assert from "node:assert/strict";
import { test } from "node:test";
import { fidelityOf, lesserFidelity, suffices } from "../../src/build/fidelity.ts";
import { sandboxNames } from "../../src/sandbox/sandbox.ts";

test("a sandbox takes what it or a stronger one has left, and nothing else", () => {
  for (const [i, kept] of sandboxNames.entries())
    for (const [j, own] of sandboxNames.entries()) assert.equal(suffices(fidelityOf(kept), own), i <= j, `${kept} in ${own}`);
});

test("what is not known does only where no command can run", () => {
  assert.deepEqual(
    [...sandboxNames, undefined].map((own) => suffices("of another version", own)),
    [...sandboxNames.map(() => false), true],
  );
});

test("of two layers the lesser fidelity counts", () => {
  assert.equal(lesserFidelity("full", "chroot"), "chroot");
  assert.equal(lesserFidelity("chroot-bare", "userns"), "chroot-bare");
  assert.equal(lesserFidelity("chroot", "of another version"), "of another version");
});
