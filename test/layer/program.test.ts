// Bytes through programs: what goes wrong is told apart.

import assert from "node:assert/strict";
import { test } from "node:test";
import { MissingProgramError, ProgramError, runProgram } from "../../src/layer/program.ts";

async function* bytes(...parts: readonly string[]) {
  for (const part of parts) yield Buffer.from(part);
}

async function read(stream: AsyncIterable<Uint8Array>): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts).toString();
}

test("what a program writes comes through", async () => {
  assert.equal(await read(runProgram("tr", ["a", "b"], bytes("ab", "a"))), "bbb");
});

test("a program that fails tells why, one that is missing its name", async () => {
  await assert.rejects(
    read(runProgram("xz", ["-dc"], bytes("no xz"))),
    (error) => error instanceof ProgramError && /format/.test(error.message),
  );
  await assert.rejects(
    read(runProgram("no-such-program", [], bytes("x"))),
    (error) => error instanceof MissingProgramError && error.program === "no-such-program" && /is not installed/.test(error.message),
  );
});

test("an error of the input is passed on, and who stops reading ends the program", async () => {
  const broken = async function* () {
    yield Buffer.from("x");
    throw new Error("broken off");
  };
  await assert.rejects(read(runProgram("cat", [], broken())), /broken off/);
  const endless = async function* () {
    for (;;) yield Buffer.alloc(1 << 16);
  };
  for await (const _ of runProgram("cat", [], endless())) break;
});
