// Digests of what steps take: files that give another layer never have the same, and what cannot be seen in a layer never counts.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import fc from "fast-check";
import { findSource } from "../../src/build/mount-source.ts";
import type { CopyStep } from "../../src/build/plan.ts";
import { SourceNotFound } from "../../src/build/select.ts";
import { type DigestedView, digestCopied, digestMounted, settleFiles } from "../../src/build/selection.ts";
import { copyFiles } from "../../src/build/step-copy.ts";
import { openFiles } from "../../src/context/context.ts";
import { emptyTree, type Tree } from "../../src/filesystem/filesystem.ts";
import type { Entry } from "../../src/layer/entry.ts";
import { entry } from "../filesystem/entries.ts";
import { needsRoot } from "../sandbox/root.ts";
import { temporaryDirectory } from "../support/build.ts";
import { treeOfLines } from "../support/trees.ts";

type Line = {
  readonly path: string;
  readonly kind: "file" | "directory" | "symlink" | "hardlink" | "fifo";
  readonly mode: number;
  readonly owner: number;
  readonly mtime: number;
  readonly text: string;
  readonly link: string;
};

const name = fc.constantFrom("a", "b", "ab", "\xff");
const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((parts) => parts.join("/"));
const line: fc.Arbitrary<Line> = fc.record({
  path,
  kind: fc.constantFrom("file", "file", "file", "directory", "directory", "symlink", "hardlink", "fifo"),
  mode: fc.constantFrom(0o755, 0o644, 0o4711),
  owner: fc.constantFrom(0, 7),
  mtime: fc.nat(2),
  text: fc.constantFrom("", "x", "y"),
  link: fc.oneof(
    path,
    path.map((to) => `/${to}`),
    path.map((to) => `../${to}`),
  ),
});

function entryOf({ path, kind, mode, owner, mtime, text, link }: Line): Entry {
  const isLink = kind === "symlink" || kind === "hardlink";
  const more = { mode: kind === "symlink" ? 0o777 : mode, uid: owner, gid: owner, mtime, ...(isLink ? { link } : {}) };
  if (kind !== "file") return entry(path, kind, more);
  return entry(path, kind, {
    ...more,
    size: text.length,
    ...(text === "" ? {} : { sha256: createHash("sha256").update(text).digest("hex") }),
  });
}

/** Lines that no tree can take, a hard link to nothing or a file as a parent, are left out. */
function treeOf(lines: readonly Line[]): Tree {
  const entries: Entry[] = [];
  let tree = emptyTree;
  for (const one of lines) {
    try {
      tree = emptyTree.with({ entries: [...entries, entryOf(one)] });
      entries.push(entryOf(one));
    } catch {}
  }
  return tree;
}

/** Lines, and the same with a small difference. */
const pairs: fc.Arbitrary<readonly [readonly Line[], readonly Line[]]> = fc
  .tuple(
    fc.array(line, { maxLength: 8 }),
    fc.nat(),
    line,
    fc.constantFrom("path", "kind", "mode", "owner", "mtime", "text", "link", "gone", "new", "rename", "all"),
    name,
    name,
  )
  .map(([lines, number, other, what, from, to]) => {
    const at = lines.length === 0 ? 0 : number % lines.length;
    if (what === "all") return [lines, lines];
    if (what === "gone") return [lines, lines.filter((_, i) => i !== at)];
    if (what === "new") return [lines, [...lines, other]];
    if (what === "rename")
      return [
        lines,
        lines.map((one) => ({
          ...one,
          path: one.path
            .split("/")
            .map((part) => (part === from ? to : part))
            .join("/"),
        })),
      ];
    return [lines, lines.map((one, i) => (i === at ? { ...one, [what]: other[what] } : one))];
  });

const source = fc.oneof(path, fc.constantFrom("", "*", "*/*", "a*", "*/b", "[ab]", "[ab]/*", "a/./b", "*/./a", "./a/b"));
const steps = fc.record({
  sources: fc.array(source, { minLength: 1, maxLength: 2 }),
  parents: fc.boolean(),
  exclude: fc.oneof(fc.constant([]), fc.constantFrom(["a"], ["**/b"], ["*", "!a/b"])),
  chmod: fc.constantFrom(undefined, undefined, { octal: 0o700 }),
  destination: fc.constantFrom("x", "x/", "x/y", ""),
});

