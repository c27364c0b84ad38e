// Small images for tests of registries: put into a test registry, or held as values to be pushed.

import type { TestContext } from "node:test";
import type { Digest } from "../../src/image/digest.ts";
import { digestOf, type EncodedImage, encodeImage, mediaTypes } from "../../src/image/encode.ts";
import type { Image, ImageConfig, Layer, MediaFamily } from "../../src/image/image.ts";
import type { Platform } from "../../src/image/platform.ts";
import type { RegistryOptions } from "../../src/registry/registry.ts";
import { defaultRegistryOptions, openRegistry } from "../../src/registry/registry.ts";
import type { Report } from "../../src/report/report.ts";
import type { TestRegistry } from "./registry.ts";

/** Bytes that differ from place to place, the same for the same seed. */
export function makeBytes(size: number, seed = 1): Buffer {
  const bytes = Buffer.allocUnsafe(size);
  let state = (seed * 2654435761) >>> 0;
  for (let i = 0; i < size; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

export interface ImageOptions {
  readonly layers?: readonly Buffer[];
  readonly platform?: Platform;
  readonly family?: MediaFamily;
  readonly history?: ImageConfig["history"];
  readonly diffIds?: readonly Digest[];
}

/** What the layers hold is no tar: registries do not look. */
export function makeImage({
  layers = [makeBytes(1000)],
  platform = { os: "linux", architecture: "amd64" },
  family = "oci",
  history,
  diffIds = layers.map((_, i) => digestOf(Buffer.from(`diff ${i} of ${layers.length}`))),
}: ImageOptions = {}): EncodedImage {
  const config: ImageConfig = {
    ...platform,
    rootfs: { type: "layers", diff_ids: diffIds },
    history: history ?? layers.map((_, i) => ({ created_by: `step ${i}` })),
  };
  const image: Image = { family, config, layers: layers.map((bytes, i) => layerOf(bytes, diffIds[i] as Digest, family)) };
  return encodeImage(image);
}

export function layerOf(bytes: Buffer, diffId: Digest = digestOf(bytes), family: MediaFamily = "oci"): Layer {
  const descriptor = { mediaType: mediaTypes[family].layer.gzip, digest: digestOf(bytes), size: bytes.length };
  return {
    descriptor,
    diffId,
    compression: "gzip",
    async *open() {
      for (let at = 0; at < bytes.length; at += 64 * 1024) yield bytes.subarray(at, at + 64 * 1024);
    },
  };
}

/** Puts an image where a pull finds it, without asking the registry's protocol. */
export function putImage(registry: TestRegistry, repository: string, tag: string, options: ImageOptions = {}): EncodedImage {
  const encoded = makeImage(options);
  const store = registry.repositories.get(repository) ?? { blobs: new Map(), manifests: new Map() };
  registry.repositories.set(repository, store);
  for (const bytes of [...(options.layers ?? [makeBytes(1000)]), Buffer.from(encoded.config.bytes)])
    store.blobs.set(digestOf(bytes), bytes);
  const manifest = { type: encoded.manifest.descriptor.mediaType, bytes: Buffer.from(encoded.manifest.bytes) };
  store.manifests.set(tag, manifest).set(encoded.manifest.descriptor.digest, manifest);
  return encoded;
}

/** Puts any document as a manifest; gives its digest. */
export function putDocument(registry: TestRegistry, repository: string, tag: string, type: string, document: unknown): Digest {
  const bytes = Buffer.from(typeof document === "string" ? document : JSON.stringify(document));
  const store = registry.repositories.get(repository) ?? { blobs: new Map(), manifests: new Map() };
  registry.repositories.set(repository, store);
  store.manifests.set(tag, { type, bytes }).set(digestOf(bytes), { type, bytes });
  return digestOf(bytes);
}

/** A client that does not wait long, and closes with the test; `texts` has what it reported. */
export function openTestClient(test: TestContext, options: Partial<RegistryOptions> = {}, stallMs = 300) {
  const texts: string[] = [];
  const masked: string[] = [];
  const report: Report = {
    emit: (event) => texts.push("text" in event && typeof event.text === "string" ? `${event.kind}: ${event.text}` : JSON.stringify(event)),
    mask: (secret) => masked.push(secret),
  };
  const client = openRegistry(
    { ...defaultRegistryOptions, ...options },
    { report, backOff: { tries: 4, firstMs: 1, mostMs: 4 }, timeouts: { connectMs: 3000, headersMs: stallMs, storeMs: stallMs, stallMs } },
  );
  test.after(() => client.close());
  return { client, texts, masked };
}

export async function readAll(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}
