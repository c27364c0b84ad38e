// What COPY, ADD and WORKDIR put into a layer, as BuildKit's file operations do it.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { joinDestination } from "../../src/build/evaluate-copy.ts";
import type { CopyStep } from "../../src/build/plan.ts";
import { copyFiles, makeWorkdir, type StepSource, type StepTools } from "../../src/build/step-copy.ts";
import { linesOfItems, treeOfLines } from "../support/trees.ts";

const files = `
d 755 0:0 dir
f 600 5:6 dir/a A
d 700 7:8 dir/sub
f 4755 0:0 dir/sub/setuid S
l dir/dangling /nowhere/../x
l dir/out ../../../../etc/passwd
f 644 5:6 file F
f 644 0:0 file2 F2
l link-to-file file
l link-to-dir dir
l chain link-to-dir
d 755 0:0 wild
d 755 0:0 wild/one
f 644 0:0 wild/one/x X
f 644 0:0 wild/two T
f 644 0:0 wild/.dot D
d 755 0:0 [odd]
f 644 0:0 [odd]/b B
f 644 0:0 hard1 H
h hard2 hard1
`;

const image = `
d 755 0:0 etc
f 644 0:0 etc/passwd root:x:0:0:root:/root:/bin/sh|www:x:33:44:www:/var/www:/bin/sh
f 644 0:0 etc/group root:x:0:|staff:x:50:
d 1777 0:0 tmp
d 750 500:600 existing
d 711 1:1 existing/sub
f 644 0:0 existing/a old
d 755 0:0 real
l lnk /real
l file-link real/target
l dangling /real/made
f 644 0:0 plain P
l existing-link-dir existing
`;

interface Row {
  readonly what: string;
  readonly sources: readonly string[];
  readonly to: string;
  readonly gives: readonly string[];
  readonly keepsOwners?: boolean;
  readonly chown?: string;
  readonly chmod?: CopyStep["chmod"];
  readonly parents?: boolean;
  readonly exclude?: readonly string[];
  readonly warns?: RegExp;
}