function stepOf({ sources, ...more }: typeof steps extends fc.Arbitrary<infer T> ? T : never): CopyStep {
  const operands = sources.map((path) => ({ kind: "path", path, unpack: false }) as const);
  const place = { line: 1, endLine: 1, text: "" };
  return {
    kind: "copy",
    source: place,
    from: { kind: "context" },
    sources: operands,
    link: true,
    chown: undefined,
    createdBy: "",
    ...more,
  };
}

function viewOf(tree: Tree, keepsOwners: boolean): DigestedView {
  return { view: tree, keepsOwners, digest: async (path) => tree.lstat(path)?.sha256 };
}

/** `fails` for what is not there, or cannot be copied there. */
async function orFails<T>(work: Promise<T>): Promise<T | "fails"> {
  return work.catch((error: unknown) => {
    if (error instanceof SourceNotFound || (error instanceof Error && /ELOOP|cannot|Cannot create/.test(error.message))) return "fails";
    throw error;
  });
}

/** The layer as text, without times. */
async function layerOf(step: CopyStep, tree: Tree, keepsOwners: boolean): Promise<string> {
  const tools = {
    now: 0,
    warn() {},
    scratch: "",
    signal: new AbortController().signal,
    downloads: { download: () => assert.fail(), checkOut: () => assert.fail() },
  };
  const locate = async () => (from: string) => ({ kind: "bytes", bytes: Buffer.from(tree.lstat(from)?.sha256 ?? "") }) as const;
  const lines: string[] = [];
  for await (const { entry: one, content } of await copyFiles(step, emptyTree, { view: tree, keepsOwners, locate }, tools)) {
    const { type, mode, uid, gid, path: at, link } = one;
    lines.push(JSON.stringify([type, mode, uid, gid, at, link, content?.kind === "bytes" ? Buffer.from(content.bytes).toString() : ""]));
  }
  return lines.join("\n");
}

describe("of two trees, one digest", () => {
  for (const keepsOwners of [true, false])
    test(`means one layer, ${keepsOwners ? "of a stage" : "of a context"}`, async () => {
      let equal = 0;
      await fc.assert(
        fc.asyncProperty(pairs, steps, async ([first, second], given) => {
          const step = stepOf(given);
          const [a, b] = [treeOf(first), treeOf(second)];
          const [digestA, digestB] = [
            await orFails(digestCopied(step, viewOf(a, keepsOwners))),
            await orFails(digestCopied(step, viewOf(b, keepsOwners))),
          ];
          if (digestA === "fails" || digestA !== digestB) return;
          equal += 1;
          assert.equal(await orFails(layerOf(step, a, keepsOwners)), await orFails(layerOf(step, b, keepsOwners)));
        }),
        { numRuns: 1000 },
      );
      assert.ok(equal > 100, `${equal} pairs were alike`);
    });

  test("does not forget the mode of a directory that a second source meets, which --chmod leaves as it is", async () => {
    const step = stepOf({ sources: ["a", "*/*"], parents: true, exclude: [], chmod: { octal: 0o700 }, destination: "x" });
    const [first, second] = ["755", "700"].map((mode) => treeOfLines(`d 755 0:0 a\nd ${mode} 0:0 a/b`));
    assert.ok(first !== undefined && second !== undefined);
    assert.notEqual(await layerOf(step, first, false), await layerOf(step, second, false));
    assert.notEqual(await digestCopied(step, viewOf(first, false)), await digestCopied(step, viewOf(second, false)));
  });

  test("is not that of a file and of a directory that holds it", async () => {
    const step = stepOf({ sources: ["*"], parents: false, exclude: [], chmod: undefined, destination: "x" });
    const [file, held] = ["f 644 0:0 ab A", "d 755 0:0 a\nf 644 0:0 a/ab A"].map(treeOfLines);
    assert.ok(file !== undefined && held !== undefined);
    assert.notEqual(await digestCopied(step, viewOf(file, true)), await digestCopied(step, viewOf(held, true)));
  });

  test("means that a mount shows the same", async () => {
    const seen = new Map<string, string>();
    await fc.assert(
      fc.asyncProperty(pairs, path, async ([first, second], at) => {
        for (const tree of [treeOf(first), treeOf(second)]) {
          const digest = await orFails(digestMounted(at, viewOf(tree, true)));
          if (digest === "fails" || digest === undefined) continue;
          // Of a mounted directory a copy shows all but its own attributes and its name.
          const { path: from, node } = findSource(tree, at);
          const own = node.attributes.type === "directory" ? `${node.attributes.mode} ${node.attributes.uid}` : "";
          const step = stepOf({ sources: [from], parents: false, exclude: [], chmod: undefined, destination: "x" });
          const shown = `${own}\n${await orFails(layerOf(step, tree, true))}`;
          assert.equal(seen.get(digest) ?? shown, shown);
          seen.set(digest, shown);
        }
      }),
      { numRuns: 500 },
    );
  });
});

