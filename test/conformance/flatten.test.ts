// The flattener of the conformance cases and its way to the registry: on tars made by hand, not by the builder.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { gzipSync } from "node:zlib";
import { type Header, pack } from "tar-stream";
import { pushRootFileSystem, startLocalRegistry } from "../support/local-registry.ts";
import { flattenLayers, readPushedImage } from "./pushed-image.ts";

type TestEntry = Partial<Header> & { name: string; text?: string };

async function makeTar(entries: readonly TestEntry[]): Promise<Buffer> {
  const tar = pack();
  for (const { text, ...header } of entries) tar.entry(header, text ?? "");
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

async function flatten(t: TestContext, layers: readonly (readonly TestEntry[])[]): Promise<Record<string, unknown>> {
  const folder = temporaryFolder(t);
  const files: string[] = [];
  for (const [index, entries] of layers.entries()) {
    files.push(join(folder, `${index}.tar`));
    writeFileSync(files[index] ?? "", await makeTar(entries));
  }
  return { ...(await flattenLayers(files)) };
}

function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "slipway-flatten-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const file = (name: string, text = "x"): TestEntry => ({ name, text, mode: 0o644 });
const directory = (name: string): TestEntry => ({ name, type: "directory", mode: 0o755 });

test("an entry's attributes are told", async (t) => {
  const tree = await flatten(t, [
    [
      directory("d/"),
      { name: "d/f", text: "abc", mode: 0o4755, uid: 7, gid: 8 },
      { name: "d/l", type: "symlink", linkname: "../f", mode: 0o777 },
      { name: "d/h", type: "link", linkname: "d/f" },
      { name: "c", type: "character-device", mode: 0o600, devmajor: 1, devminor: 3 },
      { name: "x", pax: { "SCHILY.xattr.user.a": "v" }, mode: 0o644 },
    ],
  ]);
  const sha256 = (text: string, digits: number) => createHash("sha256").update(text).digest("hex").slice(0, digits);
  const told = { t: "f", m: "0o4755", o: "7:8", h: sha256("abc", 16), s: 3 };
  assert.deepEqual(tree, {
    "/d": { t: "d", m: "0o755", o: "0:0" },
    "/d/f": told,
    "/d/l": { t: "l", m: "0o777", o: "0:0", l: "../f" },
    "/d/h": told,
    "/c": { t: "c", m: "0o600", o: "0:0", d: "1:3" },
    "/x": { t: "f", m: "0o644", o: "0:0", h: sha256("", 16), s: 0, x: { "user.a": sha256("v", 12) } },
  });
});

const lower = [directory("d/"), file("d/a"), file("d/b"), directory("d/sub/"), file("d/sub/c"), file("dd")];
const rows: [name: string, upper: TestEntry[], paths: string[]][] = [
  ["nothing", [], ["/d", "/d/a", "/d/b", "/d/sub", "/d/sub/c", "/dd"]],
  ["a whiteout of a file", [file("d/.wh.a")], ["/d", "/d/b", "/d/sub", "/d/sub/c", "/dd"]],
  ["a whiteout of a directory", [file(".wh.d")], ["/dd"]],
  ["an opaque directory after its new file", [file("d/new"), file("d/.wh..wh..opq")], ["/d", "/d/new", "/dd"]],
  ["a whiteout after what replaces it", [file("d/a"), file("d/.wh.a")], ["/d", "/d/a", "/d/b", "/d/sub", "/d/sub/c", "/dd"]],
  ["a file in the place of a directory", [file("d")], ["/d", "/dd"]],
  ["a directory in the place of a file", [directory("dd/"), file("dd/x")], ["/d", "/d/a", "/d/b", "/d/sub", "/d/sub/c", "/dd", "/dd/x"]],
  ["a directory again", [directory("d/")], ["/d", "/d/a", "/d/b", "/d/sub", "/d/sub/c", "/dd"]],
];
for (const [name, upper, paths] of rows) {
  test(`a layer with ${name}`, async (t) => assert.deepEqual(Object.keys(await flatten(t, [lower, upper])).sort(), paths));
}

test("an image that is pushed is read back, verified and flattened", async (t) => {
  const folder = temporaryFolder(t);
  await using registry = await startLocalRegistry(mkdtempSync(join(tmpdir(), "slipway-registry-")));
  const rootfs = join(folder, "rootfs.tar.gz");
  writeFileSync(rootfs, gzipSync(await makeTar([directory("etc/"), file("etc/motd")])));
  await pushRootFileSystem(registry.host, rootfs, ["library/base:1", "library/base:2"]);
  const image = await readPushedImage(registry.host, "library/base", { tag: "2", work: folder });
  assert.deepEqual(Object.keys(image.tree), ["/etc", "/etc/motd"]);
  assert.deepEqual(image.config.Cmd, ["sh"]);
  assert.deepEqual(image.shape.measuredDiffIds, image.shape.diffIds);
  assert.equal(image.shape.history.length, 1);
  assert.match(image.digest, /^sha256:[0-9a-f]{64}$/);
  const manifests = registry.requests().filter(({ method, uri }) => method === "GET" && uri.includes("/manifests/2"));
  assert.deepEqual(
    manifests.map(({ status }) => status),
    [200],
  );
});