const rows: readonly Row[] = [
  { what: "a file to a new name", sources: ["file"], to: "/new", gives: ["f 644 0:0 new file"] },
  {
    what: "a file into a directory that a slash names",
    sources: ["file"],
    to: "/a/b/",
    gives: ["d 755 0:0 a", "d 755 0:0 a/b", "f 644 0:0 a/b/file file"],
  },
  {
    what: "a file to a name below directories that do not exist",
    sources: ["file"],
    to: "/a/b",
    gives: ["d 755 0:0 a", "f 644 0:0 a/b file"],
  },
  { what: "a file into a directory that exists", sources: ["file"], to: "/tmp", gives: ["d 1777 0:0 tmp", "f 644 0:0 tmp/file file"] },
  {
    what: "a directory's contents, not the directory",
    sources: ["dir"],
    to: "/x",
    gives: [
      "d 755 0:0 x",
      "f 600 0:0 x/a dir/a",
      "l x/dangling /nowhere/../x",
      "l x/out ../../../../etc/passwd",
      "d 700 0:0 x/sub",
      "f 4755 0:0 x/sub/setuid dir/sub/setuid",
    ],
  },
  {
    what: "the same with a slash on both",
    sources: ["dir/"],
    to: "/x/",
    gives: [
      "d 755 0:0 x",
      "f 600 0:0 x/a dir/a",
      "l x/dangling /nowhere/../x",
      "l x/out ../../../../etc/passwd",
      "d 700 0:0 x/sub",
      "f 4755 0:0 x/sub/setuid dir/sub/setuid",
    ],
  },
  {
    what: "an existing directory's mode and owner stay, nested ones take the source's",
    sources: ["dir/./sub/.."],
    to: "/existing",
    gives: [
      "d 750 500:600 existing",
      "f 600 0:0 existing/a dir/a",
      "l existing/dangling /nowhere/../x",
      "l existing/out ../../../../etc/passwd",
      "d 700 0:0 existing/sub",
      "f 4755 0:0 existing/sub/setuid dir/sub/setuid",
    ],
  },
  {
    what: "directories that a wildcard matches are flattened",
    sources: ["wild/*"],
    to: "/w/",
    gives: ["d 755 0:0 w", "f 644 0:0 w/.dot wild/.dot", "f 644 0:0 w/two wild/two", "f 644 0:0 w/x wild/one/x"],
  },
  {
    what: "a wildcard that matches nothing copies nothing",
    sources: ["nope*"],
    to: "/w/",
    gives: [],
    warns: /^WildcardSelectsNothing: "nope\*" matches nothing/,
  },
  { what: "a bracket in a bracket is a literal one", sources: ["[[]odd]/b"], to: "/", gives: ["f 644 0:0 b [odd]/b"] },
  {
    what: "a link named as the source is followed, its own name kept",
    sources: ["link-to-file"],
    to: "/tmp/",
    gives: ["d 1777 0:0 tmp", "f 644 0:0 tmp/link-to-file file"],
  },
  {
    what: "a chain of links to a directory",
    sources: ["chain/sub"],
    to: "/x",
    gives: ["d 755 0:0 x", "f 4755 0:0 x/setuid dir/sub/setuid"],
  },
  { what: "a source that climbs out stops at the root", sources: ["../../file"], to: "/x", gives: ["f 644 0:0 x file"] },
  {
    what: "a destination link to a directory is followed",
    sources: ["file"],
    to: "/lnk",
    gives: ["d 755 0:0 real", "f 644 0:0 real/file file"],
  },
  { what: "a destination link with a slash", sources: ["file"], to: "/lnk/", gives: ["d 755 0:0 real", "f 644 0:0 real/file file"] },
  {
    what: "a destination link to a file that is not there",
    sources: ["file"],
    to: "/dangling",
    gives: ["d 755 0:0 real", "f 644 0:0 real/made file"],
  },
  {
    what: "a link in the way of a copied file is replaced, not followed",
    sources: ["link-to-dir"],
    to: "/existing-link-dir",
    gives: [
      "d 750 500:600 existing",
      "f 600 0:0 existing/a dir/a",
      "l existing/dangling /nowhere/../x",
      "l existing/out ../../../../etc/passwd",
      "d 700 0:0 existing/sub",
      "f 4755 0:0 existing/sub/setuid dir/sub/setuid",
    ],
  },
  { what: "owners of another stage are kept", sources: ["file"], to: "/x", keepsOwners: true, gives: ["f 644 5:6 x file"] },
  { what: "hard links of one copy stay hard links", sources: ["/"], to: "/all/", gives: ["h all/hard2 all/hard1"] },
  {
    what: "--chown by name takes the group of the account, for made directories too",
    sources: ["file"],
    to: "/n/x",
    chown: "www",
    gives: ["d 755 33:44 n", "f 644 33:44 n/x file"],
  },
  { what: "--chown by number alone", sources: ["file"], to: "/x", chown: "1000", gives: ["f 644 1000:1000 x file"] },
  { what: "--chown with a group's name", sources: ["file"], to: "/x", chown: "7:staff", gives: ["f 644 7:50 x file"] },
  {
    what: "--chown does not reach an existing destination",
    sources: ["dir/sub"],
    to: "/existing/",
    chown: "9:9",
    gives: ["d 750 500:600 existing", "f 4755 9:9 existing/setuid dir/sub/setuid"],
  },
  {
    what: "an unknown name is 0 with a warning, as in BuildKit",
    sources: ["file"],
    to: "/x",
    chown: "nobody:staff",
    gives: ["f 644 0:50 x file"],
    warns: /^UnknownOwner: --chown: "nobody" is not in the image's accounts/,
  },
  {
    what: "--chmod reaches files, directories, and directories that are made, but no links",
    sources: ["dir"],
    to: "/x",
    chmod: { octal: 0o640 },
    gives: [
      "d 640 0:0 x",
      "f 640 0:0 x/a dir/a",
      "l x/dangling /nowhere/../x",
      "l x/out ../../../../etc/passwd",
      "d 640 0:0 x/sub",
      "f 640 0:0 x/sub/setuid dir/sub/setuid",
    ],
  },
  { what: "the last of several sources wins", sources: ["file", "file2"], to: "/x", gives: ["f 644 0:0 x file2"] },
  {
    what: "--exclude hides what it matches at the top of a copied directory",
    sources: ["dir"],
    to: "/x",
    exclude: ["a", "d*", "setuid"],
    gives: ["d 755 0:0 x", "l x/out ../../../../etc/passwd", "d 700 0:0 x/sub", "f 4755 0:0 x/sub/setuid dir/sub/setuid"],
  },
  {
    what: "--exclude with ** reaches deeper, and a directory goes with all it holds",
    sources: ["/"],
    to: "/x",
    exclude: ["**/setuid", "wild/one", "*odd*", "[[]odd]", "h*", "file*", "link*", "chain"],
    gives: [
      "d 755 0:0 x",
      "d 755 0:0 x/dir",
      "f 600 0:0 x/dir/a dir/a",
      "l x/dir/dangling /nowhere/../x",
      "l x/dir/out ../../../../etc/passwd",
      "d 700 0:0 x/dir/sub",
      "d 755 0:0 x/wild",
      "f 644 0:0 x/wild/.dot wild/.dot",
      "f 644 0:0 x/wild/two wild/two",
    ],
  },
  {
    what: "an exception finds its way into an excluded directory, whose mode the way keeps",
    sources: ["/"],
    to: "/x/",
    exclude: ["*", "!dir/sub"],
    gives: ["d 755 0:0 x", "d 755 0:0 x/dir", "d 700 0:0 x/dir/sub", "f 4755 0:0 x/dir/sub/setuid dir/sub/setuid"],
  },
  {
    what: "--exclude does not hide a file that a source names or matches, and says so once",
    sources: ["wild/*"],
    to: "/w/",
    exclude: ["two", ".dot", "x"],
    gives: ["d 755 0:0 w", "f 644 0:0 w/.dot wild/.dot", "f 644 0:0 w/two wild/two"],
    warns: /^NamedFileNotExcluded: --exclude does not keep "wild\/\.dot" and 1 more out/,
  },
  {
    what: "--exclude is relative to each directory that a wildcard matches",
    sources: ["d*", "w*"],
    to: "/w/",
    exclude: ["a", "out", "dangling", "sub", "one/x", "two"],
    gives: ["d 755 0:0 w", "f 644 0:0 w/.dot wild/.dot", "d 755 0:0 w/one"],
  },
  {
    what: "--parents keeps a file's path and its directories' modes",
    sources: ["dir/sub/setuid"],
    to: "/p/",
    parents: true,
    gives: ["d 755 0:0 p", "d 755 0:0 p/dir", "d 700 0:0 p/dir/sub", "f 4755 0:0 p/dir/sub/setuid dir/sub/setuid"],
  },
  {
    what: "--parents keeps a directory's path",
    sources: ["./wild/one/"],
    to: "/p",
    parents: true,
    gives: ["d 755 0:0 p", "d 755 0:0 p/wild", "d 755 0:0 p/wild/one", "f 644 0:0 p/wild/one/x wild/one/x"],
  },
  {
    what: "--parents with a pivot keeps what follows it",
    sources: ["dir/./sub/./setuid"],
    to: "/p/",
    parents: true,
    gives: ["d 755 0:0 p", "d 700 0:0 p/sub", "f 4755 0:0 p/sub/setuid dir/sub/setuid"],
  },
  {
    what: "--parents with wildcards on either side of the pivot, and a pivot that is a link",
    sources: ["w*/./*/x", "chain/./s*"],
    to: "/p/",
    parents: true,
    gives: ["d 755 0:0 p", "d 755 0:0 p/one", "f 644 0:0 p/one/x wild/one/x", "d 700 0:0 p/sub", "f 4755 0:0 p/sub/setuid dir/sub/setuid"],
  },
  {
    what: "--parents with ** at any depth, directories without a match left out",
    sources: ["**/x"],
    to: "/p/",
    parents: true,
    gives: ["d 755 0:0 p", "d 755 0:0 p/wild", "d 755 0:0 p/wild/one", "f 644 0:0 p/wild/one/x wild/one/x"],
  },
  {
    what: "--parents with a wildcard that matches nothing",
    sources: ["dir/./nope*", "no*"],
    to: "/p/",
    parents: true,
    gives: ["d 755 0:0 p"],
  },
  {
    what: "--parents with --exclude and --chown",
    sources: ["wild"],
    to: "/p/",
    parents: true,
    exclude: ["wild/one", "**/.dot"],
    chown: "5:6",
    gives: ["d 755 5:6 p", "d 755 5:6 p/wild", "f 644 5:6 p/wild/two wild/two"],
  },
  {
    what: "--parents gives a directory that is there the source's mode, but not its owner",
    sources: ["dir/./sub/setuid"],
    to: "/existing/",
    parents: true,
    chown: "9:9",
    gives: ["d 750 500:600 existing", "d 700 1:1 existing/sub", "f 4755 9:9 existing/sub/setuid dir/sub/setuid"],
  },
  { what: "a copy of what is there already is no change", sources: ["etc/passwd"], to: "/etc/passwd", gives: [] },
];

