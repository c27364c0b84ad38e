// Trees written as lines: `d 755 0:0 usr/bin`, `f 644 0:0 etc/hosts content`, `l usr/lib ../lib`, `h b a` (b is a hard link of a).

import { createHash } from "node:crypto";
import { type Tree, treeOf } from "../../src/filesystem/filesystem.ts";
import type { Attributes, Entry, EntryType, LayerItem } from "../../src/layer/entry.ts";

const none = { uid: 0, gid: 0, mtime: 1000, mtimeNs: 0, size: 0, link: "", devMajor: 0, devMinor: 0 };

function attributes(type: EntryType, mode: string, owner: string): Attributes {
  const [uid = 0, gid = 0] = owner.split(":").map(Number);
  return { ...none, type, mode: Number.parseInt(mode, 8), uid, gid };
}

function entryOf(line: string): Entry {
  const [kind, a = "", b = "", c = "", ...rest] = line.trim().split(" ");
  switch (kind) {
    case "d":
      return { ...attributes("directory", a, b), path: c };
    case "f": {
      const text = rest.join(" ");
      const sha256 = createHash("sha256").update(text).digest("hex");
      const kept = c === "etc/passwd" || c === "etc/group" ? { text: text.replaceAll("|", "\n") } : {};
      return { ...attributes("file", a, b), path: c, size: Buffer.byteLength(text), sha256, ...kept };
    }
    case "l":
      return { ...attributes("symlink", "777", "0:0"), path: a, link: b };
    case "h":
      return { ...attributes("hardlink", "644", "0:0"), path: a, link: b };
    default:
      throw new Error(`no such line: ${line}`);
  }
}

/** The tree of one layer that holds the lines. */
export function treeOfLines(lines: string): Tree {
  const entries = lines
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map(entryOf);
  return treeOf([{ entries }]);
}

/** The items of a layer as such lines, contents by what `read` finds for them. */
export async function linesOfItems(
  items: Iterable<LayerItem> | AsyncIterable<LayerItem>,
  read: (item: LayerItem) => string = () => "",
): Promise<string[]> {
  const lines: string[] = [];
  for await (const item of items) lines.push(lineOfItem(item, read));
  return lines;
}

function lineOfItem(item: LayerItem, read: (item: LayerItem) => string): string {
  const { type, mode, uid, gid, path, link } = item.entry;
  const head = `${mode.toString(8)} ${uid}:${gid}`;
  if (type === "directory") return `d ${head} ${path}`;
  if (type === "symlink") return `l ${path} ${link}`;
  if (type === "hardlink") return `h ${path} ${link}`;
  return `${type[0]} ${head} ${path} ${read(item)}`.trimEnd();
}
