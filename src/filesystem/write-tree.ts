// Puts files on disk as a list of items describes them: what is shown to a command without being part of a layer.

import type { LayerItem } from "../layer/entry.ts";
import { openApplier } from "./apply.ts";
import type { ScanTools } from "./scan.ts";

/** Writes items below an existing directory, with all their attributes: parents first, a hard link after the file that it names. */
export async function writeTree(root: string, items: readonly LayerItem[], tools: ScanTools): Promise<void> {
  const applier = openApplier(root, tools);
  try {
    for (const { entry, content } of items) {
      if (entry.type === "directory") await applier.directory(entry.path);
      else if (entry.type === "hardlink") await applier.link(entry.path, entry.link);
      else if (entry.type !== "file") await applier.special(entry.path, entry);
      else if (content?.kind === "file") await applier.copy(entry.path, entry, content);
      else await applier.file(entry.path, entry, bytesOf(content?.bytes));
    }
    // The deepest first: attributes may take away the right to go deeper.
    for (const { entry } of items.toReversed())
      if (entry.type === "directory") await applier.directoryAttributes(entry.path, entry, undefined);
    await applier.finish();
  } catch (error) {
    await applier.fail(error);
  }
}

async function* bytesOf(bytes: Uint8Array | undefined): AsyncGenerator<Uint8Array, void, void> {
  if (bytes !== undefined) yield bytes;
}
