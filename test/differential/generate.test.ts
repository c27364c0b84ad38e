// That a seed says everything about a program, and that programs are what they are meant to be.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { lstatSync, mkdtempSync, readlinkSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { parseDockerfile } from "../../src/dockerfile/dockerfile.ts";
import { generateProgram } from "./generate.ts";
import { layOutContext } from "./lay-out.ts";
import { dockerfileOf } from "./program.ts";

const programs = Array.from({ length: 300 }, (_, seed) => generateProgram(seed));

test("a seed gives the same program each time, and seeds differ", () => {
  const again = programs.map((_, seed) => JSON.stringify(generateProgram(seed)));
  assert.deepEqual(
    programs.map((program) => JSON.stringify(program)),
    again,
  );
  assert.equal(new Set(again).size, again.length);
});

test("most programs are Dockerfiles without a mistake, some are not", () => {
  const good = programs.filter((program) => {
    try {
      parseDockerfile(dockerfileOf(program, "registry"), "Dockerfile");
      return true;
    } catch {
      return false;
    }
  });
  assert.ok(good.length > programs.length * 0.85 && good.length < programs.length, `${good.length} of ${programs.length} parse`);
});

for (const word of ["FROM scratch", "COPY --from=", "--chown=", "--chmod=", "--link", "--exclude=", "ADD ", "RUN <<", "--mount=type=cache"])
  test(`some programs have ${word}`, () => assert.ok(programs.some(({ blocks }) => blocks.join("\n").includes(word))));

test("a context is laid out as it says", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "slipway-test-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const at = (name: string) => join(folder, name);
  layOutContext(
    [
      { kind: "directory", path: "d", mode: 0o2711, time: 1000 },
      { kind: "file", path: "d/f", text: "text", mode: 0o4755, time: 2000 },
      { kind: "hardlink", path: "e/h", target: "d/f" },
      { kind: "symlink", path: "l", target: "nowhere", time: 3000 },
      {
        kind: "archive",
        path: "a.tar",
        compression: "none",
        members: [{ name: "../x", type: "file", mode: 0o600, uid: 1, gid: 2, time: 4, text: "in" }],
      },
    ],
    folder,
  );
  assert.equal(statSync(at("d")).mode & 0o7777, 0o2711);
  assert.equal(statSync(at("d")).mtimeMs, 1_000_000);
  assert.equal(statSync(at("d/f")).mode & 0o7777, 0o4755);
  assert.equal(statSync(at("e/h")).ino, statSync(at("d/f")).ino);
  assert.equal(readlinkSync(at("l")), "nowhere");
  assert.equal(lstatSync(at("l")).mtimeMs, 3_000_000);
  const listing = execFileSync("tar", ["--list", "--verbose", "--numeric-owner", "--absolute-names", "--utc", "--file", at("a.tar")]);
  assert.match(listing.toString(), /^-rw------- 1\/2 +2 1970-01-01 00:00 \.\.\/x\n$/);
});
