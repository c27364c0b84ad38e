// Where each frame of a zstd stream ends: Node's decompressor stops after the first one, and layers are often made of many.
// See https://datatracker.ietf.org/doc/html/rfc8878#section-3.1 .

import { ByteSource, MalformedLayerError } from "./source.ts";

const frameMagic = 0xfd2fb528;
const isSkippable = (magic: number) => (magic & 0xfffffff0) >>> 0 === 0x184d2a50;

/** The data frames of a stream, one after the other, skippable frames left out. Each must be read to its end before the next. */
export async function* splitFrames(stream: AsyncIterable<Uint8Array>): AsyncGenerator<AsyncIterable<Uint8Array>, void, void> {
  const source = new ByteSource(stream, Number.POSITIVE_INFINITY);
  try {
    for (let start = await source.read(4); start !== undefined; start = await source.read(4)) {
      const magic = start.readUInt32LE();
      if (isSkippable(magic)) await skipFrame(source);
      else if (magic === frameMagic) yield readFrame(source, start);
      else throw new MalformedLayerError("Malformed layer: its zstd frames are followed by something else");
    }
  } finally {
    await source.close();
  }
}

async function skipFrame(source: ByteSource): Promise<void> {
  const size = (await mustRead(source, 4)).readUInt32LE();
  if ((await source.skip(size)) !== size) throw endsEarly();
}

async function* readFrame(source: ByteSource, magic: Buffer): AsyncGenerator<Uint8Array, void, void> {
  yield magic;
  const descriptor = await mustRead(source, 1);
  yield descriptor;
  const flags = descriptor[0] ?? 0;
  const isSingleSegment = (flags & 0x20) !== 0;
  const sizeBytes = [isSingleSegment ? 1 : 0, 2, 4, 8][flags >> 6] ?? 0;
  const dictionaryBytes = [0, 1, 2, 4][flags & 3] ?? 0;
  const headerBytes = (isSingleSegment ? 0 : 1) + dictionaryBytes + sizeBytes;
  if (headerBytes > 0) yield await mustRead(source, headerBytes);
  for (let isLast = false; !isLast; ) {
    const header = await mustRead(source, 3);
    yield header;
    const bits = header.readUIntLE(0, 3);
    isLast = (bits & 1) === 1;
    const isRepeated = ((bits >> 1) & 3) === 1;
    for (let left = isRepeated ? 1 : bits >> 3; left > 0; ) {
      const part = await source.next(left);
      if (part === undefined) throw endsEarly();
      left -= part.length;
      yield part;
    }
  }
  if (flags & 4) yield await mustRead(source, 4);
}

async function mustRead(source: ByteSource, count: number): Promise<Buffer> {
  const bytes = await source.read(count);
  if (bytes === undefined) throw endsEarly();
  return bytes;
}

function endsEarly(): MalformedLayerError {
  return new MalformedLayerError("Malformed layer: its compressed bytes end too early");
}
