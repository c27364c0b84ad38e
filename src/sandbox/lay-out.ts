// Files to be mounted, put on disk.

import { writeTree } from "../filesystem/filesystem.ts";
import type { Helper } from "../helper/helper.ts";
import type { RawPath } from "../layer/entry.ts";
import type { MountSource } from "./mount.ts";

/** Writes what a source shows as `name` in an existing directory. */
export async function layOut(
  source: MountSource,
  directory: string,
  name: RawPath,
  tools: { readonly helper: Helper; readonly signal: AbortSignal },
): Promise<void> {
  const place = (path: RawPath) => (path === "" ? name : `${name}/${path}`);
  const items = (await source.items()).map(({ entry, content }) => ({
    entry: { ...entry, path: place(entry.path), link: entry.type === "hardlink" ? place(entry.link) : entry.link },
    ...(content === undefined ? {} : { content }),
  }));
  await writeTree(directory, items, tools);
}