test("of the same files times never count, and of a context owners neither", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(line, { maxLength: 8 }), steps, fc.nat(2), async (lines, given, mtime) => {
      const step = stepOf(given);
      const later = lines.map((one) => ({ ...one, mtime }));
      const owned = later.map((one) => ({ ...one, owner: 7 }));
      const digest = (of: readonly Line[], keepsOwners: boolean) => orFails(digestCopied(step, viewOf(treeOf(of), keepsOwners)));
      assert.equal(await digest(lines, true), await digest(later, true));
      assert.equal(await digest(lines, false), await digest(owned, false));
    }),
    { numRuns: 500 },
  );
});

const changes: readonly (readonly [what: string, command: string, isMiss: boolean])[] = [
  ["nothing", ":", false],
  ["times", "find . -exec touch -h -d @1 {} +", false],
  ["owners", "chown -hR 1000:1000 .", false],
  ["an ignored file", "echo 2 >node_modules/new; rm node_modules/old", false],
  ["a file that is written anew", "cp a b && mv b a", false],
  ["the order in which files were made", "mv dir d2 && mkdir dir && mv d2/link d2/b dir/ && ln dir/b dir/c && rm -r d2", false],
  ["a file", "echo 2 >a", true],
  ["a file of the same size and time", "touch -r a t; printf 'B\\n' >a; touch -r t a; rm t", true],
  ["a mode", "chmod 600 a", true],
  ["a directory's mode", "chmod 700 dir", true],
  ["a name", "mv a z", true],
  ["a directory's name", "mv dir z", true],
  ["a new file", ": >z", true],
  ["a new empty directory", "mkdir z", true],
  ["where a link leads", "ln -sfn a dir/link", true],
  ["a link that is a file now", "rm dir/link; cp a dir/link", true],
  ["a hard link that is a copy now", "cp -p dir/c t; rm dir/c; mv t dir/c", true],
  ["a copy that is a hard link now", "ln -f a copy", true],
  ["that a file is ignored", "echo a >>.dockerignore", true],
  ["that an ignored file is not", "echo '!node_modules/old' >>.dockerignore", true],
];

for (const [what, command, isMiss] of changes)
  test(`in a directory ${what} ${isMiss ? "makes" : "makes no"} difference`, async (t) => {
    if (what === "owners" && !needsRoot(t)) return;
    const directory = await temporaryDirectory(t);
    mkdirSync(join(directory, "dir"));
    mkdirSync(join(directory, "node_modules"));
    for (const file of ["a", "copy", "dir/b", "node_modules/old"]) writeFileSync(join(directory, file), "A\n");
    execFileSync("sh", ["-c", "ln -s b dir/link; ln dir/b dir/c; printf '.dockerignore\\nnode_modules\\n' >.dockerignore"], {
      cwd: directory,
    });
    const step = stepOf({ sources: [""], parents: false, exclude: [], chmod: undefined, destination: "x" });
    const look = async () => {
      const report = { emit() {}, mask() {} };
      const files = settleFiles(
        await openFiles({ kind: "directory", path: directory }, "", { stateDir: "/nonexistent", unpacks: false }, { report } as never),
      );
      const view: DigestedView = { view: files, keepsOwners: false, digest: (path) => files.digest(path) };
      return [await digestCopied(step, view), await digestMounted("", view)];
    };
    const before = await look();
    execFileSync("sh", ["-ec", command], { cwd: directory });
    const after = await look();
    for (const [i, digest] of before.entries()) assert.equal(digest !== after[i], isMiss);
  });
