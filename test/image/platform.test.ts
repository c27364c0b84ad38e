// Platforms: spellings, and which image serves which machine.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { formatPlatform, hostPlatform, normalizePlatform, parsePlatform, platformDistance } from "../../src/image/platform.ts";

const good: [text: string, formatted: string][] = [
  ["linux/amd64", "linux/amd64"],
  ["linux/x86_64", "linux/amd64"],
  ["linux/x86-64", "linux/amd64"],
  ["linux/amd64/v1", "linux/amd64"],
  ["linux/amd64/v2", "linux/amd64/v2"],
  ["linux/i386", "linux/386"],
  ["linux/aarch64", "linux/arm64"],
  ["linux/arm64/v8", "linux/arm64"],
  ["linux/arm64/8", "linux/arm64"],
  ["linux/arm64/v9", "linux/arm64/v9"],
  ["linux/arm", "linux/arm/v7"],
  ["linux/arm/7", "linux/arm/v7"],
  ["linux/arm/v6", "linux/arm/v6"],
  ["linux/armhf", "linux/arm/v7"],
  ["linux/armel", "linux/arm/v6"],
  ["LINUX/AMD64", "linux/amd64"],
  ["macos/arm64", "darwin/arm64"],
  ["windows/amd64", "windows/amd64"],
  ["arm64", "linux/arm64"],
  ["amd64", "linux/amd64"],
  ["s390x", "linux/s390x"],
  [" linux/ppc64le ", "linux/ppc64le"],
  ["linux", formatPlatform(hostPlatform())],
];

test("a platform is read in all its spellings", () => {
  for (const [text, formatted] of good) assert.equal(formatPlatform(parsePlatform(text)), formatted, text);
});

test("what is no platform is refused with the text", () => {
  for (const text of ["", "/", "linux/", "/amd64", "linux/arm/v7/x", "linux amd64", "linux/am d64", "linux,amd64"])
    assert.throws(
      () => parsePlatform(text),
      { name: "SyntaxError", message: /^Cannot read platform ".*": it must be os\/architecture/ },
      text,
    );
});

test("parsing what was formatted gives the same platform, and normalising twice changes nothing", () => {
  const platform = fc.record(
    {
      os: fc.constantFrom("linux", "Linux", "windows", "macos"),
      architecture: fc.constantFrom("amd64", "x86_64", "arm", "arm64", "aarch64", "armhf", "armel", "386", "riscv64"),
      variant: fc.constantFrom("v1", "v5", "v6", "7", "v8", "8", "v3"),
    },
    { requiredKeys: ["os", "architecture"] },
  );
  fc.assert(
    fc.property(platform, (given) => {
      const normal = normalizePlatform(given);
      assert.deepEqual(normalizePlatform(normal), normal);
      assert.deepEqual(parsePlatform(formatPlatform(normal)), normal);
      assert.equal(platformDistance(given, normal), 0);
    }),
  );
});

const distances: [wanted: string, offered: string, expected: "exact" | "older" | "none"][] = [
  ["linux/amd64", "linux/amd64", "exact"],
  ["linux/amd64", "linux/x86_64/v1", "exact"],
  ["linux/amd64", "linux/386", "none"],
  ["linux/amd64", "windows/amd64", "none"],
  ["linux/amd64/v3", "linux/amd64", "older"],
  ["linux/amd64/v3", "linux/amd64/v2", "older"],
  ["linux/amd64", "linux/amd64/v2", "none"],
  ["linux/arm/v7", "linux/arm/v6", "older"],
  ["linux/arm/v7", "linux/arm/v5", "older"],
  ["linux/arm/v6", "linux/arm/v7", "none"],
  ["linux/arm", "linux/arm/v7", "exact"],
  ["linux/arm64", "linux/arm64/v8", "exact"],
  ["linux/arm64/v9", "linux/arm64", "older"],
  ["linux/arm64", "linux/arm64/v9", "none"],
];

test("an image serves its own platform best, and newer machines of its kind", () => {
  for (const [wanted, offered, expected] of distances) {
    const distance = platformDistance(parsePlatform(wanted), parsePlatform(offered));
    assert.equal(distance === undefined ? "none" : distance === 0 ? "exact" : "older", expected, `${offered} for ${wanted}`);
  }
});

test("the nearest older variant is preferred", () => {
  const wanted = parsePlatform("linux/arm/v7");
  const offers = ["linux/arm/v5", "linux/arm/v6"].map((text) => platformDistance(wanted, parsePlatform(text)) ?? Number.NaN);
  assert.ok((offers[1] ?? 0) < (offers[0] ?? 0));
});