const failures: readonly (readonly [what: string, sources: readonly string[], to: string, reason: RegExp, more?: Partial<CopyStep>])[] = [
  ["a source that is missing", ["nope"], "/x", /failed to calculate checksum "\/nope": not found/],
  ["a missing source beside a wildcard that matches", ["wild/*", "nope"], "/x/", /"\/nope": not found/],
  ["a directory over a file", ["dir"], "/plain", /plain/],
  ["a file over a directory inside a tree", ["wild/one/../../shadow"], "/", /cannot replace to directory tmp with file/],
  ["a directory over a link inside a tree", ["clash"], "/", /cannot copy to non-directory: lnk/],
  ["a missing literal with --parents", ["dir/nope"], "/p/", /"\/dir\/nope": not found/, { parents: true }],
  ["a missing literal below a pivot", ["dir/./sub/nope"], "/p/", /"\/dir\/sub\/nope": not found/, { parents: true }],
  ["a missing pivot, whatever follows it", ["nope/./*"], "/p/", /"\/nope": not found/, { parents: true }],
  ["a pivot with nothing after it", ["dir/./"], "/p/", /"\/dir": not found/, { parents: true }],
  ["a file as a parent", ["file"], "/plain/x", /"\/plain" is not a directory/],
];

function step(sources: readonly string[], to: string, more: Partial<CopyStep> = {}): CopyStep {
  return {
    kind: "copy",
    source: { line: 1, endLine: 1, text: "COPY" },
    createdBy: "COPY",
    from: { kind: "context" },
    sources: sources.map((path) => ({ kind: "path", path, unpack: false })),
    parents: false,
    link: false,
    exclude: [],
    destination: joinDestination("/", to),
    chown: undefined,
    chmod: undefined,
    ...more,
  };
}

