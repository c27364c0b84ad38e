// The benchmark's instruments: that they measure what they say.

import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { Agent, createServer, type RequestOptions, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { listAttempts } from "./attempts.ts";
import { compare, findMedian } from "./compare.ts";
import { startDelayProxy } from "./delay-proxy.ts";
import type { Kind } from "./goals.ts";
import { measure, parseTimes } from "./measure.ts";
import { findFreePort, portOf } from "./ports.ts";
import type { BuildResult } from "./results.ts";
import { countSequential, type Turn } from "./round-trips.ts";
import { copyStorage } from "./storage.ts";
import { showResults } from "./table.ts";
import { countLayerBytes } from "./transfer.ts";

const options = { cwd: "/", env: { PATH: process.env.PATH }, program: "node", own: ["node"], timeoutMs: 20_000 };

test("measure sees the memory of a program and of its children", async () => {
  const child = "const b = Buffer.alloc(64 << 20, 1); setTimeout(() => b, 300)";
  const parent = `require("node:child_process").spawn(process.execPath, ["-e", ${JSON.stringify(child)}])`;
  const { exitCode, mainPeakBytes, ownPeakBytes, treePeakBytes } = await measure([process.execPath, "-e", parent], options);
  assert.equal(exitCode, 0);
  assert.ok(mainPeakBytes > 64 << 20, `${mainPeakBytes} bytes in the larger process`);
  assert.ok(ownPeakBytes > mainPeakBytes, `${ownPeakBytes} bytes in both`);
  assert.ok(treePeakBytes >= ownPeakBytes, `${treePeakBytes} bytes in the tree`);
});

test("measure counts the CPU time of children, and tells what the command said", async () => {
  const busy = "while (process.cpuUsage().user < 300000); console.log('said')";
  const result = await measure(["sh", "-c", `'${process.execPath}' -e "${busy}"; exit 3`], options);
  assert.ok(result.cpuMs >= 300 && result.cpuMs < 5000, `${result.cpuMs} ms`);
  assert.ok(result.wallMs >= 300, `${result.wallMs} ms`);
  assert.deepEqual([result.exitCode, result.log], [3, "said\n"]);
});

const timesRows: [text: string, milliseconds: number][] = [
  ["0m0.00s 0m0.00s\n0m1.25s 0m0.50s\n", 1750],
  ["0m0.010000s 0m0.000000s\n2m0.100000s 1m0.000000s\n", 180_100],
];
for (const [text, milliseconds] of timesRows) {
  test(`parseTimes of ${JSON.stringify(text)}`, () => assert.equal(parseTimes(text), milliseconds));
}

test("countLayerBytes counts layers once, configs and failures not", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "slipway-transfer-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const [layer, config] = [`sha256:${"a".repeat(64)}`, `sha256:${"b".repeat(64)}`];
  const registry = { blobPath: (digest: string) => join(folder, digest.slice(7, 9)) };
  writeFileSync(registry.blobPath(layer), Buffer.from([0x1f, 0x8b, ...Buffer.alloc(98)]));
  writeFileSync(registry.blobPath(config), "{}");
  const answer = (method: string, uri: string, status: number, written = 0) => ({ method, uri: `/v2/a/${uri}`, status, written });
  const requests = [
    answer("HEAD", `blobs/${layer}`, 200),
    answer("GET", `blobs/${layer}`, 206, 60),
    answer("GET", `blobs/${layer}`, 206, 40),
    answer("GET", `blobs/${layer}`, 404, 70),
    answer("GET", `blobs/${config}`, 200, 2),
    answer("POST", "blobs/uploads/", 202),
    answer("PATCH", "blobs/uploads/x?_state=y", 202),
    answer("PUT", `blobs/uploads/x?_state=y&digest=${encodeURIComponent(layer)}`, 201),
    answer("PUT", `blobs/uploads/x?digest=${layer}`, 400),
    answer("PUT", `blobs/uploads/x?digest=${config}`, 201),
    answer("POST", `blobs/uploads/?mount=${layer}&from=b`, 201),
  ];
  assert.deepEqual(countLayerBytes(requests, registry), { downloaded: 100, uploaded: 100 });
});

test("findMedian is the middle, or the mean of both", () => {
  assert.deepEqual([findMedian([3]), findMedian([9, 1, 2]), findMedian([4, 1, 2, 9])], [3, 2, 3]);
});

