// What of the context a build sees: ignore files, and contexts with what no context should have.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { chmodSync, chownSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { toRaw } from "../../src/layer/entry.ts";
import { temporaryDirectory } from "../support/build.ts";
import { type Given, openWorkbench, testRows } from "./workbench.ts";

const bench = openWorkbench();

const context = `
f 644 0:0 a A
f 644 0:0 b.md B
f 644 0:0 d/a DA
f 644 0:0 d/keep DK
f 644 0:0 d/e/keep EK
f 644 0:0 d/e/b.md EB
f 644 0:0 node_modules/m M
f 644 0:0 d/node_modules/m M
f 644 0:0 #x H
`;
const everything = [
  "#x",
  ".dockerignore",
  "Dockerfile",
  "a",
  "b.md",
  "d/a",
  "d/e/b.md",
  "d/e/keep",
  "d/keep",
  "d/node_modules/m",
  "node_modules/m",
];
const without = (...names: string[]) => everything.filter((name) => !names.includes(name));

/** The files that `COPY . /` takes. */
async function copiedFiles(given: Omit<Given, "dockerfile">): Promise<string[]> {
  const lines = await (await bench.build({ dockerfile: "FROM scratch\nCOPY . /", context, ...given })).layer(-1);
  return lines.filter((line) => !line.startsWith("d ")).map((line) => line.split(" ")[3] ?? line);
}

const ignoreRows: readonly (readonly [what: string, ignore: string, files: readonly string[]])[] = [
  ["* and then !a leaves a alone", "*\n!a\n", ["a"]],
  ["** and then an exception deep below brings the way to it", "**\n!d/e/keep", ["d/e/keep"]],
  ["**/node_modules is hidden at every depth, the top included", "**/node_modules", without("node_modules/m", "d/node_modules/m")],
  ["node_modules at the top alone", "node_modules", without("node_modules/m")],
  ["the last pattern that matches decides: !a and then * hides a", "!a\n*", []],
  ["!a between others", "*.md\n!b.md\na\n!a\na", without("a")],
  ["a hidden directory with an exception below it", "d\n!d/e/keep", without("d/a", "d/keep", "d/e/b.md", "d/node_modules/m")],
  ["an exception for a directory brings all of it", "d\n!d/e", without("d/a", "d/keep", "d/node_modules/m")],
  ["blanks around patterns do not count", "  a  \n\tb.md \t\n ! b.md \n", without("a")],
  ["a slash at the front does not count", "/a\n/d/e", without("a", "d/e/b.md", "d/e/keep")],
  ["nor ./, nor one at the end, nor ..", "./a\nd/e/\nd/../b.md\n", without("a", "d/e/b.md", "d/e/keep", "b.md")],
  ["* does not cross a slash", "*/a\n*.md", without("d/a", "b.md")],
  ["# begins a comment in the first column alone", "#a\n #x\n", without("#x")],
  ["a byte order mark, empty lines and CRLF do not count", "\ufeffa\r\n\r\n\nb.md\r\n", without("a", "b.md")],
  ["a pattern of . hides nothing", ".\n", everything],
  [
    "Dockerfile and ignore file can be hidden, and are used all the same",
    "Dockerfile\n.dockerignore\na",
    without("a", "Dockerfile", ".dockerignore"),
  ],
];
for (const [what, ignore, files] of ignoreRows)
  test(`7.52 ${what}`, async () => {
    assert.deepEqual(await copiedFiles({ files: { ".dockerignore": ignore } }), files);
  });

test("7.52 an ignore file named after the Dockerfile takes the place of the context's", async () => {
  const files = { ".dockerignore": "a", "Dockerfile.dockerignore": "b.md\n*ignore" };
  assert.deepEqual(await copiedFiles({ files }), without("b.md", ".dockerignore"));
});

testRows(bench, [
  {
    what: "7.53 sockets become empty files, pipes stay pipes, and nobody waits for them",
    dockerfile: "FROM scratch\nCOPY s /",
    context: "d 755 0:0 s\np 640 0:0 s/pipe\ns s/socket",
    gives: ["p 640 0:0 pipe", "f 755 0:0 socket"],
  },
  {
    what: "7.53 links in circles are copied as they are",
    dockerfile: "FROM scratch\nCOPY s /",
    context: "l s/one two\nl s/two one\nl s/self self\nl s/up ..",
    gives: ["l one two", "l self self", "l two one", "l up .."],
  },
  {
    what: "7.53 but cannot be a source",
    dockerfile: "FROM scratch\nCOPY one /",
    context: "l one two\nl two one",
    fails: /"one": it leads through more than 255 symbolic links/,
  },
  {
    what: "7.53 names that differ in case are two files",
    dockerfile: "FROM scratch\nCOPY name NAME /x/",
    context: "f 644 0:0 name 1\nf 644 0:0 NAME 2\nf 644 0:0 Name 3",
    gives: ["d 755 0:0 x", "f 644 0:0 x/NAME 2", "f 644 0:0 x/name 1"],
  },
  {
    what: "7.53 and so are composed and decomposed letters",
    dockerfile: `FROM scratch\nCOPY ${"é".normalize("NFD")} /x/`,
    context: `f 644 0:0 ${toRaw("é".normalize("NFC"))} c\nf 644 0:0 ${toRaw("é".normalize("NFD"))} d`,
    gives: ["d 755 0:0 x", `f 644 0:0 x/${toRaw("é".normalize("NFD"))} d`],
  },
]);

const main = fileURLToPath(new URL("../../src/main.ts", import.meta.url));

/** Builds `COPY source /` as a user who may not read everything. */
async function buildAsNobody(directory: string, source: string): Promise<{ readonly code: number; readonly err: string }> {
  writeFileSync(join(directory, "Dockerfile"), `FROM scratch\nCOPY ${source} /\n`);
  const drop = process.geteuid?.() === 0 ? ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs"] : [];
  const [program = "", ...args] = [
    ...drop,
    process.execPath,
    main,
    "--context",
    directory,
    "--no-push",
    "--state-dir",
    join(directory, "state"),
  ];
  return promisify(execFile)(program, args, { env: { PATH: process.env.PATH, HOME: directory }, cwd: directory }).then(
    ({ stderr }) => ({ code: 0, err: stderr }),
    ({ code, stderr }) => ({ code, err: stderr }),
  );
}

// The walk comes by "ignored" before "secret", and may not read it either.
test("7.53 what cannot be read stops a build that copies it, by name, and no other; ignored directories are not looked into", async (t) => {
  const directory = await temporaryDirectory(t);
  for (const name of ["open", "state", "ignored", "ignored/deep"]) mkdirSync(join(directory, name));
  for (const name of ["open/f", "secret", "ignored/f"]) writeFileSync(join(directory, name), "x");
  writeFileSync(join(directory, ".dockerignore"), "ignored\nstate\n");
  if (process.geteuid?.() === 0) for (const name of [".", "state"]) chownSync(join(directory, name), 65534, 65534);
  for (const name of ["secret", "ignored"]) chmodSync(join(directory, name), 0);
  const named = await buildAsNobody(directory, "open");
  const all = await buildAsNobody(directory, ".");
  chmodSync(join(directory, "ignored"), 0o700);
  assert.equal(named.code, 0, named.err);
  assert.equal(all.code, 1, all.err);
  assert.match(all.err, /secret": permission denied/i);
});
