// That the comparison sees what differs, and lets pass what is meant to.

import assert from "node:assert/strict";
import { test } from "node:test";
import { compareOutcomes } from "./compare-outcomes.ts";
import type { BuiltImage, Failed, LayerNode } from "./outcome.ts";

const image = (more: Partial<BuiltImage> = {}): BuiltImage => ({ fails: false, layers: [], config: {}, history: [], ...more });
const layer = (...nodes: LayerNode[]): BuiltImage => image({ layers: [nodes] });
const failed = (line: number, message: string): Failed => ({ fails: true, line, message });
const file = { p: "/f", t: "f", m: "0o644", o: "0:0", c: "text", at: 1000 };
const directory = { p: "/d", t: "d", m: "0o755", o: "0:0", at: "now" };

type Row = readonly [what: string, wanted: BuiltImage | Failed, got: BuiltImage | Failed, difference: RegExp | undefined];

const rows: readonly Row[] = [
  ["equal files", layer(file), layer({ ...file }), undefined],
  ["another mode", layer(file), layer({ ...file, m: "0o600" }), /^layer 0: \/f should be .*m=0o644.*\n.* is .*m=0o600/],
  ["another time", layer(file), layer({ ...file, at: 1001 }), /at=1000.*\n.*at=1001/],
  ["a file too few", layer(file), layer(), /\/f should be .*\n.* is missing/],
  ["a file too many", layer(), layer(file), /\/f should be missing/],
  ["an entry that stands there twice", layer(file), layer(file, file), /1 paths stand there twice, should be 0/],
  ["a whiteout beside a file", layer(file), layer({ p: "/f", t: "w" }), /t=f.*\n.*t=w/],
  ["another number of layers", layer(), image(), /^layers: there should be 1, there are 0/],
  ["directories that only one builder touches", layer(directory), layer({ ...directory, at: 5 }), undefined],
  ["a directory's mode", layer(directory), layer({ ...directory, at: 5, m: "0o700" }), /m=0o755.*\n.*m=0o700/],
  [
    "an order",
    image({ config: { Env: ["a", "b"] } }),
    image({ config: { Env: ["b", "a"] } }),
    /^config: Env should be \["a","b"\]\n.* is \["b","a"\]/,
  ],
  ["null for nothing", image(), image({ config: { Cmd: null } }), /Cmd should be undefined\n.* is null/],
  ["a line of the history", image({ history: [{ created_by: "x" }] }), image(), /^history: 0 should be {"created_by":"x"}/],
  ["failures in the same line", failed(2, "a"), failed(2, "b"), undefined],
  ["failures in other lines", failed(2, "a"), failed(3, "b"), /^line: should fail in 2: a\n.* in 3: b/],
  ["a failure that BuildKit blames no line for", failed(0, "a"), failed(3, "b"), undefined],
  ["what is missing, found earlier", failed(9, "a"), failed(2, 'failed to calculate checksum "/x": not found'), undefined],
  ["a failure too few", failed(2, "a"), image(), /^failure: should fail in line 2: a/],
  ["a failure too many", image(), failed(2, "a"), /^success: should not fail: a/],
];

for (const [what, wanted, got, difference] of rows)
  test(`compareOutcomes sees ${what}`, () => {
    const text = compareOutcomes(wanted, got).join("\n");
    if (difference === undefined) assert.equal(text, "");
    else assert.match(text, difference);
  });
