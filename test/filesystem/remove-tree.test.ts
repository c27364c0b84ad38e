// Trees go as a whole, and nothing that is mounted in them.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { removeTree } from "../../src/filesystem/filesystem.ts";
import { needsRoot } from "../sandbox/root.ts";
import { temporary } from "./disk.ts";

const rows: [name: string, fill: (tree: string) => void][] = [
  ["nothing at all", () => {}],
  ["an empty directory", (tree) => mkdirSync(tree)],
  ["directories alone", (tree) => ["a/b/c", "a/d", "e"].map((path) => mkdirSync(join(tree, path), { recursive: true }))],
  ["many directories", (tree) => Array.from({ length: 100 }, (_, i) => mkdirSync(join(tree, `a/${i}`), { recursive: true }))],
  ["names that are not UTF-8", (tree) => mkdirSync(Buffer.from(`${tree}/\xff/\xfe`, "latin1"), { recursive: true })],
  ["a file below", (tree) => [mkdirSync(tree), writeFileSync(join(tree, "a"), "x")]],
  ["a file", (tree) => writeFileSync(tree, "x")],
];

for (const [name, fill] of rows) {
  test(`a tree of ${name} is removed`, async (t) => {
    const tree = join(await temporary(t), "tree");
    fill(tree);
    await removeTree(tree);
    assert.equal(existsSync(tree), false);
  });
}

test("what a symlink leads to stays", async (t) => {
  const root = await temporary(t);
  mkdirSync(join(root, "kept/inside"), { recursive: true });
  mkdirSync(join(root, "tree"));
  symlinkSync("../kept", join(root, "tree/link"));
  await removeTree(join(root, "tree"));
  assert.deepEqual(readdirSync(root), ["kept"]);
  assert.deepEqual(readdirSync(join(root, "kept")), ["inside"]);
});

test("what is mounted in a tree stays, and with it the directories above", async (t) => {
  if (!needsRoot(t)) return;
  const root = await temporary(t);
  mkdirSync(join(root, "tree/mount"), { recursive: true });
  const program = `import { removeTree } from ${JSON.stringify(new URL("../../src/filesystem/filesystem.ts", import.meta.url).href)};
await removeTree(${JSON.stringify(join(root, "tree"))}).catch(() => {});`;
  const script = 'mount -t tmpfs none "$0" && mkdir "$0/kept" && "$1" --input-type=module-typescript -e "$2"; ls "$0"';
  const listed = execFileSync("unshare", ["-m", "sh", "-c", script, join(root, "tree/mount"), process.execPath, program], {
    encoding: "utf8",
  });
  assert.equal(listed, "kept\n");
});
