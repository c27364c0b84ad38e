// The benchmark's instruments: that they measure what they say.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { measure, parseTimes } from "./measure.ts";
import { findMedian, showTable } from "./table.ts";
import { countLayerBytes } from "./transfer.ts";

const options = { cwd: "/", env: { PATH: process.env.PATH }, program: "node", own: ["node"] };

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
  const busy = "const end = Date.now() + 300; while (Date.now() < end); console.log('said')";
  const result = await measure(["sh", "-c", `'${process.execPath}' -e "${busy}"; exit 3`], options);
  assert.ok(result.cpuMs >= 150 && result.cpuMs < 5000, `${result.cpuMs} ms`);
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

test("showTable lines up medians and maxima", () => {
  const mib = 2 ** 20;
  const result = (wallMs: number, mainPeakBytes: number) => ({
    ...{ wallMs, cpuMs: 2 * wallMs, mainPeakBytes, ownPeakBytes: 90 * mib, treePeakBytes: 100 * mib },
    ...{ downloaded: 0, uploaded: 1.5 * mib },
  });
  const lines = showTable([
    { input: "small", builder: "slipway", results: [result(1000, 50 * mib), result(1200, 80 * mib), result(5000, 60 * mib)] },
  ]);
  assert.match(
    lines.split("\n")[2] ?? "",
    /^\| small \| slipway \|\s+1\.20 \|\s+2\.40 \|\s+80\.0 \|\s+90\.0 \|\s+100 \|\s+0 \|\s+1\.5 \|$/,
  );
});
