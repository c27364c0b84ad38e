// What the helper tells of a context's files: extended attributes, as far as layers hold them, and digests.

import { setImmediate } from "node:timers/promises";
import type { Files } from "../context/context.ts";
import { type Capabilities, readCapabilities, readContents, type TakeDigest } from "../filesystem/filesystem.ts";
import type { Helper } from "../helper/helper.ts";
import type { RawPath } from "../layer/entry.ts";

/** Those of files that have any, by their paths in the view. */
export type ReadXattrs = (paths: Iterable<RawPath>) => Promise<Capabilities>;

export interface ContextFiles extends Files {
  /** undefined where there are none, or nobody can read them. */
  readonly xattrs?: ReadXattrs | undefined;
  /** The same for files whose digests are wanted as well: most of them are told. */
  readonly contents?: ((paths: readonly RawPath[], take: TakeDigest) => Promise<Capabilities>) | undefined;
}

/** Has the helper look, where the files lie on disk and there is one. */
export function withXattrs(
  contexts: ReadonlyMap<string, Files>,
  { helper, signal }: { readonly helper: Helper | undefined; readonly signal: AbortSignal },
): ReadonlyMap<string, ContextFiles> {
  if (helper === undefined) return contexts;
  const tools = { helper, signal };
  return new Map(
    [...contexts].map(([name, files]): [string, ContextFiles] => {
      const { directory } = files;
      if (directory === undefined) return [name, files];
      return [
        name,
        {
          ...files,
          xattrs: (paths) => readCapabilities(directory, paths, tools),
          contents: (paths, take) => readContents(directory, paths, tools, take),
        },
      ];
    }),
  );
}

/** So many files are worth a process of their own. */
const manyFiles = 1000;

/** Looks at each file once, and at those that several ask for at the same time together. */
export function remember(read: (paths: readonly RawPath[]) => Promise<Capabilities>): ReadXattrs {
  const asked = new Set<RawPath>();
  const known = new Map<RawPath, ReadonlyMap<string, string>>();
  const readings: Promise<void>[] = [];
  let gathered: RawPath[] | undefined;

  async function look(paths: readonly RawPath[]): Promise<void> {
    for (const [path, xattrs] of await read(paths)) known.set(path, xattrs);
  }

  async function lookSoon(paths: readonly RawPath[]): Promise<void> {
    await setImmediate();
    gathered = undefined;
    await look(paths);
  }

  return async (paths) => {
    const missing: RawPath[] = [];
    for (const path of paths) {
      if (asked.has(path)) continue;
      asked.add(path);
      missing.push(path);
    }
    if (missing.length >= manyFiles) readings.push(look(missing));
    else if (gathered !== undefined) gathered.push(...missing);
    else if (missing.length > 0) {
      gathered = missing;
      readings.push(lookSoon(missing));
    }
    await Promise.all(readings);
    return known;
  };
}
