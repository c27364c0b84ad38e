// That callers share one piece of work, which stops when none of them is left.

import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { openShared } from "../../src/http/share.ts";

test("work for one key is done once, and its outcome kept", async () => {
  const shared = openShared<number>();
  let count = 0;
  const work = async () => {
    await sleep(5);
    count += 1;
    return count;
  };
  assert.deepEqual(await Promise.all([shared.get("a", work), shared.get("a", work), shared.get("b", work)]), [1, 1, 2]);
  assert.equal(await shared.get("a", work), 1);
});

test("failed work is forgotten", async () => {
  const shared = openShared<number>();
  await assert.rejects(
    shared.get("a", async () => {
      throw new Error("no");
    }),
    /no/,
  );
  assert.equal(await shared.get("a", async () => 7), 7);
});

test("work stops when the last who waits gives up, and starts anew for the next", async () => {
  const shared = openShared<string>();
  let stopped = 0;
  const work = (signal: AbortSignal) => new Promise<string>((_, reject) => signal.addEventListener("abort", () => reject(++stopped)));
  const [first, second] = [new AbortController(), new AbortController()];
  const waiting = Promise.allSettled([shared.get("a", work, first.signal), shared.get("a", work, second.signal)]);
  first.abort("first");
  await sleep(5);
  assert.equal(stopped, 0);
  second.abort("second");
  const outcomes = await waiting;
  assert.deepEqual(
    outcomes.map((outcome) => outcome.status === "rejected" && outcome.reason),
    ["first", "second"],
  );
  assert.equal(stopped, 1);
  assert.equal(await shared.get("a", async () => "again"), "again");
});
