// Compresses a layer in blocks, several at a time, so that its bytes depend on the compressor but not on how many cores there are.

import { promisify } from "node:util";
import zlib from "node:zlib";
import type { Compression } from "../image/image.ts";
import { runZstd, zstdVersion } from "./zstd-program.ts";

/** A way to compress; two with the same id give the same bytes for the same input. */
export interface Compressor {
  readonly id: string;
  readonly compression: Compression;
  readonly level: number;
  compress(stream: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array>;
}

// Bytes of input that become one gzip member, here and in the helper, or one zstd frame.
const gzipBlock = 1 << 20;
const zstdBlock = 2 << 20;
// As many as Node's thread pool has threads. Each holds a block and its result.
const inFlight = 4;
const gzip = promisify<Buffer, zlib.ZlibOptions, Buffer>(zlib.gzip);

/** The level to use, checked: gzip has 0 to 9 (default 6), zstd 1 to 22 (default 3). */
export function checkLevel(compression: "gzip" | "zstd", level: number | undefined): number {
  const [least, most, usual] = compression === "gzip" ? [0, 9, 6] : [1, 22, 3];
  if (level === undefined) return usual;
  if (Number.isInteger(level) && level >= least && level <= most) return level;
  throw new RangeError(`Cannot compress with ${compression} at level ${level}: its levels are ${least} to ${most}`);
}

/** What compresses in this process or through the zstd program; throws where zstd has neither. */
export async function openCompressor(compression: "gzip" | "zstd", wanted: number | undefined): Promise<Compressor> {
  const level = checkLevel(compression, wanted);
  if (compression === "gzip") return openGzip(level);
  if (typeof zlib.zstdCompress === "function") return openZstd(level);
  const id = `zstd-program-${await zstdVersion()}-${level}`;
  const args = ["-T1", ...(level > 19 ? ["--ultra"] : []), `-${level}`];
  return { id, compression, level, compress: (stream) => runZstd(args, stream) };
}

function openGzip(level: number): Compressor {
  // Node's zlib chooses its hash by the processor's instructions, and so its bytes.
  const id = `zlib-${process.versions.zlib}-${process.arch}-gzip-${level}-b1m`;
  const compressBlock = async (block: Buffer) => {
    const member = await gzip(block, { level, chunkSize: 256 << 10 });
    // The header's operating system byte: "unknown", as the helper has it.
    member[9] = 255;
    return member;
  };
  return { id, compression: "gzip", level, compress: (stream) => compressBlocks(stream, gzipBlock, compressBlock) };
}

function openZstd(level: number): Compressor {
  const id = `zstd-${process.versions.zstd}-${level}-b2m`;
  const compressFrame = promisify<Buffer, zlib.ZstdOptions, Buffer>(zlib.zstdCompress);
  const params = { [zlib.constants.ZSTD_c_compressionLevel]: level, [zlib.constants.ZSTD_c_checksumFlag]: 1 };
  const compressBlock = (block: Buffer) => compressFrame(block, { params, chunkSize: 1 << 20 });
  return { id, compression: "zstd", level, compress: (stream) => compressBlocks(stream, zstdBlock, compressBlock) };
}

/** Input blocks that are compressed and can be filled again: left to the garbage collector they would pile up faster than it notices. */
type Spare = Buffer[];

async function* cutBlocks(stream: AsyncIterable<Uint8Array>, size: number, spare: Spare): AsyncGenerator<Buffer, void, void> {
  let block: Buffer = Buffer.allocUnsafeSlow(size);
  let used = 0;
  for await (const chunk of stream) {
    for (let at = 0; at < chunk.length; ) {
      const count = Math.min(size - used, chunk.length - at);
      block.set(chunk.subarray(at, at + count), used);
      used += count;
      at += count;
      if (used < size) continue;
      yield block;
      block = spare.pop() ?? Buffer.allocUnsafeSlow(size);
      used = 0;
    }
  }
  if (used > 0) yield block.subarray(0, used);
}

async function* compressBlocks(
  stream: AsyncIterable<Uint8Array>,
  size: number,
  compressBlock: (block: Buffer) => Promise<Buffer>,
): AsyncGenerator<Buffer, void, void> {
  const running: { readonly block: Buffer; readonly result: Promise<Buffer> }[] = [];
  const spare: Spare = [];
  const finish = async ({ block, result }: (typeof running)[number]) => {
    const bytes = await result;
    if (block.length === size) spare.push(block);
    return bytes;
  };
  for await (const block of cutBlocks(stream, size, spare)) {
    const result = compressBlock(block);
    // Awaited in its turn; until then a failure must not count as unhandled.
    result.catch(() => {});
    running.push({ block, result });
    const first = running.length >= inFlight ? running.shift() : undefined;
    if (first !== undefined) yield await finish(first);
  }
  for (const next of running) yield await finish(next);
}
