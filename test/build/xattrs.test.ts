// Capabilities of the context's files, in layers, mounts and keys, and the digests that are told with them.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { linkSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { gunzipSync } from "node:zlib";
import type { CopyStep } from "../../src/build/plan.ts";
import { digestCopied, settleFiles } from "../../src/build/selection.ts";
import { openDirectory } from "../../src/context/directory.ts";
import { noPatterns } from "../../src/context/ignore.ts";
import { parseReference } from "../../src/image/reference.ts";
import type { RawPath } from "../../src/layer/entry.ts";
import { readAll } from "../layer/raw-tar.ts";
import { needsRoot } from "../sandbox/root.ts";
import { openBase } from "../sandbox/stage.ts";
import { openBuilder, putLayers, temporaryDirectory } from "../support/build.ts";
import { pushed } from "../support/pushed.ts";
import { startRegistry } from "../support/registry.ts";

const value = "\x01\0\0\x02\0\x20".padEnd(20, "\0");

async function openContext(t: TestContext, dockerfile: string): Promise<string> {
  const directory = await temporaryDirectory(t);
  mkdirSync(join(directory, "d"));
  for (const name of ["plain", "d/tool", "d/other"]) writeFileSync(join(directory, name), name, { mode: 0o755 });
  for (const name of ["d/tool", "d/other"])
    execFileSync("setfattr", ["-n", "security.capability", "-v", `0s${Buffer.from(value, "latin1").toString("base64")}`, name], {
      cwd: directory,
    });
  linkSync(join(directory, "d/tool"), join(directory, "d/twin"));
  execFileSync("setfattr", ["-n", "user.note", "-v", "n", "plain"], { cwd: directory });
  writeFileSync(join(directory, ".dockerignore"), "d/other\n");
  writeFileSync(join(directory, "Dockerfile"), dockerfile);
  return directory;
}

test("COPY and ADD keep capabilities, with another owner and as a link, and no other attribute", async (t) => {
  if (!needsRoot(t)) return;
  const registry = await startRegistry(t);
  const builder = await openBuilder(t);
  const dockerfile = `FROM scratch
COPY . /
COPY --link --chown=5:6 --chmod=4711 d/tool /linked
ADD d/t* /added/
COPY --from=more tool /named`;
  const context = await openContext(t, dockerfile);
  const destinations = [parseReference(`${registry.host}/app:1`)];
  const buildContexts = new Map([["more", join(context, "d")]]);
  await builder.build({}, { context, workingDirectory: context, destinations, buildContexts });
  const image = pushed(registry, "app", "1");
  const layers: { digest: string }[] = image?.manifest.layers ?? [];
  const seen = await Promise.all(
    layers.map(async ({ digest }) => {
      const entries = await readAll(gunzipSync(image?.store.blobs.get(digest) ?? Buffer.alloc(0)));
      return entries.flatMap(({ entry: { path, uid, xattrs } }) => (xattrs === undefined ? [] : [[path, uid, ...xattrs]]));
    }),
  );
  const pair = ["security.capability", value];
  assert.deepEqual(seen, [
    [
      ["d/tool", 0, pair],
      ["d/twin", 0, pair],
    ],
    [["linked", 5, pair]],
    [
      ["added/tool", 0, pair],
      ["added/twin", 0, pair],
    ],
    [["named", 0, pair]],
  ]);
});

test("a RUN sees the capabilities of what it mounts", async (t) => {
  const base = needsRoot(t) ? openBase(t) : undefined;
  if (base === undefined) return;
  const registry = await startRegistry(t);
  await putLayers(registry, "base:1", [base], { Env: ["PATH=/bin:/usr/bin:/sbin"] });
  const builder = await openBuilder(t);
  const programs = await temporaryDirectory(t);
  const copy = `p=$(command -v getcap); cp "$p" $(ldd "$p" | grep -o '/[^ ]*') "$0" && mv "$0"/ld-linux* "$0/ld"`;
  execFileSync("sh", ["-c", copy, programs]);
  const dockerfile = `FROM ${registry.host}/base:1
RUN --mount=from=programs,target=/o --mount=target=/c /o/ld --library-path /o /o/getcap /c/d/tool /c/plain | grep -qx '/c/d/tool cap_net_raw=ep'`;
  const context = await openContext(t, dockerfile);
  for (const sandbox of ["ns", "chroot-bare"] as const)
    await builder.build({}, { context, workingDirectory: context, buildContexts: new Map([["programs", programs]]), sandbox });
});

test("capabilities count for keys, and are asked for once", async (t) => {
  const directory = await openContext(t, "");
  const view = openDirectory(directory, noPatterns);
  const asked: RawPath[] = [];
  const settle = (capable: readonly RawPath[]) =>
    settleFiles({
      ...{ location: directory, stateDir: undefined, keepsOwners: false, time: undefined, ...view, async close() {} },
      async xattrs(paths) {
        const wanted = [...paths];
        asked.push(...wanted);
        return new Map(wanted.filter((path) => capable.includes(path)).map((path) => [path, new Map([["security.capability", value]])]));
      },
    });
  const source = (path: RawPath) => ({ kind: "path", path, unpack: false }) as const;
  const step: CopyStep = {
    ...{ kind: "copy", from: { kind: "context" }, parents: false, link: false, exclude: [], destination: "x/" },
    ...{ chown: undefined, chmod: undefined, createdBy: "", source: { line: 1, endLine: 1, text: "" } },
    sources: [source("d"), source("d/*"), source("plain")],
  };
  const keyOf = (capable: readonly RawPath[]) => {
    const files = settle(capable);
    return digestCopied(step, { view: files, keepsOwners: false, digest: files.digest, xattrs: files.xattrs });
  };
  const keys = [await keyOf([]), await keyOf(["d/tool"]), await keyOf(["plain"]), await keyOf(["d/tool"])];
  assert.equal(new Set(keys).size, 3);
  assert.equal(keys[1], keys[3]);
  assert.deepEqual(asked.slice(0, asked.length / 4).sort(), ["d/other", "d/tool", "d/twin", "plain"]);
});

test("files of all steps are read together, large ones first; what has another size by then is read again", async (t) => {
  const directory = await temporaryDirectory(t);
  for (const [name, text] of [
    ["a", "a"],
    ["large", "x".repeat(1 << 20)],
    ["z", "changed"],
  ] as const)
    writeFileSync(join(directory, name), text);
  const asked: (readonly RawPath[])[] = [];
  const files = settleFiles({
    ...{ location: directory, stateDir: undefined, keepsOwners: false, time: undefined, async close() {} },
    ...openDirectory(directory, noPatterns),
    async contents(paths, take) {
      asked.push(paths);
      take("a", 1, "digest of a");
      take("large", 1 << 20, "digest of large");
      take("z", 1, "digest of another z");
      return new Map();
    },
  });
  for (const path of ["a", "large", "z"]) files.lstat(path);
  await Promise.all([files.xattrs?.(["a"]), files.xattrs?.(["z", "large"]), files.xattrs?.(["a"])]);
  await files.xattrs?.(["z"]);
  assert.deepEqual(asked, [["large", "a", "z"]]);
  const digests = await Promise.all(["a", "large", "z"].map((path) => files.digest(path)));
  assert.deepEqual(digests, ["digest of a", "digest of large", createHash("sha256").update("changed").digest("hex")]);
});
