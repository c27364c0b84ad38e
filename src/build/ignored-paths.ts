// Paths that layers are to leave out: `--ignore-path`, after kaniko's ignore list.

import { matchGlob } from "../filesystem/filesystem.ts";
import { type LayerItem, type RawPath, toRaw, toText } from "../layer/entry.ts";

/**
 * Tells whether a path is one of these or lies below one; a pattern is matched name by name. Undefined where there are none; throws what
 * is wrong with one.
 */
export async function openIgnored(patterns: readonly string[]): Promise<((path: RawPath) => boolean) | undefined> {
  const split = patterns.map((pattern) => namesOf(toRaw(pattern)));
  for (const [i, names] of split.entries())
    try {
      for (const name of names) matchGlob(name, "");
    } catch (cause) {
      throw new Error(`Cannot use "--ignore-path=${patterns[i]}": the pattern is malformed`, { cause });
    }
  const wanted = split.filter((globs) => globs.length > 0);
  if (wanted.length === 0) return undefined;
  return (path) => {
    const names = path.split("/");
    return wanted.some((globs) => globs.length <= names.length && globs.every((glob, i) => matchGlob(glob, names[i] ?? "")));
  };
}

function namesOf(pattern: RawPath): readonly RawPath[] {
  return pattern.split("/").filter((name) => name !== "" && name !== ".");
}

/** What is left of a layer's items. */
export async function* withoutIgnored(
  items: Iterable<LayerItem> | AsyncIterable<LayerItem>,
  ignores: (path: RawPath) => boolean,
): AsyncGenerator<LayerItem, void, void> {
  for await (const item of items) {
    const { entry } = item;
    if (ignores(entry.path)) continue;
    if (entry.type === "hardlink" && ignores(entry.link))
      throw new Error(`Cannot leave "/${toText(entry.link)}" out as --ignore-path says: "/${toText(entry.path)}" is a link of it`);
    yield item;
  }
}
