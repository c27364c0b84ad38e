// How long is waited before a request is tried again.

import assert from "node:assert/strict";
import { test } from "node:test";
import { isTransientStatus, parseRetryAfter, pause, waitBefore } from "../../src/http/retry.ts";

test("what may go away by itself is tried again, what will not is not", () => {
  const transient = [408, 429, 499, 500, 502, 503, 504, 520, 522];
  const final = [200, 301, 400, 401, 403, 404, 405, 409, 416, 501, 505];
  assert.deepEqual(transient.filter(isTransientStatus), transient);
  assert.deepEqual(final.filter(isTransientStatus), []);
});

test("waits double, vary, and end at the most", () => {
  const backOff = { tries: 9, firstMs: 100, mostMs: 500 };
  for (const [next, most] of [
    [2, 100],
    [3, 200],
    [4, 400],
    [5, 500],
    [9, 500],
  ] as const) {
    const waits = Array.from({ length: 50 }, () => waitBefore(next, backOff) ?? Number.NaN);
    assert.ok(waits.every((wait) => wait >= most / 2 && wait <= most));
    assert.ok(new Set(waits).size > 1);
  }
});

const now = Date.parse("2026-01-01T00:00:00Z");
const rows: readonly [value: string | undefined, ms: number | undefined][] = [
  [undefined, undefined],
  ["3", 3000],
  [" 0 ", 0],
  ["Thu, 01 Jan 2026 00:00:05 GMT", 5000],
  ["Wed, 31 Dec 2025 00:00:00 GMT", 0],
  ["soon", undefined],
];

for (const [value, ms] of rows) test(`Retry-After: ${value} is ${ms} ms`, () => assert.equal(parseRetryAfter(value, now), ms));

test("a host that asks for hours is given up", () => {
  const backOff = { tries: 5, firstMs: 1, mostMs: 1 };
  assert.equal(waitBefore(2, backOff, "7200"), undefined);
  assert.equal(waitBefore(2, backOff, "30"), 30_000);
});

test("a pause ends with its signal", async () => {
  const stop = new AbortController();
  setTimeout(() => stop.abort(new Error("enough")), 10);
  await assert.rejects(pause(60_000, stop.signal), /enough/);
  await assert.rejects(pause(1, stop.signal), /enough/);
});
