// Small real images for the tests of outputs.

import { execFileSync } from "node:child_process";
import zlib from "node:zlib";
import { pack } from "tar-stream";
import { digestOf, type EncodedImage, encodeImage, mediaTypes } from "../../src/image/encode.ts";
import type { Compression, Layer, MediaFamily } from "../../src/image/image.ts";

/** A layer of text files, given as name → content. */
export async function makeLayer(
  files: Readonly<Record<string, string>>,
  compression: Compression,
  family: MediaFamily = "oci",
): Promise<Layer> {
  const archive = pack();
  for (const [name, text] of Object.entries(files)) archive.entry({ name, mtime: new Date(1_000_000_000_000) }, text);
  archive.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of archive) chunks.push(chunk as Buffer);
  const tar = Buffer.concat(chunks);
  const bytes = compression === "none" ? tar : compression === "gzip" ? zlib.gzipSync(tar) : execFileSync("zstd", ["-c"], { input: tar });
  return {
    descriptor: { mediaType: mediaTypes[family].layer[compression], digest: digestOf(bytes), size: bytes.length },
    diffId: digestOf(tar),
    compression,
    async *open() {
      for (let at = 0; at < bytes.length; at += 700) yield bytes.subarray(at, at + 700);
    },
  };
}

export function makeImage(layers: readonly Layer[], family: MediaFamily = "oci"): EncodedImage {
  return encodeImage({
    family,
    layers,
    config: {
      os: "linux",
      architecture: "amd64",
      created: "2020-01-01T00:00:00Z",
      config: { Cmd: ["/hello"] },
      rootfs: { type: "layers", diff_ids: layers.map((layer) => layer.diffId) },
      history: layers.map((_, i) => ({ created: "2020-01-01T00:00:00Z", created_by: `layer ${i}` })),
    },
  });
}

/** A layer whose bytes stop with an error. */
export function breakLayer(layer: Layer): Layer {
  return {
    ...layer,
    async *open() {
      yield Buffer.alloc(100);
      throw new Error("the blob is not what its digest says");
    },
  };
}

/** A layer of many bytes that are nowhere kept, and a count of how far they were asked for. */
export function makeHugeLayer(size: number): Layer {
  const chunk = Buffer.alloc(1 << 20);
  return {
    descriptor: { mediaType: mediaTypes.oci.layer.none, digest: digestOf(Buffer.from(`huge ${size}`)), size },
    diffId: digestOf(Buffer.from(`huge diff ${size}`)),
    compression: "none",
    async *open(signal) {
      for (let at = 0; at < size; at += chunk.length) {
        signal?.throwIfAborted();
        yield chunk.subarray(0, Math.min(chunk.length, size - at));
      }
    },
  };
}

export async function readAll(stream: AsyncIterable<unknown>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk as Uint8Array));
  return Buffer.concat(chunks);
}
