// A named pipe is written without blocking: late readers are waited for, and everything ends when it is told to.

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { writePipe } from "../../src/output/pipe.ts";

function makePipe(t: TestContext): string {
  const directory = mkdtempSync(path.join(tmpdir(), "slipway-pipe-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const pipe = path.join(directory, "pipe");
  execFileSync("mkfifo", [pipe]);
  return pipe;
}

async function* chunks(count: number) {
  for (let i = 0; i < count; i++) yield Buffer.alloc(100_000, "x");
}

test("a reader that comes late gets every byte", async (t) => {
  const pipe = makePipe(t);
  const written = writePipe(pipe, chunks(20));
  await sleep(150);
  const reader = spawn("wc", ["-c", pipe]);
  let counted = "";
  reader.stdout.on("data", (bytes) => (counted += bytes));
  const closed = once(reader, "close");
  await written;
  await closed;
  assert.match(counted, /^2000000 /);
});

test("waiting for a reader that never comes ends with the signal's reason", async (t) => {
  const stop = new AbortController();
  setTimeout(() => stop.abort(new Error("stopped")), 150);
  await assert.rejects(writePipe(makePipe(t), chunks(1), stop.signal), { message: "stopped" });
});

test("so does writing to a reader that does not read", async (t) => {
  const pipe = makePipe(t);
  const reader = spawn("sh", ["-c", 'exec sleep 60 < "$0"', pipe]);
  t.after(() => reader.kill());
  const stop = new AbortController();
  setTimeout(() => stop.abort(new Error("stopped")), 300);
  await assert.rejects(writePipe(pipe, chunks(20), stop.signal), { message: "stopped" });
});

test("a reader that goes away is an error", async (t) => {
  const pipe = makePipe(t);
  spawn("head", ["-c", "10", pipe]);
  await assert.rejects(writePipe(pipe, chunks(20)), { code: "EPIPE" });
});
