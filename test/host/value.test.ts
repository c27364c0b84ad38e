// Values are read as Go's strconv and time packages read them.

import assert from "node:assert/strict";
import test from "node:test";
import { findNearest } from "../../src/host/usage.ts";
import { parseBoolean, parseDuration, parseInteger, parseMultiMap, parsePair } from "../../src/host/value.ts";

test("booleans are Go's", () => {
  for (const text of ["1", "t", "T", "TRUE", "true", "True"]) assert.equal(parseBoolean(text), true, text);
  for (const text of ["0", "f", "F", "FALSE", "false", "False"]) assert.equal(parseBoolean(text), false, text);
  for (const text of ["", "yes", "tRue", "2", " true"]) assert.equal(parseBoolean(text), undefined, text);
});

test("integers are decimal and exact", () => {
  const rows = {
    "0": 0,
    "-1": -1,
    "+7": 7,
    "007": 7,
    "": undefined,
    "1.0": undefined,
    "0x1": undefined,
    "1e3": undefined,
    "99999999999999999999": undefined,
  };
  for (const [text, value] of Object.entries(rows)) assert.equal(parseInteger(text), value, text);
});

test("durations are Go's, in milliseconds", () => {
  const rows = { "336h": 1_209_600_000, "1h30m": 5_400_000, "1.5s": 1500, ".5s": 500, "-2m": -120_000, "0": 0, "300us": 0.3, "1µs": 0.001 };
  for (const [text, value] of Object.entries(rows)) assert.equal(parseDuration(text), value, text);
  for (const text of ["", "1", "2d", "h", "1h ", "1 h", "--1h"]) assert.equal(parseDuration(text), undefined, text);
});

test("pairs are split at the first =", () => {
  assert.deepEqual(parsePair("a=b=c", "--label"), ["a", "b=c"]);
  assert.deepEqual(parsePair("a=", "--label"), ["a", ""]);
  for (const text of ["", "a", "=b"])
    assert.throws(() => parsePair(text, "--label"), {
      message: `invalid argument ${JSON.stringify(text)} for --label: must be NAME=VALUE`,
    });
});

test("a map of lists keeps the order, over several texts", () => {
  const texts = ["a=1;b=2", "a=3;a=4"].map((text) => ({ text, source: "--registry-map" }));
  assert.deepEqual(
    [...parseMultiMap(texts)],
    [
      ["a", ["1", "3", "4"]],
      ["b", ["2"]],
    ],
  );
  assert.throws(() => parseMultiMap([{ text: "a=1;b", source: "KANIKO_REGISTRY_MAP" }]), /invalid argument "b" for KANIKO_REGISTRY_MAP/);
});

test("the nearest name is found, and none where all are far", () => {
  const names = ["destination", "digest-file", "no-push", "cache"];
  const rows = {
    destinations: "destination",
    digestfile: "digest-file",
    "no-psuh": "no-push",
    CACHE: "cache",

    x: undefined,
    frobnicate: undefined,
  };
  for (const [text, nearest] of Object.entries(rows)) assert.equal(findNearest(text, names), nearest, text);
});
