// What a build pushed into the registry of a test.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { digestOf } from "../../src/image/encode.ts";
import type { ImageConfig } from "../../src/image/image.ts";
import type { LayerItem } from "../../src/layer/entry.ts";
import { decompress, openBlobs, readTar, writeLayer } from "../../src/layer/layer.ts";
import type { TestRegistry } from "./registry.ts";
import { linesOfItems } from "./trees.ts";

/** The image behind a tag, if there is one. */
export function pushed(registry: TestRegistry, repository: string, tag: string) {
  const store = registry.repositories.get(repository);
  const manifest = store?.manifests.get(tag);
  if (store === undefined || manifest === undefined) return undefined;
  const parsed = JSON.parse(manifest.bytes.toString());
  const config: ImageConfig = JSON.parse(store.blobs.get(parsed.config?.digest)?.toString() ?? "null");
  return { digest: digestOf(manifest.bytes), manifest: parsed, config, store };
}

type Store = { readonly blobs: ReadonlyMap<string, Buffer> };

/** The entries of a pushed layer, with what files hold. */
export async function layerLines(store: Store, digest: string): Promise<string[]> {
  const items = await layerItems(store, digest);
  return linesOfItems(items, ({ content }) => (content?.kind === "bytes" ? Buffer.from(content.bytes).toString() : ""));
}

/** The times of a pushed layer's files, in seconds since 1970. */
export async function layerTimes(store: Store, digest: string): Promise<Record<string, number>> {
  const items = await layerItems(store, digest);
  return Object.fromEntries(items.flatMap(({ entry }) => (entry.type === "file" ? [[entry.path, entry.mtime]] : [])));
}

async function layerItems(store: Store, digest: string): Promise<LayerItem[]> {
  const blob = store.blobs.get(digest) ?? Buffer.alloc(0);
  const items: LayerItem[] = [];
  for await (const { entry, content } of readTar(decompress(Readable.from([blob])))) {
    const parts: Uint8Array[] = [];
    for await (const chunk of content) parts.push(chunk);
    items.push({ entry, content: { kind: "bytes", bytes: Buffer.concat(parts) } });
  }
  return items;
}

/** An uncompressed archive of some items. */
export async function tarOf(items: readonly LayerItem[]): Promise<Buffer> {
  const directory = await mkdtemp(join(tmpdir(), "slipway-test-"));
  try {
    const { layer } = await writeLayer(items, { blobs: await openBlobs(directory), compression: "gzip", helper: undefined });
    const parts: Uint8Array[] = [];
    for await (const chunk of decompress(layer.open())) parts.push(chunk);
    return Buffer.concat(parts);
  } finally {
    await rm(directory, { recursive: true });
  }
}
