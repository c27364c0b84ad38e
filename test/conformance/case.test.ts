// Conformance cases as they are laid out to be built.

import assert from "node:assert/strict";
import { lstatSync, mkdirSync, mkdtempSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { prepareCase, readCases } from "./case.ts";

test("a case is laid out with its modes, its links and its registry", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "slipway-case-"));
  t.after(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, "cases/one"), { recursive: true });
  mkdirSync(join(folder, "contexts/c/sub"), { recursive: true });
  mkdirSync(join(folder, "work"));
  const write = (name: string, text: string, mode = 0o444) => writeFileSync(join(folder, name), text, { mode });
  write(
    "cases/one/case.json",
    JSON.stringify({ context: "c", buildArgs: { BASE: "REGISTRY/library/busybox" }, expected: { fails: true, error: "x" } }),
  );
  write("cases/one/Dockerfile", "FROM REGISTRY/library/alpine\n");
  write("cases/one/Dockerfile.dockerignore", "a\n");
  write("contexts/c/plain", "words\n");
  write("contexts/c/run", "words\n", 0o555);
  write("contexts/c/self", "self");
  write("contexts/c/gone", "nowhere");
  write("contexts/c/out", "../../cases");
  write("contexts/c/sub/link", "../plain");

  const [one] = readCases(folder);
  assert.ok(one !== undefined);
  const { context, dockerfile, buildArgs } = prepareCase(one, folder, { work: join(folder, "work"), host: "127.0.0.1:5000" });
  assert.deepEqual(buildArgs, ["BASE=127.0.0.1:5000/library/busybox"]);
  assert.equal(readFileSync(dockerfile, "utf8"), "FROM 127.0.0.1:5000/library/alpine\n");
  assert.equal(readFileSync(`${dockerfile}.dockerignore`, "utf8"), "a\n");
  const modes = ["", "sub", "plain", "run", "self", "gone", "out"].map((name) =>
    (lstatSync(join(context, name)).mode & 0o7777).toString(8),
  );
  assert.deepEqual(modes, ["775", "775", "644", "755", "644", "644", "644"]);
  assert.equal(readlinkSync(join(context, "sub/link")), "../plain");
});
