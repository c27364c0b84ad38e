// Where a path leads when the symlinks on its way are followed inside a tree.

import { type RawPath, toText } from "../layer/entry.ts";
import { type FileNode, type FileView, joinPath, parentOf } from "./view.ts";

/** As containerd's fs.RootPath has it. */
export const maxLinks = 255;

export interface Resolved {
  /** Without symlinks, as far as the tree has it; what comes after the first missing component is kept as it was. */
  readonly path: RawPath;
  /** undefined where nothing is. */
  readonly node: FileNode | undefined;
}

/**
 * Follows the symlinks of a path as if the view's root were `/`: absolute targets start there and `..` stops there. With
 * `followLast: false` the last component is not followed. Throws after 255 links.
 */
export function resolvePath(view: FileView, path: RawPath, { followLast = true }: { followLast?: boolean } = {}): Resolved {
  const pending = path.split("/").reverse();
  let at: RawPath = "";
  let node = view.lstat("");
  for (let links = 0; pending.length > 0; ) {
    const part = pending.pop();
    if (part === undefined || part === "" || part === ".") continue;
    if (part === "..") {
      at = parentOf(at);
      node = view.lstat(at);
      continue;
    }
    const next = joinPath(at, part);
    const found = view.lstat(next);
    const last = pending.every((rest) => rest === "" || rest === ".");
    if (found?.attributes.type === "symlink" && (followLast || !last)) {
      if (++links > maxLinks) throw tooManyLinks(path);
      const { link } = found.attributes;
      if (link.startsWith("/")) at = "";
      pending.push(...link.split("/").reverse());
      node = view.lstat(at);
    } else {
      at = next;
      node = found;
    }
  }
  return { path: at, node };
}

/** The error for a path whose symlinks lead in circles. */
export function tooManyLinks(path: RawPath): Error {
  return new Error(`Cannot resolve "${toText(path)}": it leads through more than ${maxLinks} symbolic links (ELOOP)`);
}
