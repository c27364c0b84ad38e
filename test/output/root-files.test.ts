// An image's files as a directory and as a plain tar.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { hostPlatform, parsePlatform } from "../../src/image/platform.ts";
import { directoryItem, fileItem, openBuilder, putBase } from "../support/build.ts";
import { startRegistry } from "../support/registry.ts";

const dockerfile = (host: string) => `FROM ${host}/base:1\nCOPY a /dir/copied\nCOPY --chmod=600 a /bin/tool`;

async function build(t: Parameters<typeof startRegistry>[0], outputs: (directory: string) => Record<string, string>) {
  const registry = await startRegistry(t);
  const link = { entry: { ...fileItem("dir/link", "").entry, type: "symlink" as const, mode: 0o777, link: "old" } };
  const hard = { entry: { ...fileItem("dir/hard", "").entry, type: "hardlink" as const, link: "dir/old" } };
  const base = [
    directoryItem("bin"),
    fileItem("bin/tool", "tool", { mode: 0o755 }),
    directoryItem("dir", 0o750),
    fileItem("dir/old", "old"),
    hard,
    link,
  ];
  await putBase(t, registry, "base:1", [base, [fileItem("gone", "x")], [fileItem(".wh.gone", "")]]);
  const builder = await openBuilder(t);
  await builder.build({ Dockerfile: dockerfile(registry.host), a: "a" }, { outputs: outputs(builder.directory) });
  return builder.directory;
}

describe("the outputs that hold files", () => {
  test("a directory has the merged files, and keeps what else is in it", async (t) => {
    const directory = await build(t, (parent) => {
      mkdirSync(join(parent, "out/dir/mine"), { recursive: true });
      mkdirSync(join(parent, "out/bin/tool"), { recursive: true });
      writeFileSync(join(parent, "out/dir/old"), "replaced");
      return { rootPath: join(parent, "out") };
    });
    const out = join(directory, "out");
    assert.deepEqual(readdirSync(out).sort(), ["bin", "dir"]);
    assert.deepEqual(readdirSync(join(out, "dir")).sort(), ["copied", "hard", "link", "mine", "old"]);
    assert.equal(readFileSync(join(out, "bin/tool"), "utf8"), "a");
    assert.equal(lstatSync(join(out, "bin/tool")).mode & 0o7777, 0o600);
    assert.equal(readFileSync(join(out, "dir/old"), "utf8"), "old");
    assert.equal(lstatSync(join(out, "dir/old")).ino, lstatSync(join(out, "dir/hard")).ino);
    assert.equal(readlinkSync(join(out, "dir/link")), "old");
    assert.equal(lstatSync(join(out, "dir/old")).mtimeMs, 1_000_000);
  });

  test("a tar lists them with their attributes", async (t) => {
    const directory = await build(t, (parent) => ({ rootTarPath: join(parent, "root.tar") }));
    const listed = execFileSync("tar", ["--numeric-owner", "-tvf", join(directory, "root.tar")], { encoding: "utf8" });
    const lines = listed
      .trim()
      .split("\n")
      .map((line) => line.replace(/\s+\d+ \d{4}-\d\d-\d\d \d\d:\d\d/, ""));
    assert.deepEqual(lines, [
      "drwxr-xr-x 0/0 bin/",
      "-rw------- 0/0 bin/tool",
      "drwxr-x--- 0/0 dir/",
      "-rw-r--r-- 0/0 dir/copied",
      "-rw-r--r-- 0/0 dir/hard",
      "lrwxrwxrwx 0/0 dir/link -> old",
      "hrw-r--r-- 0/0 dir/old link to dir/hard",
    ]);
  });

  test("an OCI tar is read by skopeo", async (t) => {
    const directory = await build(t, (parent) => ({ ociTarPath: join(parent, "oci.tar") }));
    const shown = JSON.parse(execFileSync("skopeo", ["inspect", `oci-archive:${join(directory, "oci.tar")}`], { encoding: "utf8" }));
    assert.equal(shown.Layers.length, 5);
  });

  test("files of several platforms lie below their names", async (t) => {
    const builder = await openBuilder(t);
    const rootPath = join(builder.directory, "out");
    const platforms = [hostPlatform(), parsePlatform("linux/arm/v7")];
    await builder.build({ Dockerfile: "FROM scratch\nCOPY a /a", a: "a" }, { platforms, outputs: { rootPath } });
    assert.deepEqual(readdirSync(rootPath).sort(), [`linux_${hostPlatform().architecture}`, "linux_arm_v7"].sort());
    assert.equal(readFileSync(join(rootPath, "linux_arm_v7/a"), "utf8"), "a");
  });
});
