// Layers that try to write outside of the directory they are unpacked into.

import assert from "node:assert/strict";
import { lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { emptyTree, openLayerFiles, unpackLayer } from "../../src/filesystem/filesystem.ts";
import { FrameWriter, type Helper } from "../../src/helper/helper.ts";
import type { Entry } from "../../src/layer/entry.ts";
import { rootHelper, temporary } from "./disk.ts";
import { entry } from "./entries.ts";
import { makeLayer, type RawEntry } from "./tar.ts";

/** What must not change: a directory beside the root with a file and a directory in it. `CANARY` in a row stands for its path. */
function plantCanary(base: string): { readonly path: string; look(): unknown } {
  const path = join(base, "canary");
  mkdirSync(join(path, "inner"), { recursive: true });
  writeFileSync(join(path, "file"), "untouched", { mode: 0o640 });
  const look = () =>
    [path, join(path, "file"), join(path, "inner")].map((file) => {
      const { mode, uid, gid, mtimeMs, ctimeMs, nlink } = lstatSync(file);
      return [file, mode, uid, gid, mtimeMs, ctimeMs, nlink, file.endsWith("file") ? readFileSync(file, "utf8") : readdirSync(file)];
    });
  return { path, look };
}

const file = (path: string, more: Partial<Entry> = {}): RawEntry => ({
  entry: entry(path, "file", { size: 4, ...more }),
  content: Buffer.from("evil"),
});
const link = (path: string, to: string): RawEntry => ({ entry: entry(path, "symlink", { link: to }) });
const hard = (path: string, to: string): RawEntry => ({ entry: entry(path, "hardlink", { link: to }) });
const dir = (path: string, more: Partial<Entry> = {}): RawEntry => ({ entry: entry(path, "directory", more) });
const deep = (depth: number) => Array.from({ length: depth }, () => "d").join("/");

/** Layers, the lowest first, and what is left in the root: its names, sorted, or undefined where the layer must be refused. */
const rows: readonly { name: string; layers: readonly (readonly RawEntry[])[]; left?: readonly string[] }[] = [
  { name: "dots at the start of a name", layers: [[file("../canary/file")]], left: ["canary"] },
  { name: "many dots in a name", layers: [[file("a/../../../../canary/file")]], left: ["canary"] },
  { name: "an absolute name", layers: [[file("CANARY/file")]], left: ["tmp"] },
  { name: "two slashes at the start", layers: [[file("/CANARY/file")]], left: ["tmp"] },
  { name: "a symlink to outside as a parent", layers: [[link("l", "CANARY"), file("l/file")]], left: ["l", "tmp"] },
  { name: "a relative symlink to outside as a parent", layers: [[link("l", "../canary"), file("l/file")]], left: ["canary", "l"] },
  { name: "a symlink from a lower layer as a parent", layers: [[link("l", "CANARY")], [file("l/file")]], left: ["l", "tmp"] },
  {
    name: "symlinks that lead to symlinks to outside",
    layers: [[link("a", "b"), link("b", "c/.."), link("c", "/../../CANARY"), file("a/file")]],
    left: ["a", "b", "c", "tmp"],
  },
  {
    name: "a symlink replaced by a directory and back",
    layers: [[dir("x"), link("x", "CANARY"), dir("x"), link("x", "CANARY"), file("x/file")]],
    left: ["tmp", "x"],
  },
  { name: "a file over a symlink to outside", layers: [[link("l", "CANARY/file"), file("l")]], left: ["l"] },
  { name: "a file of an upper layer over a symlink", layers: [[link("l", "CANARY/file")], [file("l")]], left: ["l"] },
  {
    name: "a directory over a symlink to outside, with other attributes",
    layers: [[link("l", "CANARY/inner"), dir("l", { mode: 0o777, uid: 7 })]],
    left: ["l"],
  },
  { name: "a whiteout below a symlink to outside", layers: [[link("l", "CANARY")], [file("l/.wh.file")]], left: ["l"] },
  { name: "a whiteout with dots", layers: [[file("../canary/.wh.file")]], left: [] },
  { name: "a whiteout of dots", layers: [[dir("a")], [file("a/.wh...")]] },
  { name: "a whiteout of nothing but its prefix", layers: [[dir("a")], [file("a/.wh.")]] },
  { name: "an opaque marker below a symlink to outside", layers: [[link("l", "CANARY")], [file("l/.wh..wh..opq")]], left: ["l"] },
  { name: "a whiteout of a symlink to outside", layers: [[link("l", "CANARY")], [file(".wh.l")]], left: [] },
  { name: "a hard link to outside by dots", layers: [[hard("h", "../canary/file")]] },
  { name: "a hard link to outside by an absolute name", layers: [[hard("h", "CANARY/file")]] },
  { name: "a hard link through a symlink to outside", layers: [[link("l", "CANARY"), hard("h", "l/file")]] },
  {
    name: "a hard link to a symlink to outside, written over",
    layers: [[link("l", "CANARY/file"), hard("h", "l"), file("h")]],
    left: ["h", "l"],
  },
  { name: "a hard link over a directory", layers: [[file("f"), dir("d"), file("d/x"), hard("d", "f")]], left: ["d", "f"] },
  { name: "a hard link over the directory of its target", layers: [[dir("d"), file("d/f"), hard("d", "d/f")]] },
  { name: "a hard link to a directory", layers: [[dir("d"), hard("h", "d")]] },
  { name: "a hard link to itself", layers: [[hard("h", "h")]] },
  {
    name: "a device, then content of the same name",
    layers: [[{ entry: entry("n", "block", { devMajor: 254, devMinor: 0 }) }, file("n")]],
    left: ["n"],
  },
  { name: "content below a device", layers: [[{ entry: entry("n", "char", { devMajor: 1, devMinor: 1 }) }, file("n/x")]] },
  { name: "a named pipe, then content of the same name", layers: [[{ entry: entry("p", "fifo") }, file("p")]], left: ["p"] },
  { name: "a file as a parent", layers: [[file("f"), file("f/x")]] },
  { name: "symlinks in a circle as a parent", layers: [[link("a", "b"), link("b", "a"), file("a/x")]] },
  { name: "the root as a file", layers: [[file(".")]] },
  { name: "the root as a symlink", layers: [[link("./", "CANARY")]] },
  { name: "directories 300 deep", layers: [[file(`${deep(300)}/f`)], [file(`.wh.d`)]], left: [] },
  {
    name: "overlayfs's own attributes",
    layers: [
      [
        dir("d", {
          xattrs: new Map([
            ["trusted.overlay.redirect", "/"],
            ["trusted.overlay.opaque", "y"],
          ]),
        }),
      ],
    ],
    left: ["d"],
  },
];

async function unpackAll(
  layers: readonly (readonly RawEntry[])[],
  form: "flat" | "overlay",
  base: string,
  helper: Helper,
): Promise<string> {
  const made = layers.map(makeLayer);
  let tree = emptyTree;
  let root = join(base, "root");
  mkdirSync(root);
  for (const [i, layer] of made.entries()) {
    if (form === "overlay") {
      root = join(base, `root${i}`);
      mkdirSync(root);
    }
    const lower = { tree, layers: made.slice(0, i), files: openLayerFiles(join(base, "spool")) };
    tree = await unpackLayer(layer, { root, form, lower }, { helper });
  }
  return root;
}

for (const form of ["flat", "overlay"] as const)
  for (const { name, layers, left } of rows)
    test(`${name}: nothing outside is touched (${form})`, async (t) => {
      const helper = await rootHelper(t);
      if (helper === undefined) return;
      const base = await temporary(t);
      const canary = plantCanary(base);
      const told = layers.map((entries) =>
        entries.map(({ entry, content }) => ({
          entry: { ...entry, path: entry.path.replace("CANARY", canary.path), link: entry.link.replace("CANARY", canary.path) },
          content,
        })),
      );
      const before = canary.look();
      const unpacked = unpackAll(told, form, base, helper);
      if (left === undefined) await assert.rejects(unpacked, /Cannot|Malformed/);
      else {
        const root = await unpacked;
        if (form === "flat") assert.deepEqual(readdirSync(root).sort(), left);
      }
      assert.deepEqual(canary.look(), before);
      assert.deepEqual(
        readdirSync(base).filter((name) => !/^(root\d?|spool)$/.test(name)),
        ["canary"],
      );
    });

/** What the helper itself refuses, whatever the builder that drives it may have been talked into. */
const messages: readonly { name: string; send(frames: FrameWriter, canary: string): void; error: RegExp }[] = [
  { name: "dots", send: (f) => f.begin("D").text("../x").end(), error: /leads out/ },
  { name: "dots at the end", send: (f) => f.begin("D").text("a/..").end(), error: /cannot enter|leads out/ },
  { name: "an absolute path", send: (f, canary) => f.begin("D").text(`${canary}/x`).end(), error: /leads out/ },
  { name: "an empty part", send: (f) => f.begin("R").text("a//b").end(), error: /leads out|cannot enter/ },
  { name: "the root itself", send: (f) => f.begin("R").text("").end(), error: /root is there already/ },
  { name: "a NUL", send: (f) => f.begin("R").text("a\0b").end(), error: /holds a NUL/ },
  { name: "removal through a symlink", send: (f) => f.begin("R").text("out/file").end(), error: /cannot enter "out"/ },
  { name: "a file through a symlink", send: (f) => f.begin("D").text("out/dir").end(), error: /cannot enter "out"/ },
  { name: "a link to outside", send: (f) => f.begin("H").text("h").text("out/file").end(), error: /cannot enter "out"/ },
  {
    name: "attributes of what a symlink leads to",
    send: (f) => f.begin("A").text("out").u32(0o777).u32(7).u32(7).u64(0).u32(0).u32(0).u8(0).end(),
    error: /Cannot open "out"/,
  },
  {
    name: "content without a file",
    send: (f) =>
      f
        .begin("C")
        .bytes([Buffer.from("x")])
        .end(),
    error: /out of order/,
  },
  { name: "a message that ends early", send: (f) => f.begin("D").u32(99).end(), error: /too short/ },
  { name: "an unknown message", send: (f) => f.begin("?").end(), error: /unknown/ },
  { name: "no end", send: () => {}, error: /the builder went away/ },
];

for (const { name, send, error } of messages)
  test(`the helper refuses ${name}`, async (t: TestContext) => {
    const helper = await rootHelper(t);
    if (helper === undefined) return;
    const base = await temporary(t);
    const canary = plantCanary(base);
    const root = join(base, "root");
    mkdirSync(root);
    symlinkSync(canary.path, join(root, "out"));
    const before = canary.look();
    const process = helper.start(["apply", root]);
    const frames = new FrameWriter(process.stdin);
    send(frames, canary.path);
    await frames.flush();
    process.stdin.end();
    const { code, stderr } = await process.exited;
    assert.equal(code, 1);
    assert.match(stderr, error);
    assert.deepEqual(canary.look(), before);
    assert.equal(readlinkSync(join(root, "out")), canary.path);
  });