const mib = 2 ** 20;
type Partial = Omit<BuildResult, keyof typeof usual> & { readonly startMs?: number; readonly mainPeakBytes?: number };
const usual = {
  ...{ startMs: 0, cpuMs: 1500, mainPeakBytes: 80 * mib, ownPeakBytes: 90 * mib, treePeakBytes: 100 * mib },
  ...{ downloaded: 0, uploaded: 1.5 * mib, run: 1, load: 0.5 },
};
const result = (one: Partial): BuildResult => ({ ...usual, ...one });
const times = (kind: Kind, tool: string, ...milliseconds: number[]) => milliseconds.map((wallMs) => result({ ...kind, tool, wallMs }));

const cold: Kind = { input: "small", case: "cold", delay: 0 };
const hit: Kind = { input: "small", case: "hit", delay: 0 };
const slowHit: Kind = { input: "small", case: "hit", delay: 50 };
const edit: Kind = { input: "node-app", case: "edit", delay: 0 };
const noGoal: Kind = { input: "small", case: "edit", delay: 0 };
const ratioRows: [name: string, builds: BuildResult[], ratio: number | undefined, reached: boolean | undefined][] = [
  ["the median by the best peer's", [...times(cold, "slipway", 1, 9, 2), ...times(cold, "a", 8), ...times(cold, "b", 5)], 0.4, true],
  ["a ratio above the goal", [...times(cold, "slipway", 3), ...times(cold, "a", 5)], 0.6, false],
  ["a ratio that is good enough for a hit", [...times(hit, "slipway", 600), ...times(hit, "a", 1000)], 0.6, true],
  ["a time that is good enough for a hit", [...times(hit, "slipway", 250), ...times(hit, "a", 100)], 2.5, true],
  ["no time is good enough behind a delay", [...times(slowHit, "slipway", 250), ...times(slowHit, "a", 100)], 2.5, false],
  ["an edit", [...times(edit, "slipway", 5), ...times(edit, "a", 10)], 0.5, true],
  ["nothing was asked", [...times(noGoal, "slipway", 5), ...times(noGoal, "a", 10)], 0.5, undefined],
  ["no peer", times(cold, "slipway", 5), undefined, undefined],
  ["peers alone", times(cold, "a", 5), undefined, undefined],
];
for (const [name, builds, ratio, reached] of ratioRows) {
  test(`compare: ${name}`, () => {
    const [found, ...others] = compare(builds);
    assert.deepEqual([found?.ratio, found?.reached, others], [ratio, reached, []]);
  });
}

test("compare tells what the ratio would be had the peers' daemons been running", () => {
  const peers = [result({ ...hit, tool: "a", wallMs: 1000, startMs: 600 }), result({ ...hit, tool: "b", wallMs: 800 })];
  const [found] = compare([...times(hit, "slipway", 200), ...peers]);
  assert.deepEqual([found?.ratio, found?.startedRatio], [0.25, 0.5]);
});

test("compare keeps kinds apart: cold ones first, and those without a delay", () => {
  const kinds = compare([slowHit, hit, cold].flatMap((kind) => times(kind, "slipway", 1))).map((one) => [one.case, one.delay]);
  assert.deepEqual(kinds, [
    ["cold", 0],
    ["hit", 0],
    ["hit", 50],
  ]);
});

test("showResults lines up medians and maxima", () => {
  const builds = [
    ...[1000, 1200, 5000].map((wallMs) => result({ ...slowHit, tool: "slipway", wallMs, requests: 12, roundTrips: 5 })),
    result({ ...slowHit, tool: "slipway", wallMs: 1200, requests: 12, roundTrips: 5, mainPeakBytes: 300 * mib }),
    result({ ...slowHit, tool: "buildkit", wallMs: 3000, startMs: 500, requests: 20, roundTrips: 9 }),
  ];
  const failures = [{ ...cold, tool: "buildah", run: 1, failure: "many lines\nno space left" }];
  const text = showResults({
    machine: ["2 cores"],
    tools: { slipway: "Slipway 1", buildkit: "dockerd 28", kaniko: "none" },
    builds,
    failures,
  });
  assert.equal(
    text,
    `- 2 cores
- Slipway 1
- buildkit: dockerd 28
- load before a build: 0.5 to 0.5

| case       | input | runs | slipway, s | buildkit, s | ratio | ratio without daemon start | goal  | reached |
| ---------- | ----- | ---: | ---------: | ----------: | ----: | -------------------------: | ----- | ------- |
| hit +50 ms | small |    1 |       1.20 | 3.00 (0.50) |  0.40 |                       0.48 | ≤ 0.5 | yes     |

| case       | input | slipway, round trips of requests | buildkit, round trips of requests |
| ---------- | ----- | -------------------------------: | --------------------------------: |
| hit +50 ms | small |                          5 of 12 |                           9 of 20 |

| case       | input | tool     | CPU, s | main process, MiB | with helpers, MiB | with steps, MiB | down, MiB | up, MiB |
| ---------- | ----- | -------- | -----: | ----------------: | ----------------: | --------------: | --------: | ------: |
| hit +50 ms | small | slipway  |   1.50 |           300 (!) |              90.0 |             100 |         0 |     1.5 |
| hit +50 ms | small | buildkit |   1.50 |              80.0 |              90.0 |             100 |         0 |     1.5 |

- buildah failed on small, cold, 0 ms: no space left`,
  );
});

