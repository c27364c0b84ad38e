// An image's whole file system as items, for outputs that hold files instead of layers.

import type { LayerFiles } from "../filesystem/filesystem.ts";
import { type LayerItem, makeEntry, type RawPath } from "../layer/entry.ts";
import type { StageFiles } from "./stage-files.ts";

/** Every path of the merged tree below `prefix`, parents first; the files of one inode are hard links of the first. */
export async function* rootItems(stage: StageFiles, files: LayerFiles, prefix: RawPath): AsyncGenerator<LayerItem, void, void> {
  const tree = await stage.tree();
  const filled = [...tree.walk()].flatMap(({ path, node }) => (node.attributes.type === "file" && node.attributes.size > 0 ? [path] : []));
  const contents = await stage.contents(filled, files);
  const first = new Map<object, RawPath>();
  if (prefix !== "") yield { entry: { ...(tree.lstat("")?.attributes ?? fail(prefix)), path: prefix } };
  for (const { path, node } of tree.walk()) {
    if (path === "") continue;
    const placed = prefix === "" ? path : `${prefix}/${path}`;
    const { attributes, inode } = node;
    const link = inode === undefined || attributes.type !== "file" ? undefined : first.get(inode);
    if (link !== undefined) {
      yield { entry: { ...attributes, type: "hardlink", size: 0, link, path: placed } };
      continue;
    }
    if (inode !== undefined) first.set(inode, placed);
    const entry = makeEntry(placed, attributes, attributes.xattrs);
    const content = contents.get(path);
    yield content === undefined ? { entry } : { entry, content };
  }
}

function fail(prefix: RawPath): never {
  throw new Error(`Cannot write "${prefix}": the image has no root`);
}
