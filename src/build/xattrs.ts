// The extended attributes of a context's files, as far as layers hold them.

import type { Files } from "../context/context.ts";
import { type Capabilities, readCapabilities } from "../filesystem/filesystem.ts";
import type { Helper } from "../helper/helper.ts";
import type { RawPath } from "../layer/entry.ts";

/** Those of files that have any, by their paths in the view. */
export type ReadXattrs = (paths: Iterable<RawPath>) => Promise<Capabilities>;

export interface ContextFiles extends Files {
  /** undefined where there are none, or nobody can read them. */
  readonly xattrs?: ReadXattrs | undefined;
}

/** Has the helper read them, where the files lie on disk and there is one. */
export function withXattrs(
  contexts: ReadonlyMap<string, Files>,
  { helper, signal }: { readonly helper: Helper | undefined; readonly signal: AbortSignal },
): ReadonlyMap<string, ContextFiles> {
  if (helper === undefined) return contexts;
  return new Map(
    [...contexts].map(([name, files]) => {
      const { directory } = files;
      if (directory === undefined) return [name, files];
      return [name, { ...files, xattrs: (paths: Iterable<RawPath>) => readCapabilities(directory, paths, { helper, signal }) }];
    }),
  );
}

/** Looks at each file once. */
export function remember(read: ReadXattrs): ReadXattrs {
  const asked = new Set<RawPath>();
  const known = new Map<RawPath, ReadonlyMap<string, string>>();
  return async (paths) => {
    const missing = new Set<RawPath>();
    for (const path of paths) if (!asked.has(path)) missing.add(path);
    for (const [path, xattrs] of await read(missing)) known.set(path, xattrs);
    for (const path of missing) asked.add(path);
    return known;
  };
}