function sourceOf(lines: string, keepsOwners: boolean): StepSource {
  return {
    view: treeOfLines(lines),
    keepsOwners,
    async locate(paths) {
      const known = new Set(paths);
      return (path) => (known.has(path) ? { kind: "bytes", bytes: Buffer.from(path) } : undefined);
    },
  };
}

function toolsWith(warnings: string[]): StepTools {
  return {
    now: 2000,
    warn: (rule, text) => void warnings.push(`${rule}: ${text}`),
    downloads: { download: () => assert.fail("nothing is downloaded here"), checkOut: () => assert.fail("nothing is checked out here") },
    scratch: "/no/archive/is/unpacked/here",
    signal: new AbortController().signal,
  };
}

describe("COPY", () => {
  for (const row of rows)
    test(row.what, async () => {
      const warnings: string[] = [];
      const extra = "d 755 0:0 etc\nf 644 0:0 etc/passwd root:x:0:0:root:/root:/bin/sh|www:x:33:44:www:/var/www:/bin/sh";
      const source = sourceOf(row.what.includes("no change") ? extra : files, row.keepsOwners ?? false);
      const { chown, chmod, parents = false, exclude = [] } = row;
      const copy = step(row.sources, row.to, { chown, chmod, parents, exclude });
      const items = await copyFiles(copy, treeOfLines(image), source, toolsWith(warnings));
      const lines = await linesOfItems(items, ({ content }) => (content?.kind === "bytes" ? Buffer.from(content.bytes).toString() : ""));
      if (row.what.startsWith("hard links")) assert.ok(row.gives.every((line) => lines.includes(line)));
      else assert.deepEqual(lines, row.gives);
      assert.equal(warnings.length, row.warns === undefined ? 0 : 1);
      if (row.warns !== undefined) assert.match(warnings[0] ?? "", row.warns);
    });

  for (const [what, sources, to, reason, flags = {}] of failures)
    test(`refuses ${what}`, async () => {
      const more = "d 755 0:0 shadow\nf 644 0:0 shadow/tmp x\nd 755 0:0 clash\nd 755 0:0 clash/lnk";
      const source = sourceOf(files + more, false);
      await assert.rejects(copyFiles(step(sources, to, flags), treeOfLines(image), source, toolsWith([])), reason);
    });

  test("writes a file that stands in the Dockerfile", async () => {
    const inline = step([], "/etc/", { sources: [{ kind: "inline", name: "conf", text: "a\n" }] });
    const items = await copyFiles(inline, treeOfLines(image), sourceOf(files, false), toolsWith([]));
    assert.deepEqual(await linesOfItems(items), ["d 755 0:0 etc", "f 644 0:0 etc/conf"]);
  });

  test("gives the destination the source directory's time, and files their own in whole seconds", async () => {
    const items = await copyFiles(step(["dir"], "/x"), treeOfLines(image), sourceOf(files, false), toolsWith([]));
    for await (const { entry } of items) assert.deepEqual([entry.mtime, entry.mtimeNs], [1000, 0]);
  });
});

