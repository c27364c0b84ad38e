// That only so many pieces of work run at a time.

import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { openLimit } from "../../src/registry/limit.ts";

test("no more run at a time than allowed, in the order they came, and an abort leaves the queue", async () => {
  const limit = openLimit(2);
  const order: number[] = [];
  let running = 0;
  let most = 0;
  const stop = new AbortController();
  const jobs = [0, 1, 2, 3, 4].map((i) =>
    limit.run(
      async () => {
        most = Math.max(most, ++running);
        order.push(i);
        await sleep(5);
        running -= 1;
      },
      i === 3 ? stop.signal : undefined,
    ),
  );
  stop.abort(new Error("enough"));
  await assert.rejects(jobs[3] ?? Promise.resolve(), /enough/);
  await Promise.all(jobs.filter((_, i) => i !== 3));
  assert.deepEqual(order, [0, 1, 2, 4]);
  assert.equal(most, 2);
});
