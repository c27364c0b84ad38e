// The 512-byte header blocks of tar archives, in their V7, ustar and GNU forms.
// See https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html#tag_20_92_13_06 and https://www.gnu.org/software/tar/manual/html_node/Standard.html .

import type { RawPath } from "./entry.ts";
import { MalformedLayerError } from "./source.ts";

export const blockSize = 512;

/** The fields of one header block as they stand there; extended headers may override them. */
export interface Header {
  /** The type flag's character. */
  readonly flag: string;
  readonly name: RawPath;
  readonly link: RawPath;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtime: number;
  readonly devMajor: number;
  readonly devMinor: number;
}

/** How many bytes of padding follow `size` bytes of content. */
export function paddingOf(size: number): number {
  return (blockSize - (size % blockSize)) % blockSize;
}

export function isZeroBlock(block: Buffer): boolean {
  for (let i = 0; i < blockSize; i++) if (block[i] !== 0) return false;
  return true;
}

/** Reads a header block; throws where its checksum or a number in it is wrong. */
export function parseHeader(block: Buffer): Header {
  if (!hasChecksum(block)) throw new MalformedLayerError("wrong header checksum");
  const magic = block.toString("latin1", 257, 265);
  const isUstar = magic.startsWith("ustar\0");
  const isGnu = magic === "ustar  \0";
  const flag = String.fromCharCode(block[156] ?? 0);
  const isDevice = flag === "3" || flag === "4";
  const isStar = isUstar && block.toString("latin1", 508, 512) === "tar\0";
  const prefix = isUstar ? parseText(block, 345, isStar ? 131 : 155) : "";
  const name = parseText(block, 0, 100);
  return {
    flag,
    name: prefix === "" ? name : `${prefix}/${name}`,
    link: parseText(block, 157, 100),
    mode: parseNumber(block, 100, 8, "mode"),
    uid: parseNumber(block, 108, 8, "uid"),
    gid: parseNumber(block, 116, 8, "gid"),
    size: parseNumber(block, 124, 12, "size"),
    mtime: parseNumber(block, 136, 12, "mtime"),
    devMajor: isDevice && (isUstar || isGnu) ? parseNumber(block, 329, 8, "device number") : 0,
    devMinor: isDevice && (isUstar || isGnu) ? parseNumber(block, 337, 8, "device number") : 0,
  };
}

function hasChecksum(block: Buffer): boolean {
  const expected = parseNumber(block, 148, 8, "checksum");
  return expected === sumBlock(block, (byte) => byte) || expected === sumBlock(block, signed);
}

// Some old writers summed signed bytes.
const signed = (byte: number) => (byte > 127 ? byte - 256 : byte);

function sumBlock(block: Buffer, value: (byte: number) => number): number {
  let sum = 8 * 0x20;
  for (let i = 0; i < 148; i++) sum += value(block[i] ?? 0);
  for (let i = 156; i < blockSize; i++) sum += value(block[i] ?? 0);
  return sum;
}

/** The text up to the first NUL. */
function parseText(block: Buffer, offset: number, length: number): RawPath {
  const end = block.indexOf(0, offset);
  return block.toString("latin1", offset, end < 0 || end > offset + length ? offset + length : end);
}

/** A number in octal digits, or in base 256 where the first bit is set; `what` names it in errors. */
export function parseNumber(block: Buffer, offset: number, length: number, what: string): number {
  const first = block[offset] ?? 0;
  if (first & 0x80) return parseBase256(block, offset, length, what);
  let value = 0;
  let digits = 0;
  let ended = false;
  for (let i = offset; i < offset + length; i++) {
    const byte = block[i] ?? 0;
    if (byte === 0x20 || byte === 0) {
      ended = digits > 0;
      if (byte === 0 && ended) break;
    } else if (byte >= 0x30 && byte <= 0x37 && !ended) {
      value = value * 8 + byte - 0x30;
      digits += 1;
    } else throw new MalformedLayerError(`${what} is no number`);
  }
  return value;
}

function parseBase256(block: Buffer, offset: number, length: number, what: string): number {
  const isNegative = ((block[offset] ?? 0) & 0x40) !== 0;
  let value = BigInt((block[offset] ?? 0) & 0x3f) - (isNegative ? 0x40n : 0n);
  for (let i = offset + 1; i < offset + length; i++) value = (value << 8n) | BigInt(block[i] ?? 0);
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw new MalformedLayerError(`${what} ${value} is out of range`);
  return number;
}

/** What a header block is made from; numbers must fit its fields. */
export interface HeaderFields extends Header {
  /** Leading directories, for names longer than 100 bytes. */
  readonly prefix: RawPath;
}

/** A ustar header block. User and group names stay empty. */
export function formatHeader(fields: HeaderFields): Buffer {
  // From Node's pool: a separate allocation for each of many headers costs more than the header.
  const block = Buffer.allocUnsafe(blockSize).fill(0);
  block.write(fields.name, 0, 100, "latin1");
  writeOctal(block, fields.mode, 100, 8);
  writeOctal(block, fields.uid, 108, 8);
  writeOctal(block, fields.gid, 116, 8);
  writeOctal(block, fields.size, 124, 12);
  writeOctal(block, fields.mtime, 136, 12);
  block.write("        ", 148, 8, "latin1");
  block.write(fields.flag, 156, 1, "latin1");
  block.write(fields.link, 157, 100, "latin1");
  block.write("ustar\x0000", 257, 8, "latin1");
  writeOctal(block, fields.devMajor, 329, 8);
  writeOctal(block, fields.devMinor, 337, 8);
  block.write(fields.prefix, 345, 155, "latin1");
  let sum = 0;
  for (let i = 0; i < blockSize; i++) sum += block[i] ?? 0;
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, 8, "latin1");
  return block;
}

function writeOctal(block: Buffer, value: number, offset: number, length: number): void {
  block.write(value.toString(8).padStart(length - 1, "0"), offset, length - 1, "latin1");
}