describe("joinDestination", () => {
  const table: readonly (readonly [workdir: string, destination: string, joined: string])[] = [
    ["/w", "b", "w/b"],
    ["/w", ".", "w/"],
    ["/w", "./", "w/"],
    ["/w", "", "w/"],
    ["/w", "..", ""],
    ["/w", "/abs/", "abs/"],
    ["/w", "/abs/.", "abs/"],
    ["/", "/", "/"],
  ];
  for (const [workdir, destination, joined] of table)
    test(`${destination === "" ? "nothing" : destination} below ${workdir}`, () =>
      assert.equal(joinDestination(workdir, destination), joined));
});

describe("WORKDIR", () => {
  const run = async (path: string, user: string) =>
    linesOfItems(
      makeWorkdir(
        { kind: "workdir", source: { line: 1, endLine: 1, text: "" }, createdBy: "", path, user },
        treeOfLines(image),
        toolsWith([]),
      ),
    );
  test("makes what is missing, owned by the user", async () => {
    assert.deepEqual(await run("existing/new/deep", "www"), [
      "d 750 500:600 existing",
      "d 755 33:44 existing/new",
      "d 755 33:44 existing/new/deep",
    ]);
  });
  test("leaves an existing directory alone", async () => assert.deepEqual(await run("existing", "www"), []));
  test("follows links", async () => assert.deepEqual(await run("lnk/x", ""), ["d 755 0:0 real", "d 755 0:0 real/x"]));
  test("refuses a file in the way", async () => assert.rejects(run("plain/x", ""), /"\/plain" is not a directory/));
});
