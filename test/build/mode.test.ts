// Symbolic modes, against chmod(1).

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { changeMode, formatMode, readModeChange } from "../../src/build/mode.ts";
import { LineError } from "../../src/dockerfile/dockerfile.ts";

const changes = [
  "u=rwX,go=rX",
  "a+x",
  "a+x,u-w",
  "go-w",
  "go=u",
  "u=g",
  "o+t",
  "+X",
  "u+s,g+s",
  "g-s",
  "a=",
  "ug+rw,o=",
  "u=rw,g=r,o=r",
  "a-x+X",
  "=r",
];
const modes = [0o644, 0o600, 0o755, 0o711, 0o4755, 0o2644, 0o1777, 0o000];

describe("changeMode does what chmod(1) does", () => {
  for (const change of changes)
    test(change, (t) => {
      const folder = mkdtempSync(join(tmpdir(), "slipway-mode-"));
      t.after(() => rmSync(folder, { recursive: true, force: true }));
      for (const isDirectory of [false, true])
        for (const mode of modes) {
          const path = join(folder, `${isDirectory}-${mode}`);
          if (isDirectory) mkdirSync(path);
          else writeFileSync(path, "");
          chmodSync(path, mode);
          execFileSync("sh", ["-c", 'umask 0; exec chmod -- "$1" "$2"', "sh", change, path]);
          const mine = changeMode(readModeChange(change), mode, isDirectory);
          // GNU's chmod keeps a directory's set-id bits through "=" and clears the sticky bit with "o="; the BSD grammar of BuildKit does neither.
          const mask = isDirectory ? 0o777 : 0o6777;
          assert.equal((mine & mask).toString(8), (statSync(path).mode & mask).toString(8), `${mode.toString(8)} ${isDirectory}`);
        }
    });
});

test("readModeChange takes octal up to 7777", () => {
  assert.equal(formatMode(readModeChange("0755")), "755");
  assert.equal(formatMode(readModeChange("go=rX,u+s")), "go=rX,u+s");
});

for (const text of ["64a", "10000", "8", "u", "u+q", "z+x", "u+x;", "+ug"])
  test(`readModeChange refuses ${text}`, () => {
    assert.throws(
      () => readModeChange(text),
      (error) => error instanceof LineError && error.message.includes(`invalid chmod parameter: '${text}'`),
    );
  });
