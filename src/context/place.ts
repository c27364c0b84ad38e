// Where a Dockerfile or an ignore file may be: on disk, or in the files of a context.

import { readFile, stat } from "node:fs/promises";
import path from "node:path";
import { resolvePath } from "../filesystem/filesystem.ts";
import { toRaw } from "../layer/entry.ts";
import { readRange } from "./archive.ts";
import type { ContentView } from "./shown.ts";

export interface Place {
  /** An absolute path on disk, or one inside a context that was fetched. */
  readonly path: string;
  /** For messages. */
  readonly shown: string;
  /** undefined where nothing is. */
  look(): Promise<Found | undefined>;
}

export interface Found {
  readonly type: "file" | "directory" | "other";
  /** Bytes. */
  readonly size: number;
  read(): Promise<Buffer>;
}

/** Gives the place that a name stands for. */
export type Shelf = (name: string) => Place;

/** Names are looked up on disk, from an absolute directory. */
export function shelfOnDisk(directory: string): Shelf {
  return (name) => {
    const place = path.resolve(directory, name);
    const look = async (): Promise<Found | undefined> => {
      try {
        const found = await stat(place);
        const type = found.isDirectory() ? "directory" : found.isFile() ? "file" : "other";
        return { type, size: found.size, read: () => readFile(place) };
      } catch (error) {
        if (isAbsent(error)) return undefined;
        throw error;
      }
    };
    return { path: place, shown: `"${place}"`, look };
  };
}

/** Names are looked up in files that may be anybody's: no link among them leads out. */
export function shelfInView(view: ContentView, owner: string): Shelf {
  return (name) => {
    const inside = path.posix.join("/", name).slice(1);
    const look = async (): Promise<Found | undefined> => {
      const { path: place, node } = resolvePath(view, toRaw(inside));
      if (node === undefined) return undefined;
      const { type, size } = node.attributes;
      const kind = type === "file" || type === "directory" ? type : "other";
      return { type: kind, size, read: () => gather(readRange(view.content(place))) };
    };
    return { path: inside, shown: `"${inside}" in "${owner}"`, look };
  };
}

async function gather(bytes: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of bytes) parts.push(part);
  return Buffer.concat(parts);
}

/** Whether an error says that a file or one of its parents is not there. */
export function isAbsent(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR");
}
