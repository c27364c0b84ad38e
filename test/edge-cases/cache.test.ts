// What of an earlier build is used again: what an argument, a proxy, a secret or a file's mode has to do with it.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Request } from "../../src/build/build.ts";
import { usualCache } from "../build/cached-builds.ts";
import { openWorkbench } from "./workbench.ts";

const bench = openWorkbench(({ image }) => image("image", ["d 755 0:0 there"]));

/** Requests that share a store. */
function cacheOf(name: string): Partial<Request> {
  return { cache: { ...usualCache, stores: [{ kind: "directory", path: join(bench.directory(), name), maxBytes: undefined }] } };
}

test("7.39 a build argument that changes busts commands from its ARG on, used or not, and nothing before", async (t) => {
  if (!(await bench.shell(t))) return;
  const dockerfile = "FROM shell\nRUN echo one >/1\nCOPY f /\nARG X\nCOPY f /a\nRUN echo two >/2\nRUN echo $X >/3";
  const build = (x: string) =>
    bench.build({ dockerfile, context: "f 644 0:0 f F", request: { ...cacheOf("arguments"), buildArgs: new Map([["X", x]]) } });
  await build("1");
  const changed = await build("2");
  assert.deepEqual(changed.outcomes, ["cached", "cached", "cached", "done", "done"]);
  assert.deepEqual(await changed.layer(-1), ["f 644 0:0 3 2"]);
  assert.ok((await build("2")).outcomes.every((outcome) => outcome === "cached"));
});

test("7.39 one that no ARG declares, a proxy and a secret bust nothing", async (t) => {
  if (!(await bench.shell(t))) return;
  const dockerfile = "FROM shell\nRUN --mount=type=secret,id=s cat /run/secrets/s >/dev/null; echo one >/1";
  const build = (secret: string, ...args: (readonly [string, string])[]) =>
    bench.build({
      dockerfile,
      request: { ...cacheOf("others"), secrets: new Map([["s", Buffer.from(secret)]]), buildArgs: new Map(args) },
    });
  await build("first-secret");
  assert.deepEqual((await build("other-secret", ["HTTP_PROXY", "http://127.0.0.1:1"], ["no_proxy", "x"], ["UNKNOWN", "1"])).outcomes, [
    "cached",
  ]);
});

test("7.52 a file's mode is part of what a COPY is known by, its time is not, and a hidden file is nothing", async () => {
  const context = join(bench.directory(), "modes");
  mkdirSync(context);
  const write = (mode: string, seconds: number, hidden: string) => {
    for (const [name, text] of Object.entries({
      f: "F",
      hidden,
      ".dockerignore": "hidden\nDockerfile",
      Dockerfile: "FROM image\nCOPY . /x/",
    }))
      writeFileSync(join(context, name), text);
    execFileSync("chmod", [mode, join(context, "f")]);
    utimesSync(join(context, "f"), seconds, seconds);
  };
  const build = () => bench.build({ dockerfile: "", request: { ...cacheOf("modes-store"), context, workingDirectory: context } });
  write("644", 1000, "1");
  await build();
  write("644", 2000, "2");
  assert.deepEqual((await build()).outcomes, ["cached"]);
  write("600", 1000, "1");
  assert.deepEqual((await build()).outcomes, ["done"]);
});
