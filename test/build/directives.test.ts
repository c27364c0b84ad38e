// That what a directive asks for is done, or said not to be.

import assert from "node:assert/strict";
import { test } from "node:test";
import { directiveWarnings } from "../../src/build/directives.ts";
import { parseDockerfile } from "../../src/dockerfile/dockerfile.ts";

const rows: readonly (readonly [head: string, warning: RegExp | undefined])[] = [
  ["", undefined],
  ["# syntax=docker/dockerfile", undefined],
  ["# syntax=docker/dockerfile:1.7-labs", undefined],
  ["# syntax=mirror.example:5000/hub/docker/dockerfile-upstream:master@sha256:00", undefined],
  ["# syntax=ghcr.io/someone/nix:1", /^1: syntax=ghcr\.io\/someone\/nix:1 is not used: the file is read as a Dockerfile$/],
  ["# syntax=someone/dockerfile", /is not used/],
  ["# escape=`\n# check=skip=JSONArgsRecommended", undefined],
  ["# check=skip=all;error=true", undefined],
];

for (const [head, expected] of rows)
  test(`directiveWarnings of ${JSON.stringify(head)}`, () => {
    const warnings = directiveWarnings(parseDockerfile(`${head}\nFROM scratch`, "Dockerfile")).map(({ text, line }) => `${line}: ${text}`);
    if (expected === undefined) assert.deepEqual(warnings, []);
    else assert.match(warnings.join("\n"), expected);
  });
