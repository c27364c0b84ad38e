// The comparer of the conformance cases: that it sees what differs.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { ExpectedImage, Node } from "./case.ts";
import { compareConfigs, compareErrors, compareShape, compareTrees } from "./compare.ts";

const directory: Node = { t: "d", m: "0o755", o: "0:0" };
const file: Node = { t: "f", m: "0o644", o: "0:0", h: "aaaaaaaaaaaaaaaa", s: 3 };
const busybox: Node = { t: "f", m: "0o755", o: "0:0", h: "bbbbbbbbbbbbbbbb", s: 9 };
const base = { "/": directory, "/bin": directory, "/bin/busybox": busybox, "/etc": directory, "/etc/passwd": file };
const expected: ExpectedImage = {
  base: "busybox",
  tree: { "/app": directory, "/app/tool": { ...busybox, h: "busybox" } },
  removed: ["/etc/passwd"],
  unstable: ["/app/time"],
  config: {},
};
const { "/etc/passwd": _, ...kept } = base;
const image = { ...kept, "/app": directory, "/app/tool": busybox };

test("an image that is as expected differs in nothing", () => {
  assert.deepEqual(compareTrees(image, base, expected), []);
});

const treeRows: [name: string, image: Record<string, Node>, lines: RegExp[]][] = [
  ["a path too many", { ...image, "/x": file }, [/^\/x: not expected, is h=a+ m=0o644 o=0:0 s=3 t=f$/]],
  ["a path too few", kept, [/^\/app: missing, should be m=0o755 o=0:0 t=d$/, /^\/app\/tool: missing/]],
  ["a path that should be gone", { ...image, "/etc/passwd": file }, [/^\/etc\/passwd: not expected/]],
  [
    "a path of the base that is gone",
    Object.fromEntries(Object.entries(image).filter(([path]) => path !== "/bin/busybox")),
    [/^\/bin\/busybox: missing/],
  ],
  ["another mode", { ...image, "/app": { ...directory, m: "0o700" } }, [/should be m=0o755/, /is m=0o700/]],
  ["another owner", { ...image, "/app": { ...directory, o: "1:0" } }, [/should be .*o=0:0/, /is .*o=1:0/]],
  ["another content", { ...image, "/app/tool": { ...busybox, h: "cccccccccccccccc" } }, [/should be h=b+/, /is h=c+/]],
  [
    "an xattr",
    { ...image, "/app/tool": { ...busybox, x: { "security.capability": "0123456789ab" } } },
    [/should be/, /x=\{"security\.capability"/],
  ],
  ["paths that nobody compares", { ...image, "/": { ...directory, m: "0o700" }, "/etc/hosts": file, "/app/time": file }, []],
];
for (const [name, actual, lines] of treeRows) {
  test(`compareTrees with ${name}`, () => {
    const found = compareTrees(actual, base, expected);
    assert.equal(found.length, lines.length, found.join("\n"));
    for (const [index, line] of lines.entries()) assert.match(found[index] ?? "", line);
  });
}

const configRows: [name: string, actual: object, expected: object, lines: number][] = [
  ["nothing told", {}, {}, 0],
  ["absent, null and empty", { Cmd: null, Labels: {}, User: "", OnBuild: [] }, {}, 0],
  ["the root as working directory", { WorkingDir: "/" }, {}, 0],
  ["another working directory", { WorkingDir: "/a" }, { WorkingDir: "/" }, 2],
  ["the root as user", { User: "/" }, {}, 2],
  ["keys in another order", { Labels: { b: "2", a: "1" } }, { Labels: { a: "1", b: "2" } }, 0],
  ["variables in another order", { Env: ["A=1", "B=2"] }, { Env: ["B=2", "A=1"] }, 2],
  ["keys that nobody compares", { Hostname: "x", ArgsEscaped: true }, {}, 0],
  ["a value too many", { StopSignal: "9" }, {}, 2],
  ["a value too few", {}, { Cmd: ["sh"] }, 2],
];
for (const [name, actual, wanted, lines] of configRows) {
  test(`compareConfigs with ${name}`, () => assert.equal(compareConfigs({ ...actual }, { ...wanted }).length, lines));
}

const shape = { layers: 1, diffIds: ["sha256:a"], measuredDiffIds: ["sha256:a"], history: [{}, { empty_layer: true }] };
const shapeRows: [name: string, change: object, lines: number][] = [
  ["layers, history and diffIds in step", {}, 0],
  ["history that tells too little", { history: [] }, 1],
  ["history that tells too much", { history: [{}, {}] }, 1],
  ["a diffId too many", { diffIds: ["sha256:a", "sha256:b"] }, 1],
  ["a diffId that is not true", { diffIds: ["sha256:b"] }, 2],
];
for (const [name, change, lines] of shapeRows) {
  test(`compareShape with ${name}`, () => assert.equal(compareShape({ ...shape, ...change }).length, lines));
}

const missing = 'failed to compute cache key: failed to calculate checksum "/file-z.txt": not found';
const errorRows: [theirs: string, ours: string, same: boolean][] = [
  [missing, 'Dockerfile:3: Cannot copy "file-z.txt": no such file in the context', true],
  [missing, 'Dockerfile:3: Cannot copy "file-y.txt": no such file in the context', false],
  [missing, 'Dockerfile:3: Cannot copy "file-z.txt": it is a directory', false],
  ["cannot copy to non-directory: maybe-directory", 'Cannot copy to "maybe-directory": not a directory', true],
  ["cannot replace to directory tree/x with file", 'Cannot put a file at "tree/x": a directory is there', true],
  ["cannot replace to directory tree/x with file", 'Cannot read "tree/x": permission denied', false],
  [
    "failed to process \"'a\\\\'b'\": unexpected end of statement while looking for matching single-quote",
    "the single quote is never closed",
    true,
  ],
  [
    'failed to parse stage name "BUG_stage": invalid reference format: repository name (library/BUG_stage) must be lowercase',
    'Stage name "BUG_stage": must be lowercase',
    true,
  ],
  ["something nobody has seen", "something nobody has seen", false],
];
for (const [theirs, ours, same] of errorRows) {
  test(`compareErrors with "${ours}" for "${theirs}"`, () => assert.equal(compareErrors(theirs, ours).length === 0, same));
}
