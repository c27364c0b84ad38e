// Brings the files of a context that is elsewhere to this machine: a repository, an archive, a single file.

import { randomUUID } from "node:crypto";
import { createWriteStream } from "node:fs";
import { rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { Draft, directoryAttributes, emptyTree } from "../filesystem/filesystem.ts";
import { type Content, toRaw } from "../layer/entry.ts";
import { MalformedLayerError } from "../layer/layer.ts";
import { isArchive, unpackArchive } from "./archive.ts";
import { beginDownload, type DownloadTools } from "./download.ts";
import { beginCheckout, type GitTools } from "./git.ts";
import type { GitSource } from "./git-reference.ts";
import { type ContentView, failure, viewBelow } from "./shown.ts";
import { ContextError, type ContextSource } from "./source.ts";

export type RemoteSource = Exclude<ContextSource, { readonly kind: "directory" }>;

export interface FetchTools extends Omit<DownloadTools, "directory">, Omit<GitTools, "directory"> {
  /** Makes a directory for this context alone, which goes with it. */
  makeDirectory(): Promise<string>;
  /** What the program is given to read; undefined where that is a terminal. */
  readonly stdin: (() => AsyncIterable<Uint8Array>) | undefined;
}

export interface Fetched {
  readonly view: ContentView;
  /** Files have the owners that their archive gives them. */
  readonly keepsOwners: boolean;
  /** What SOURCE_DATE_EPOCH takes from it, in seconds since 1970: a commit's time, a host's, the newest file's of an archive. */
  readonly time: number | undefined;
  /** Of a repository. */
  readonly commit?: string;
  /** It is a file that is no archive. */
  readonly isSingle: boolean;
}

/** As BuildKit calls a file that is a context. */
export const singleName = "context";

/**
 * `name` is what the user calls it; with `unpacks` a web address of an archive gives what is in it. Throws where it is not to be had; what
 * has been written then stays in the directory.
 */
export async function fetchFiles(
  source: RemoteSource,
  { name, directory, unpacks }: { readonly name: string; readonly directory: string; readonly unpacks: boolean },
  tools: FetchTools,
): Promise<Fetched> {
  switch (source.kind) {
    case "git":
      return checkOut(source.source, directory, tools);
    case "web": {
      const { path, size, mtime } = await (await beginDownload(source.url, source.checksum, { ...tools, directory })).finished;
      const file = { kind: "file", path: toRaw(path), offset: 0, size } as const;
      const time = mtime === 0 ? undefined : mtime;
      if (!unpacks || !(await isArchive(file))) return showFile(file, time);
      const unpacked = await unpack(file, time, name, directory, tools);
      await rm(path);
      return unpacked;
    }
    case "archive": {
      const path = source.path ?? (await saveInput(name, directory, tools));
      const found = await stat(path).catch((cause: Error) => {
        throw new ContextError(name, `"${path}" cannot be read: ${cause.message}`, { cause });
      });
      const file = { kind: "file", path: toRaw(path), offset: 0, size: found.size } as const;
      if (!found.isFile() || !(await isArchive(file)))
        throw new ContextError(name, "it is no archive: neither a tar nor one in gzip, bzip2, xz or zstd");
      return unpack(file, undefined, name, directory, tools);
    }
  }
}

async function checkOut(source: GitSource, directory: string, tools: FetchTools): Promise<Fetched> {
  const checkout = await (await beginCheckout(source, { ...tools, directory })).finished;
  const { base, commit, time } = checkout;
  return { view: viewBelow(checkout, base), keepsOwners: false, time, commit, isSingle: false };
}

async function saveInput(name: string, directory: string, { stdin, signal }: FetchTools): Promise<string> {
  if (stdin === undefined) throw new ContextError(name, "standard input is a terminal; pipe the archive in");
  const path = join(directory, randomUUID());
  await pipeline(stdin(), createWriteStream(path, { flags: "wx", mode: 0o600 }), { signal });
  return path;
}

async function unpack(
  archive: Content,
  modified: number | undefined,
  name: string,
  directory: string,
  { signal }: FetchTools,
): Promise<Fetched> {
  const draft = new Draft(emptyTree);
  const now = modified ?? Math.floor(Date.now() / 1000);
  draft.put("", { attributes: directoryAttributes(0o755, 0, 0, now) });
  try {
    const { newest } = await unpackArchive(draft, archive, "", { owner: undefined, now }, { scratch: directory, signal });
    return { view: showDraft(draft), keepsOwners: true, time: modified ?? newest, isSingle: false };
  } catch (cause) {
    if (!(cause instanceof MalformedLayerError)) throw cause;
    throw new ContextError(name, `its archive is damaged: ${cause.message.replace(/^Malformed layer: /, "")}`, { cause });
  }
}

function showFile(single: Content & { readonly size: number }, time: number | undefined): Fetched {
  const now = time ?? Math.floor(Date.now() / 1000);
  const draft = new Draft(emptyTree);
  draft.put("", { attributes: directoryAttributes(0o755, 0, 0, now) });
  const attributes = { ...directoryAttributes(0o600, 0, 0, now), type: "file", size: single.size } as const;
  draft.put(singleName, { attributes, content: single });
  return { view: showDraft(draft), keepsOwners: true, time, isSingle: true };
}

function showDraft(draft: Draft): ContentView {
  return {
    lstat(path) {
      const node = draft.lstat(path);
      return node && { attributes: node.attributes, inode: node.inode };
    },
    list: (path) => draft.list(path),
    content(path) {
      const type = draft.lstat(path)?.attributes.type;
      if (type !== "file") throw failure(path, type === undefined ? "it is not there" : "it is no regular file");
      const content = draft.contentAt(path);
      return typeof content === "object" ? content : { kind: "bytes", bytes: new Uint8Array() };
    },
  };
}
