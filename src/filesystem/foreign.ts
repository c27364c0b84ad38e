// What a helper with other ids has made, for a builder that may not read, own or move all of it.

import { accessSync, constants } from "node:fs";
import { chmod, chown, rename } from "node:fs/promises";
import { type Helper, order } from "../helper/helper.ts";
import { type Content, type LayerItem, type RawPath, toBytes, toText } from "../layer/entry.ts";
import { keptTexts } from "../layer/layer.ts";
import type { ScanTools } from "./scan.ts";

type FileContent = Extract<Content, { readonly kind: "file" }>;

/** Has the helper read what this process may not open. */
export function throughHelper(content: FileContent, { helper, signal }: ScanTools): FileContent {
  if (!helper.isForeign || mayRead(content.path)) return content;
  return { ...content, read: () => readThrough(helper, content, signal) };
}

/** The same for an item. */
export function readableItem(item: LayerItem, tools: ScanTools): LayerItem {
  const { content } = item;
  return content?.kind === "file" && tools.helper.isForeign ? { ...item, content: throughHelper(content, tools) } : item;
}

/** The same for what a command has changed. Where an index keeps a file's text, that is read at once. */
export function readableChanges(items: readonly LayerItem[], tools: ScanTools): Promise<LayerItem[]> {
  return Promise.all(
    items.map(async (item) => {
      const { entry, content } = readableItem(item, tools);
      if (content?.kind !== "file" || content.read === undefined || !keptTexts.has(entry.path))
        return { entry, ...(content && { content }) };
      const chunks: Uint8Array[] = [];
      for await (const chunk of content.read()) chunks.push(chunk);
      return { entry, content: { kind: "bytes" as const, bytes: Buffer.concat(chunks) } };
    }),
  );
}

/** Whether this process may open a file: what is unpacked under other ids may be read by those alone. */
export function mayRead(path: RawPath): boolean {
  if (process.geteuid?.() === 0) return true;
  // Synchronous: a call costs a few microseconds, a turn through Node's thread pool many times that.
  try {
    accessSync(toBytes(path), constants.R_OK);
    return true;
  } catch {
    return false;
  }
}

async function* readThrough(helper: Helper, { path, offset, size }: FileContent, signal: AbortSignal | undefined) {
  const child = helper.start(["read", toText(path), String(offset), String(size)], { signal });
  child.stdin.end();
  for await (const chunk of child.stdout as AsyncIterable<Buffer>) yield chunk;
  const { code, signal: killed, stderr } = await child.exited;
  signal?.throwIfAborted();
  if (code !== 0) throw new Error(stderr || `Cannot read "${toText(path)}": the helper ended with ${killed ?? `exit code ${code}`}`);
}

/** Gives something on disk its owner and permission bits. */
export async function own(path: string, { uid, gid, mode }: Ownership, helper: Helper): Promise<void> {
  if (helper.isForeign) return order(helper, ["own", String(uid), String(gid), mode.toString(8), path]);
  await chown(path, uid, gid);
  await chmod(path, mode);
}

interface Ownership {
  readonly uid: number;
  readonly gid: number;
  /** Permission bits. */
  readonly mode: number;
}

/** rename(2), which takes the right to write into a directory that is moved. */
export async function move(from: string, to: string, helper: Helper): Promise<void> {
  if (helper.isForeign) return order(helper, ["move", from, to]);
  await rename(from, to);
}
