// Tests that whatever a layer is wrapped in comes off, in whole and within limits.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import zlib from "node:zlib";
import { decompress, MalformedLayerError } from "../../src/layer/layer.ts";
import { splitFrames } from "../../src/layer/zstd-frames.ts";
import { runZstd, zstdVersion } from "../../src/layer/zstd-program.ts";
import { chunked, collect } from "./raw-tar.ts";

const text = Buffer.from("all work and no play ".repeat(20_000));
const noise = randomBytes(300_000);
const gzip = zlib.gzipSync(text);
const named = Buffer.concat([Buffer.from([0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 3]), Buffer.from("layer.tar\0"), gzip.subarray(10)]);

/** Frames through the program, which every machine that runs the tests has; Node's own zstd is newer than some Nodes. */
const zstd = (bytes: Uint8Array, ...args: string[]) => collect(runZstd(args, chunked(bytes)));
const skippable = Buffer.concat([Buffer.from([0x53, 0x2a, 0x4d, 0x18, 5, 0, 0, 0]), Buffer.from("12345")]);
const frames = [
  await zstd(text),
  await zstd(noise),
  await zstd(text, "--no-check"),
  await zstd(Buffer.alloc(500_000)),
  await zstd(Buffer.alloc(0)),
] as const;

const rows: [what: string, bytes: Buffer, inside: Buffer][] = [
  ["nothing", Buffer.alloc(0), Buffer.alloc(0)],
  ["three plain bytes", Buffer.from("abc"), Buffer.from("abc")],
  ["plain bytes", noise, noise],
  ["gzip", gzip, text],
  ["gzip with a file name", named, text],
  ["gzip of nothing", zlib.gzipSync(""), Buffer.alloc(0)],
  ["gzip of many members", Buffer.concat([gzip, zlib.gzipSync(noise), gzip]), Buffer.concat([text, noise, text])],
  ["gzip with zeros after it", Buffer.concat([gzip, Buffer.alloc(1000)]), text],
  ["zstd", frames[0], text],
  ["zstd that does not compress", frames[1], noise],
  ["zstd without checksum", frames[2], text],
  ["zstd of repeated bytes", frames[3], Buffer.alloc(500_000)],
  ["zstd of nothing", frames[4], Buffer.alloc(0)],
  ["zstd of many frames", Buffer.concat(frames), Buffer.concat([text, noise, text, Buffer.alloc(500_000)])],
  ["zstd with skippable frames", Buffer.concat([skippable, frames[0], skippable, frames[1], skippable]), Buffer.concat([text, noise])],
];

for (const [what, bytes, inside] of rows) {
  test(`decompress unwraps ${what}`, async () => {
    for (const chunk of [1 << 20, 5000, bytes.length < 20_000 ? 1 : 333]) {
      assert((await collect(decompress(chunked(bytes, chunk)))).equals(inside));
    }
  });
}

const faults: [what: string, bytes: Buffer, message: RegExp][] = [
  ["gzip that is cut off", gzip.subarray(0, -5), /end too early/],
  ["gzip whose second member is cut off", Buffer.concat([gzip, gzip.subarray(0, 30)]), /end too early/],
  ["gzip with a damaged middle", Buffer.concat([gzip.subarray(0, 40), Buffer.alloc(40, 0xff), gzip.subarray(80)]), /damaged/],
  ["gzip with a wrong checksum", Buffer.concat([gzip.subarray(0, -8), Buffer.alloc(8, 1)]), /damaged/],
  ["gzip with garbage after it", Buffer.concat([gzip, Buffer.from("garbage")]), /damaged/],
  ["zstd that is cut off in a block", frames[0].subarray(0, -20), /end too early|premature end/],
  ["zstd that is cut off in a later frame", Buffer.concat([frames[0], frames[1].subarray(0, 1000)]), /end too early|premature end/],
  ["zstd with garbage after it", Buffer.concat([frames[0], Buffer.from("garbage")]), /followed by something else|are damaged/],
  [
    "zstd with a damaged block",
    Buffer.concat([frames[0].subarray(0, 14), Buffer.from([0x55, 0xaa]), frames[0].subarray(16)]),
    /damaged|end too early/,
  ],
  ["a zstd bomb", await zstd(Buffer.alloc(9 << 20)), /more than 8388608 bytes/],
  ["a gzip bomb", zlib.gzipSync(Buffer.alloc(9 << 20)), /more than 8388608 bytes/],
];

for (const [what, bytes, message] of faults) {
  test(`decompress refuses ${what}`, async () => {
    await assert.rejects(collect(decompress(chunked(bytes), { maxBytes: 8 << 20 })), (error) => {
      assert(error instanceof MalformedLayerError, String(error));
      assert.match(error.message, message);
      return true;
    });
  });
}

test("decompress passes on what went wrong below it", async () => {
  async function* broken() {
    yield gzip.subarray(0, 100);
    throw new Error("connection reset");
  }
  await assert.rejects(collect(decompress(broken())), /^Error: connection reset$/);
});

test("decompress ends with its signal", async () => {
  const controller = new AbortController();
  async function* endless() {
    yield zlib.gzipSync(noise);
    controller.abort(new Error("cancelled"));
    for (;;) yield zlib.gzipSync(noise);
  }
  await assert.rejects(collect(decompress(endless(), { signal: controller.signal })), /^Error: cancelled$/);
});

test("decompress that is left early lets go of its stream", async () => {
  let isClosed = false;
  async function* endless() {
    try {
      for (;;) yield zlib.gzipSync(noise);
    } finally {
      isClosed = true;
    }
  }
  for await (const _ of decompress(endless())) break;
  await new Promise(setImmediate);
  assert(isClosed);
});

test("splitFrames cuts a stream exactly where its frames end", async () => {
  for (const chunk of [1, 7, 1 << 20]) {
    const found: Buffer[] = [];
    for await (const frame of splitFrames(chunked(Buffer.concat([frames[0], skippable, frames[3], frames[4]]), chunk)))
      found.push(await collect(frame));
    assert.deepEqual(found, [frames[0], frames[3], frames[4]]);
  }
});

test("runZstd says what the program complains about, and passes on what its input throws", async () => {
  await assert.rejects(collect(runZstd(["-d"], chunked(Buffer.from("no zstd")))), /unsupported format/);
  async function* broken() {
    yield frames[1].subarray(0, 10);
    throw new Error("connection reset");
  }
  await assert.rejects(collect(runZstd(["-d"], broken())), /connection reset/);
});

test("where there is no zstd program that is said, and nothing is left unhandled", async (t) => {
  const unhandled: unknown[] = [];
  const note = (reason: unknown) => void unhandled.push(reason);
  process.on("unhandledRejection", note);
  t.after(() => process.off("unhandledRejection", note));
  await assert.rejects(zstdVersion("/nowhere"), /^Error: Cannot use zstd: .* the zstd program is not installed$/);
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.deepEqual(unhandled, []);
});
