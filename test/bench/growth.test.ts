// How cost curves are judged, drawn, and profiles read.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Growth, judgeGrowth, summarize } from "./growth.ts";
import { summarizeProfile } from "./summarize-profile.ts";
import { chooseTicks, drawPlots } from "./svg.ts";

const curve = (xs: readonly number[], cost: (x: number) => number) => summarize(xs.map((x) => ({ x, y: cost(x) })));
const xs = [1, 3, 10, 30, 60, 100];
const growthRows: [name: string, points: ReturnType<typeof curve>, verdict: Growth["verdict"]][] = [
  ["linear", curve(xs, (x) => 2 + x), "linear or better"],
  ["linear, measured with errors", curve(xs, (x) => 2 + x * (x === 60 ? 0.9 : 1)), "linear or better"],
  ["a logarithm", curve(xs, (x) => 1 + Math.log2(x)), "linear or better"],
  ["quadratic", curve(xs, (x) => 2 + x * x), "worse than linear"],
  ["quadratic from a large constant", curve([1, 10, 100], (x) => 1000 + x * x), "worse than linear"],
  ["a logarithm times as much", curve([1000, 10_000, 100_000, 200_000], (x) => 1 + x * Math.log2(x)), "linear or better"],
  ["a constant, measured with errors", curve(xs, (x) => 2 + (x % 10) / 20), "flat"],
  ["two points", curve([1, 2], (x) => x), "too few points"],
];
for (const [name, points, verdict] of growthRows) {
  test(`growth: ${name} is ${verdict}`, () => assert.equal(judgeGrowth(points).verdict, verdict));
}

test("growth tells what one more costs, below and at the top", () => {
  const { below, top } = judgeGrowth(curve([0, 10, 20, 30], (x) => (x < 25 ? x : 2 * x)));
  assert.deepEqual([below, top], [1, 4]);
});

test("summarize gives each x its median and its extremes", () => {
  const points = summarize([5, 1, 9].map((y) => ({ x: 2, y })).concat({ x: 1, y: 3 }));
  assert.deepEqual(points, [
    { x: 1, median: 3, least: 3, most: 3 },
    { x: 2, median: 5, least: 1, most: 9 },
  ]);
});

const tickRows: [most: number, ticks: number[]][] = [
  [1, [0, 0.5, 1]],
  [4, [0, 1, 2, 3, 4]],
  [4.1, [0, 2, 4, 6]],
  [200_000, [0, 50_000, 100_000, 150_000, 200_000]],
  [0.31, [0, 0.1, 0.2, 0.3, 0.4]],
];
for (const [most, ticks] of tickRows) test(`ticks up to ${most}`, () => assert.deepEqual(chooseTicks(most), ticks));

test("a plot's points stand where their numbers say", () => {
  const points = curve([50, 100], (x) => x / 10);
  const picture = drawPlots([{ title: "a & b", xLabel: "files", yLabel: "s", points, second: { name: "CPU", points }, limit: 5 }]);
  const places = [...picture.matchAll(/<circle cx="([\d.]+)" cy="([\d.]+)"/g)].map(([, x, y]) => [Number(x), Number(y)]);
  // The plot is 366 wide from 58, and 154 high from 34.
  assert.deepEqual(places, [
    [58 + 183, 34 + 77],
    [58 + 366, 34],
  ]);
  assert.match(picture, />a &amp; b</);
  assert.match(picture, /^<svg xmlns="http:\/\/www.w3.org\/2000\/svg" width="880" height="230"/);
});

test("summarizeProfile sorts what was busy by place, each sample until the next", () => {
  const frame = (id: number, functionName: string, url: string) => ({ id, callFrame: { functionName, url, lineNumber: 9 } });
  const nodes = [
    ...[frame(1, "(idle)", ""), frame(2, "(garbage collector)", ""), frame(3, "pull", "file:///dist/build.mjs")],
    ...[frame(4, "", "file:///dist/build.mjs"), frame(5, "write", "node:fs"), frame(6, "compileFunction", "")],
  ];
  const samples = [3, 2, 1, 4, 5, 6, 3];
  const timeDeltas = [0, 1000, 2000, 50_000, 4000, 8000, 500];
  const { busyMs, groups, functions } = summarizeProfile({ nodes, samples, timeDeltas });
  assert.equal(busyMs, 15.5);
  const shown = (list: typeof groups) => list.map(({ name, ms }) => `${name} ${ms}`);
  assert.deepEqual(shown(groups), ["Node's own code 8", "the bundle 5", "garbage collection 2", "loading code 0.5"]);
  assert.deepEqual(shown(functions).slice(0, 3), ["write node:fs:10 8", "(anonymous) build.mjs:10 4", "(garbage collector) 2"]);
});
