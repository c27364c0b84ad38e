// Sizes and durations are short and never wrong by a rounding.

import assert from "node:assert/strict";
import test from "node:test";
import { formatSeconds, formatSize } from "../../src/report/quantity.ts";

const sizes: readonly [bytes: number, text: string][] = [
  [0, "0 B"],
  [999, "999 B"],
  [1000, "1.0 kB"],
  [12_345, "12.3 kB"],
  [999_949, "999.9 kB"],
  [999_950, "1.0 MB"],
  [2_147_483_648, "2.1 GB"],
  [5e15, "5000.0 TB"],
];

for (const [bytes, text] of sizes) test(`${bytes} bytes are ${text}`, () => assert.equal(formatSize(bytes), text));

const durations: readonly [seconds: number, text: string][] = [
  [0, "0.0s"],
  [0.04, "0.0s"],
  [59.94, "59.9s"],
  [59.95, "1m00s"],
  [125, "2m05s"],
  [3599.6, "1h00m"],
  [3725, "1h02m"],
];

for (const [seconds, text] of durations) test(`${seconds} seconds are ${text}`, () => assert.equal(formatSeconds(seconds), text));
