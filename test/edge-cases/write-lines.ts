// Puts a tree of lines, as test/support/trees.ts has them, onto disk; besides there are sockets: `s path`.

import { execFileSync } from "node:child_process";
import { chmodSync, lchownSync, linkSync, lutimesSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { parentOf } from "../../src/filesystem/filesystem.ts";
import { type LayerItem, type RawPath, toBytes, toRaw } from "../../src/layer/entry.ts";
import { itemsOfLines } from "../support/trees.ts";

/** Owners are those of the lines where this process may give files away. Everything is of 1970, 1000 s. */
export async function writeLines(directory: string, lines: string): Promise<void> {
  const items = itemsOfLines(lines.replace(/^s .*$/gm, ""));
  const at = (path: RawPath) => toBytes(`${toRaw(directory)}/${path}`);
  for (const { entry, content } of items) {
    mkdirSync(at(parentOf(entry.path)), { recursive: true });
    make(at(entry.path), entry, content?.kind === "bytes" ? content.bytes : new Uint8Array(), at);
  }
  for (const [, name = ""] of lines.matchAll(/^s (.*)$/gm)) await bindSocket(`${directory}/${name}`);
  for (const { entry } of items.reverse()) finish(at(entry.path), entry);
}

function make(place: Buffer, entry: LayerItem["entry"], bytes: Uint8Array, at: (path: RawPath) => Buffer): void {
  switch (entry.type) {
    case "directory":
      mkdirSync(place, { recursive: true });
      break;
    case "symlink":
      symlinkSync(toBytes(entry.link), place);
      break;
    case "hardlink":
      linkSync(at(entry.link), place);
      break;
    case "fifo":
      execFileSync("mkfifo", [place.toString()]);
      break;
    default:
      writeFileSync(place, bytes);
  }
}

function finish(place: Buffer, { type, mode, uid, gid, mtime }: LayerItem["entry"]): void {
  if (type === "hardlink") return;
  if (process.geteuid?.() === 0) lchownSync(place, uid, gid);
  if (type !== "symlink") chmodSync(place, mode);
  lutimesSync(place, mtime, mtime);
}

/** Its server, which would take it away, ends with the process. */
async function bindSocket(path: string): Promise<void> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(path, resolve));
  server.unref();
}