const turns = (...list: [start: number, end: number][]): Turn[] => list.map(([start, end]) => ({ start, end }));
const tripRows: [name: string, turns: Turn[], count: number][] = [
  ["nothing", [], 0],
  ["one after the other", turns([0, 50], [50, 100], [101, 150]), 3],
  ["all at once", turns([0, 50], [1, 51], [2, 300]), 1],
  ["a long one beside short ones", turns([0, 500], [0, 50], [60, 110], [120, 170]), 3],
  ["two chains that are shifted", turns([0, 50], [20, 70], [51, 101], [71, 121]), 2],
  ["in any order", turns([101, 150], [0, 50], [50, 100]), 3],
];
for (const [name, list, count] of tripRows) {
  test(`countSequential: ${name}`, () => assert.equal(countSequential(list), count));
}

test("a delaying proxy makes each round trip longer, whatever its size, and counts it", async (t) => {
  const server = createServer((request, response) => void request.pipe(response)).listen(0, "127.0.0.1");
  t.after(() => server.close());
  await once(server, "listening");
  const port = await findFreePort();
  const proxy = await startDelayProxy(port, portOf(server), 50);
  const agent = new Agent({ keepAlive: true });
  const start = performance.now();
  for (const bytes of [10, 100, 8 << 20]) {
    const body = Buffer.alloc(bytes, "x");
    const answer = await send({ port, agent, method: "POST" }, body);
    assert.ok(answer.equals(body), `${answer.length} of ${bytes} bytes`);
  }
  const took = performance.now() - start;
  await Promise.all([1, 2, 3].map(() => send({ port, agent, method: "POST" }, Buffer.from("at once"))));
  agent.destroy();
  const found = await proxy.end();
  assert.ok(took >= 150 && took < 5000, `${took} ms`);
  assert.deepEqual([found.length, countSequential(found)], [6, 4]);
});

function send(options: RequestOptions, body: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: "127.0.0.1", ...options }, (response) => {
      const parts: Buffer[] = [];
      response.on("data", (part: Buffer) => parts.push(part)).on("end", () => resolve(Buffer.concat(parts)));
    });
    sent.on("error", reject).end(body);
  });
}

test("listAttempts lets the tools take turns, input by input", () => {
  const attempts = listAttempts({ inputs: ["a", "b"], cases: ["cold", "hit"], delays: [0, 50], tools: ["x", "y"], runs: 2 });
  assert.equal(attempts.length, 32);
  const shown = attempts.slice(0, 9).map(({ input, run, delay, case: name, tool }) => `${input}${run} ${delay} ${name} ${tool}`);
  assert.deepEqual(shown, [
    ...["a1 0 cold x", "a1 0 cold y", "a1 0 hit x", "a1 0 hit y"],
    ...["a1 50 cold x", "a1 50 cold y", "a1 50 hit x", "a1 50 hit y", "a2 0 cold x"],
  ]);
});

test("a command that hangs is ended with all that it started", async () => {
  const { exitCode, wallMs } = await measure(["sh", "-c", "sleep 60 & wait"], { ...options, timeoutMs: 300 });
  assert.equal(exitCode, "nothing after 0.3 s");
  assert.ok(wallMs < 10_000, `${wallMs} ms`);
});

test("the time of a build is without what its command does afterwards", async () => {
  const { startMs, wallMs } = await measure(["sh", "-c", "sleep 0.1; echo started >&4; sleep 0.1; echo built >&4; sleep 3"], options);
  assert.ok(startMs >= 100 && wallMs >= startMs + 100 && wallMs < startMs + 3000, `${startMs} and ${wallMs} ms`);
});

test("copyStorage copies what a registry writes to, and links the bytes of blobs", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "slipway-storage-"));
  t.after(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, "from/blobs/aa"), { recursive: true });
  writeFileSync(join(folder, "from/blobs/aa/data"), "bytes");
  writeFileSync(join(folder, "from/link"), "before");
  copyStorage(join(folder, "from"), join(folder, "to"));
  writeFileSync(join(folder, "to/link"), "after");
  const [data, link] = ["blobs/aa/data", "link"].map((name) => statSync(join(folder, "from", name)));
  assert.deepEqual([data?.nlink, link?.nlink, readFileSync(join(folder, "from/link"), "utf8")], [2, 1, "before"]);
});
