// A directory on disk as the items of a layer: all that is in it, with its owners, hard links as links.

import type { LayerItem, RawPath } from "../layer/entry.ts";
import { keepStored, makeEntry, toRaw } from "../layer/entry.ts";
import { readableItem } from "./foreign.ts";
import { type ScanTools, scanDirectory } from "./scan.ts";
import { joinPath } from "./view.ts";

/** Directories before what they hold, the directory itself at `prefix`; sockets are left out. Throws with the path that could not be read. */
export async function* listDirectory(root: string, prefix: RawPath, tools: ScanTools): AsyncGenerator<LayerItem, void, void> {
  const rawRoot = toRaw(root);
  const first = new Map<string, RawPath>();
  for await (const found of scanDirectory(root, tools)) {
    const { type, nlink, inode, xattrs } = found;
    if (type === "socket") continue;
    const path = joinPath(prefix, found.path);
    const link = type === "file" && nlink > 1 ? first.get(inode) : undefined;
    if (link !== undefined) {
      yield { entry: makeEntry(path, { ...found, type: "hardlink", size: 0, link }, undefined) };
      continue;
    }
    if (type === "file" && nlink > 1) first.set(inode, path);
    const entry = makeEntry(path, { ...found, type }, keepStored(xattrs));
    if (type !== "file" || found.size === 0) yield { entry };
    else yield readableItem({ entry, content: { kind: "file", path: joinPath(rawRoot, found.path), offset: 0, size: found.size } }, tools);
  }
}
