// What a build pushed into the registry of a test.

import { Readable } from "node:stream";
import { digestOf } from "../../src/image/encode.ts";
import type { ImageConfig } from "../../src/image/image.ts";
import type { LayerItem } from "../../src/layer/entry.ts";
import { decompress, readTar } from "../../src/layer/layer.ts";
import type { TestRegistry } from "./registry.ts";
import { linesOfItems } from "./trees.ts";

/** The image behind a tag, if there is one. */
export function pushed(registry: TestRegistry, repository: string, tag: string) {
  const store = registry.repositories.get(repository);
  const manifest = store?.manifests.get(tag);
  if (store === undefined || manifest === undefined) return undefined;
  const parsed = JSON.parse(manifest.bytes.toString());
  const config: ImageConfig = JSON.parse(store.blobs.get(parsed.config.digest)?.toString() ?? "null");
  return { digest: digestOf(manifest.bytes), manifest: parsed, config, store };
}

/** The entries of a pushed layer, with what files hold. */
export async function layerLines(store: { readonly blobs: ReadonlyMap<string, Buffer> }, digest: string): Promise<string[]> {
  const blob = store.blobs.get(digest) ?? Buffer.alloc(0);
  const items: LayerItem[] = [];
  for await (const { entry, content } of readTar(decompress(Readable.from([blob])))) {
    const parts: Uint8Array[] = [];
    for await (const chunk of content) parts.push(chunk);
    items.push({ entry, content: { kind: "bytes", bytes: Buffer.concat(parts) } });
  }
  return linesOfItems(items, ({ content }) => (content?.kind === "bytes" ? Buffer.from(content.bytes).toString() : ""));
}
