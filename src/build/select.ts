// Which paths of a tree the sources of a COPY or ADD name.

import { type FileView, joinPath, matchGlob, resolvePath } from "../filesystem/filesystem.ts";
import { type RawPath, toText } from "../layer/entry.ts";

/** Thrown for a source that is not there; BuildKit's own words. */
export class SourceNotFound extends Error {
  readonly path: RawPath;
  constructor(path: RawPath, message = `failed to compute cache key: failed to calculate checksum "/${toText(path)}": not found`) {
    super(message);
    this.path = path;
  }
}

/** A path as the instructions write it, rooted and cleaned: `..` stops at the root. */
export function cleanPath(path: RawPath): RawPath {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return parts.join("/");
}

/**
 * Where in a view the copy of a source begins: at the source itself, or with wildcards at what matches, sorted; with `--parents`, at the
 * pivot. Symlinks at these places are followed, their own names are what the copies are called. Throws for a literal source that is absent,
 * and for the literal directory of a wildcard.
 */
export function selectSources(view: FileView, source: RawPath, parents: boolean): RawPath[] {
  if (!parents) return selectPaths(view, source);
  const { base, pattern } = splitPivot(source);
  const isLiteral = !hasWildcard(base) && !hasWildcard(pattern);
  if (isLiteral && !isBelow(view, base, pattern)) throw new SourceNotFound(joinPath(base, pattern));
  return selectPaths(view, base);
}

/** A source of `COPY --parents`: where its first `/./` stands the kept part of the path begins, an ignore-file pattern. */
export function splitPivot(source: RawPath): { readonly base: RawPath; readonly pattern: RawPath } {
  const pivot = source.indexOf("/./");
  if (pivot < 0) return { base: "", pattern: cleanPath(source) };
  return { base: cleanPath(source.slice(0, pivot)), pattern: cleanPath(source.slice(pivot + 3)) };
}

/** Whether a walk from `base` comes by `path`; it follows no symlinks, and an empty pattern stands for nothing. */
function isBelow(view: FileView, base: RawPath, path: RawPath): boolean {
  return path !== "" && view.lstat(joinPath(resolvePath(view, base).path, path)) !== undefined;
}

function selectPaths(view: FileView, source: RawPath): RawPath[] {
  const parts = cleanPath(source).split("/");
  const wild = parts.findIndex(hasWildcard);
  if (wild < 0) {
    const path = parts.join("/");
    if (resolvePath(view, path).node === undefined) throw new SourceNotFound(path);
    return [path];
  }
  const base = parts.slice(0, wild).join("/");
  const root = resolvePath(view, base);
  if (root.node === undefined) throw new SourceNotFound(base);
  return matchBelow(view, root.path, parts.slice(wild)).map((rest) => joinPath(base, rest));
}

function matchBelow(view: FileView, directory: RawPath, [pattern, ...rest]: readonly RawPath[]): RawPath[] {
  if (pattern === undefined) return [];
  const found: RawPath[] = [];
  for (const name of view.list(directory)) {
    if (!matchGlob(pattern, name)) continue;
    if (rest.length === 0) found.push(name);
    else if (view.lstat(joinPath(directory, name))?.attributes.type === "directory")
      found.push(...matchBelow(view, joinPath(directory, name), rest).map((below) => joinPath(name, below)));
  }
  return found;
}

function hasWildcard(part: RawPath): boolean {
  return /[*?[]/.test(part.replace(/\\./gs, ""));
}
