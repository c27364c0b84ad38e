// Takes the compression off a layer, whatever its media type claims.

import { Readable } from "node:stream";
import zlib from "node:zlib";
import type { Compression } from "../image/image.ts";
import { ProgramError } from "./program.ts";
import { ByteSource, defaultLimits, MalformedLayerError } from "./source.ts";
import { splitFrames } from "./zstd-frames.ts";
import { runZstd } from "./zstd-program.ts";

export interface DecompressOptions {
  readonly signal?: AbortSignal | undefined;
  /** Of output; more is refused. */
  readonly maxBytes?: number;
}

// Node's default of 16 KiB costs a turn of the event loop for each; larger than this gains nothing.
const outputChunk = 256 << 10;

/** A stream that is zstd no more; gzip stays as it is. */
export async function expandZstd(
  stream: AsyncIterable<Uint8Array>,
  options: DecompressOptions,
): Promise<{ readonly compression: Exclude<Compression, "zstd">; readonly bytes: AsyncIterable<Uint8Array> }> {
  const source = new ByteSource(stream, Number.POSITIVE_INFINITY);
  const start = await readStart(source);
  const bytes = joined(start, source);
  const compression = sniffCompression(start);
  return compression === "zstd" ? { compression: "none", bytes: decompress(bytes, options) } : { compression, bytes };
}

/** The compression that the first bytes of a stream show; at least four are needed. */
export function sniffCompression(start: Uint8Array): Compression {
  if (start[0] === 0x1f && start[1] === 0x8b) return "gzip";
  const isFrame = start[0] === 0x28 && start[1] === 0xb5 && start[2] === 0x2f && start[3] === 0xfd;
  const isSkippable = ((start[0] ?? 0) & 0xf0) === 0x50 && start[1] === 0x2a && start[2] === 0x4d && start[3] === 0x18;
  return isFrame || isSkippable ? "zstd" : "none";
}

/**
 * The bytes inside: gzip with any number of members, zstd with any number of frames, or the stream as it is where it starts like neither. zstd needs a Node that knows
 * it or the zstd program. Throws a MalformedLayerError where the compression is broken off or damaged.
 */
export async function* decompress(
  stream: AsyncIterable<Uint8Array>,
  options: DecompressOptions = {},
): AsyncGenerator<Uint8Array, void, void> {
  const { signal, maxBytes = defaultLimits.maxBytes } = options;
  const source = new ByteSource(stream, Number.POSITIVE_INFINITY);
  let total = 0;
  try {
    const start = await readStart(source);
    for await (const chunk of expand(sniffCompression(start), joined(start, source))) {
      signal?.throwIfAborted();
      total += chunk.length;
      if (total > maxBytes) throw new MalformedLayerError(`Malformed layer: more than ${maxBytes} bytes come out of it`);
      yield chunk;
    }
  } finally {
    await source.close();
  }
}

async function readStart(source: ByteSource): Promise<Buffer> {
  const parts: Buffer[] = [];
  for (let missing = 4; missing > 0; ) {
    const part = await source.next(missing);
    if (part === undefined) break;
    parts.push(part);
    missing -= part.length;
  }
  return Buffer.concat(parts);
}

async function* joined(start: Buffer, source: ByteSource): AsyncGenerator<Uint8Array, void, void> {
  if (start.length > 0) yield start;
  for (let chunk = await source.next(Number.POSITIVE_INFINITY); chunk !== undefined; chunk = await source.next(Number.POSITIVE_INFINITY))
    yield chunk;
}

function expand(compression: Compression, stream: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  if (compression === "none") return stream;
  if (compression === "gzip") return inflate(stream, zlib.createGunzip({ chunkSize: outputChunk }));
  return typeof zlib.createZstdDecompress === "function" ? expandFrames(stream) : expandOutside(stream);
}

async function* expandFrames(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
  for await (const frame of splitFrames(stream)) yield* inflate(frame, zlib.createZstdDecompress({ chunkSize: outputChunk }));
}

async function* expandOutside(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
  try {
    yield* runZstd(["-d"], stream);
  } catch (error) {
    if (!(error instanceof ProgramError)) throw error;
    throw new MalformedLayerError(`Malformed layer: its compressed bytes are damaged (${error.message})`, { cause: error });
  }
}

async function* inflate(
  stream: AsyncIterable<Uint8Array>,
  unpacker: zlib.Gunzip | zlib.ZstdDecompress,
): AsyncGenerator<Uint8Array, void, void> {
  const input = Readable.from(stream, { objectMode: false, highWaterMark: 1 << 20 });
  let inputError: unknown;
  input.on("error", (error) => {
    inputError = error;
    unpacker.destroy(error);
  });
  try {
    input.pipe(unpacker);
    yield* unpacker;
  } catch (error) {
    if (inputError !== undefined) throw inputError;
    throw nameFault(error);
  } finally {
    input.destroy();
    unpacker.destroy();
  }
}

function nameFault(error: unknown): unknown {
  const { code, message } = error as NodeJS.ErrnoException;
  if (!/^(Z_|ZSTD_|ERR_ZLIB|ERR_ZSTD)/.test(code ?? "")) return error;
  return new MalformedLayerError(
    `Malformed layer: its compressed bytes ${code === "Z_BUF_ERROR" ? "end too early" : "are damaged"} (${message})`,
    { cause: error },
  );
}
