// The files that a mount shows, out of a context or a stage.

import { type FileNode, type FileView, joinPath, resolvePath } from "../filesystem/filesystem.ts";
import type { LayerItem, RawPath } from "../layer/entry.ts";
import { SourceNotFound } from "./select.ts";
import type { StepSource } from "./step-copy.ts";

/** Where a mount's `source` leads, symlinks followed inside the view; throws a SourceNotFound. */
export function findSource(view: FileView, source: RawPath): { readonly path: RawPath; readonly node: FileNode } {
  const { path, node } = resolvePath(view, source);
  if (node === undefined) throw new SourceNotFound(source);
  return { path, node };
}

/** A file, or a directory with all below it, as items: "" is the thing itself, parents first, owners as the view has them. */
export async function listSource({ view, locate, xattrs }: StepSource, source: RawPath): Promise<LayerItem[]> {
  const root = findSource(view, source);
  const found: { readonly from: RawPath; readonly path: RawPath; readonly node: FileNode }[] = [];
  const visit = (from: RawPath, path: RawPath, node: FileNode) => {
    found.push({ from, path, node });
    if (node.attributes.type !== "directory") return;
    for (const name of view.list(from)) {
      const child = view.lstat(joinPath(from, name));
      if (child !== undefined) visit(joinPath(from, name), joinPath(path, name), child);
    }
  };
  visit(root.path, "", root.node);
  const isFilled = ({ attributes: { type, size } }: FileNode) => type === "file" && size > 0;
  const filled = found.flatMap(({ from, node }) => (isFilled(node) ? [from] : []));
  const contentOf = await locate(filled);
  const more = await xattrs?.(filled);
  const first = new Map<object, RawPath>();
  return found.map(({ from, path, node }): LayerItem => {
    const { attributes, inode } = node;
    const link = inode === undefined ? undefined : first.get(inode);
    if (link !== undefined) return { entry: { ...attributes, type: "hardlink", size: 0, link, path } };
    if (inode !== undefined && attributes.type === "file") first.set(inode, path);
    const content = isFilled(node) ? contentOf(from) : undefined;
    const added = more?.get(from);
    return {
      entry: { ...attributes, path, ...(added === undefined ? {} : { xattrs: added }) },
      ...(content === undefined ? {} : { content }),
    };
  });
}
