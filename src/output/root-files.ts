// An image's files as a directory or as a plain tar: what BuildKit's exporters `local` and `tar` write.

import { randomBytes } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { chmod, lchown, link, lstat, lutimes, mkdir, readdir, rename, rm, symlink, utimes, writeFile } from "node:fs/promises";
import path from "node:path";
import { pipeline } from "node:stream/promises";
import { type Content, type LayerItem, type RawPath, toBytes, toRaw, toText } from "../layer/entry.ts";
import { packItems } from "../layer/layer.ts";
import { checkFile, type Pending, prepareFile } from "./pending.ts";

/** Starts the image's items afresh each time it is called: parents first, paths relative to the root. */
export type RootItems = () => AsyncIterable<LayerItem>;

export function prepareRootTar(target: string, items: RootItems, signal?: AbortSignal): Promise<Pending> {
  return prepareFile(target, () => packItems(items(), { signal }), { mode: 0o644, directoryMode: 0o755 });
}

/** Finds out, without writing anything, whether the directory may be written. */
export async function checkRootDirectory(target: string): Promise<void> {
  await findDirectory(target);
  await checkFile(path.join(path.dirname(target), "x"), target);
  await checkFile(path.join(target, "x"), target);
}

async function findDirectory(target: string): Promise<void> {
  const found = await lstat(target).catch(() => undefined);
  if (found !== undefined && !found.isDirectory()) throw new Error(`Cannot write "${target}": it is no directory`);
}

/**
 * Writes the files beside the directory; the commit moves them there, over what is in the way, and leaves everything else that is in
 * it. Owners are the image's where this process may set them; devices are left out where it may not make them.
 */
export async function prepareRootDirectory(target: string, items: RootItems, signal?: AbortSignal): Promise<Pending> {
  await findDirectory(target);
  await mkdir(path.dirname(target), { recursive: true });
  const temporary = path.join(path.dirname(target), `.${path.basename(target)}.${randomBytes(6).toString("hex")}`);
  const discard = () => rm(temporary, { recursive: true, force: true });
  try {
    await mkdir(temporary, { mode: 0o755 });
    await writeItems(toRaw(temporary), items(), signal);
  } catch (error) {
    await discard();
    throw error;
  }
  const commit = async () => {
    await merge(toRaw(temporary), toRaw(target));
    await discard();
  };
  return { target, isInPlace: false, commit, discard };
}

async function writeItems(root: RawPath, items: AsyncIterable<LayerItem>, signal: AbortSignal | undefined): Promise<void> {
  const directories: LayerItem["entry"][] = [];
  for await (const { entry, content } of items) {
    signal?.throwIfAborted();
    const place = toBytes(`${root}/${entry.path}`);
    switch (entry.type) {
      case "directory":
        await mkdir(place, { mode: 0o700 });
        directories.push(entry);
        continue;
      case "hardlink":
        await link(toBytes(`${root}/${entry.link}`), place);
        continue;
      case "symlink":
        await symlink(toBytes(entry.link), place);
        break;
      case "file":
        await writeContent(place, content, signal);
        break;
      default:
        throw new Error(`Cannot write "${toText(entry.path)}" to a directory: it is a device or pipe; write a tar instead`);
    }
    await setAttributes(place, entry);
  }
  for (const entry of directories.reverse()) await setAttributes(toBytes(`${root}/${entry.path}`), entry);
}

async function writeContent(place: Buffer, content: Content | undefined, signal: AbortSignal | undefined): Promise<void> {
  if (content === undefined || content.kind === "bytes") {
    await writeFile(place, content?.bytes ?? new Uint8Array(), { flag: "wx" });
    return;
  }
  const { offset, size } = content;
  const source = createReadStream(toBytes(content.path), { start: offset, end: offset + size - 1 });
  await pipeline(source, createWriteStream(place, { flags: "wx" }), signal === undefined ? {} : { signal });
}

async function setAttributes(place: Buffer, { type, uid, gid, mode, mtime }: LayerItem["entry"]): Promise<void> {
  if (process.getuid?.() === 0) await lchown(place, uid, gid);
  if (type === "symlink") return lutimes(place, mtime, mtime);
  await chmod(place, mode);
  await utimes(place, mtime, mtime);
}

/** Renames whole trees where nothing is in the way; directories on both sides are merged. */
async function merge(from: RawPath, to: RawPath): Promise<void> {
  const there = await lstat(toBytes(to)).catch(() => undefined);
  const isDirectory = (await lstat(toBytes(from))).isDirectory();
  if (there?.isDirectory() && isDirectory) {
    for (const name of await readdir(toBytes(from), { encoding: "latin1" })) await merge(`${from}/${name}`, `${to}/${name}`);
    return;
  }
  if (there !== undefined) await rm(toBytes(to), { recursive: true, force: true });
  await rename(toBytes(from), toBytes(to));
}
