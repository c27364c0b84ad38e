// Trees written as lines: `d 755 0:0 usr/bin`, `f 644 0:0 etc/hosts content`, `l usr/lib ../lib`, `h b a` (b is a hard link of a),
// `p 644 0:0 pipe` and `c 666 0:0 dev/null 1,3`. In accounts a `|` ends a line, elsewhere `\n` does.

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
    case "p":
      return { ...attributes("fifo", a, b), path: c };
    case "c": {
      const [devMajor = 0, devMinor = 0] = rest.join("").split(",").map(Number);
      return { ...attributes("char", a, b), path: c, devMajor, devMinor };
    }
    default:
      throw new Error(`no such line: ${line}`);
  }
}

const linesOf = (lines: string): string[] => lines.split("\n").filter((line) => line.trim() !== "");

/** What a layer that holds the lines is written from. Paths are raw. */
export function itemsOfLines(lines: string): LayerItem[] {
  const known = new Map<string, Entry>();
  return linesOf(lines).map((line) => {
    const { text, sha256: _, ...entry } = entryOf(line);
    known.set(entry.path, entry);
    // As tar(1) writes them: each name of a file has its mode and owner.
    const { mode, uid, gid } = known.get(entry.link) ?? entry;
    if (entry.type === "hardlink") return { entry: { ...entry, mode, uid, gid } };
    if (entry.type !== "file") return { entry };
    const content = text ?? line.trim().split(" ").slice(4).join(" ").replaceAll("\\n", "\n");
    const bytes = Buffer.from(content, "latin1");
    return { entry: { ...entry, size: bytes.length }, content: { kind: "bytes", bytes } };
  });
}

/** The tree of one layer that holds the lines. */
export function treeOfLines(lines: string): Tree {
  return treeOf([{ entries: linesOf(lines).map(entryOf) }]);
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
  const { type, mode, uid, gid, path, link, devMajor, devMinor } = item.entry;
  const head = `${mode.toString(8)} ${uid}:${gid}`;
  if (type === "fifo") return `p ${head} ${path}`;
  if (type === "char") return `c ${head} ${path} ${devMajor},${devMinor}`;
  if (type === "directory") return `d ${head} ${path}`;
  if (type === "symlink") return `l ${path} ${link}${uid === 0 && gid === 0 ? "" : ` ${uid}:${gid}`}`;
  if (type === "hardlink") return `h ${path} ${link}`;
  return `${type[0]} ${head} ${path} ${read(item)}`.trimEnd();
}
