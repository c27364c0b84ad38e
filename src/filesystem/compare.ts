// Whether an object on disk is still what a tree says.

import { createHash } from "node:crypto";
import { createReadStream, readFileSync } from "node:fs";
import { type RawPath, toBytes, toRaw } from "../layer/entry.ts";
import type { Found } from "./collect.ts";
import { throughHelper } from "./foreign.ts";
import type { ScanTools } from "./scan.ts";
import type { FileNode } from "./view.ts";

/** The contents that were hashed so far, by inode: a file with many names changes under all of them and is read once. */
type Hashed = Map<string, string>;

export interface CompareTools extends ScanTools {
  readonly hashed: Hashed;
}

/**
 * Whether BuildKit would put the object into a layer although the tree has one at its path: type, mode, owner, device numbers or
 * capability differ, or for all but directories size, time, target or content. Contents are read only where all else is equal.
 */
export async function isChanged(root: string, found: Found, node: FileNode, tools: CompareTools): Promise<boolean> {
  const old = node.attributes;
  const differs =
    found.type !== old.type ||
    found.mode !== old.mode ||
    found.uid !== old.uid ||
    found.gid !== old.gid ||
    found.devMajor !== old.devMajor ||
    found.devMinor !== old.devMinor ||
    found.xattrs.get("security.capability") !== old.xattrs?.get("security.capability");
  if (differs || found.type === "directory") return differs;
  // A layer that was made here keeps whole seconds of a time that has more on disk.
  const isSameTime = found.mtime === old.mtime && (old.mtimeNs === 0 || found.mtimeNs === old.mtimeNs);
  if (!isSameTime || found.size !== old.size || found.link !== old.link) return true;
  return !(await hasContent(root, found, node, tools));
}

/** Whether the content is what the tree has; everything but files has it. */
export async function hasContent(root: string, found: Found, node: FileNode, tools: CompareTools): Promise<boolean> {
  if (found.type !== "file" || found.size === 0) return true;
  if (node.sha256 === undefined) return false;
  const { hashed } = tools;
  const known = hashed.get(found.inode);
  const sha256 = known ?? (await hashFile(`${toRaw(root)}/${found.path}`, found.size, tools));
  if (found.nlink > 1) hashed.set(found.inode, sha256);
  return node.sha256 === sha256;
}

const smallSize = 1 << 18;

async function hashFile(path: RawPath, size: number, tools: ScanTools): Promise<string> {
  const hash = createHash("sha256");
  const { read } = throughHelper({ kind: "file", path, offset: 0, size }, tools);
  // A stream costs more than all of a small file.
  if (read !== undefined) for await (const chunk of read()) hash.update(chunk);
  else if (size <= smallSize) hash.update(readFileSync(toBytes(path)));
  else for await (const chunk of createReadStream(toBytes(path), { highWaterMark: smallSize })) hash.update(chunk);
  return hash.digest("hex");
}
