// Random stacks of layers that can be unpacked.

import fc from "fast-check";
import { emptyTree } from "../../src/filesystem/filesystem.ts";
import type { Entry, EntryType } from "../../src/layer/entry.ts";
import { entry } from "./entries.ts";
import type { RawEntry } from "./tar.ts";

const name = fc.constantFrom("a", "b", "c", "d", "\xff");
const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((parts) => parts.join("/"));
const target = fc.oneof(
  path,
  path.map((to) => `/${to}`),
  path.map((to) => `../${to}`),
  fc.constantFrom("..", "/", ".", "../../../a", "no/where"),
);
const attributes = fc.record({
  mode: fc.constantFrom(0o755, 0o644, 0o4711, 0o2750, 0o1777, 0o400, 0),
  uid: fc.constantFrom(0, 7, 100000),
  gid: fc.constantFrom(0, 8),
  mtime: fc.integer({ min: -10, max: 2_000_000_000 }),
  mtimeNs: fc.constantFrom(0, 0, 1, 123456789),
});
const capability = Buffer.from("0100000200040000000000000000000000000000", "hex").toString("latin1");

function weighted(type: EntryType, weight: number): { arbitrary: fc.Arbitrary<EntryType>; weight: number } {
  return { arbitrary: fc.constant(type), weight };
}
const type = fc.oneof(
  weighted("file", 5),
  weighted("directory", 5),
  weighted("symlink", 3),
  weighted("hardlink", 3),
  weighted("char", 1),
  weighted("fifo", 1),
);

const object: fc.Arbitrary<RawEntry> = fc
  .record({ path, type, attributes, target, link: path, size: fc.integer({ min: 0, max: 70000 }), isCapable: fc.boolean() })
  .map(({ path, type, attributes, target, link, size, isCapable }) => {
    if (type !== "file") {
      const more =
        type === "symlink"
          ? { link: target, mode: 0o777 }
          : type === "hardlink"
            ? { link }
            : type === "char"
              ? { devMajor: 1, devMinor: 3 }
              : {};
      return { entry: entry(path, type, { ...attributes, ...more }) };
    }
    const content = Buffer.alloc(size, `${path}${size}${attributes.mtime}`);
    const xattrs = isCapable && size > 60000 ? { xattrs: new Map([["security.capability", capability]]) } : {};
    return { entry: entry(path, type, { ...attributes, ...xattrs, size }), content };
  });

const item: fc.Arbitrary<RawEntry> = fc.oneof(
  { arbitrary: object, weight: 8 },
  { arbitrary: path.map((path) => ({ entry: entry(path.replace(/[^/]*$/, ".wh.$&")) })), weight: 3 },
  { arbitrary: path.map((path) => ({ entry: entry(path.replace(/[^/]*$/, ".wh..wh..opq")) })), weight: 1 },
  { arbitrary: attributes.map((attributes) => ({ entry: entry("", "directory", attributes) })), weight: 1 },
);

/** Layers from the lowest; entries that no tree can take (a hard link to nothing, a file as parent) are left out. */
export function layerStacks(maxLayers: number): fc.Arbitrary<RawEntry[][]> {
  return fc.array(fc.array(item, { maxLength: 14 }), { minLength: 1, maxLength: maxLayers }).map((layers) => {
    let tree = emptyTree;
    return layers.map((items) => {
      const kept: RawEntry[] = [];
      for (const item of items) if (canApply(tree, [...kept, item])) kept.push(item);
      tree = tree.with({ entries: kept.map(({ entry }) => entry) });
      return kept;
    });
  });
}

function canApply(tree: typeof emptyTree, items: readonly { entry: Entry }[]): boolean {
  try {
    tree.with({ entries: items.map(({ entry }) => entry) });
    return true;
  } catch {
    return false;
  }
}
