// The records of PAX extended headers, with values as raw bytes.
// See https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html#tag_20_92_13_03 .

import { MalformedLayerError } from "./source.ts";

/** Keywords and values as latin1; where a keyword comes twice the last one counts. */
export interface PaxRecords {
  readonly values: ReadonlyMap<string, string>;
  /** Offsets and lengths by turns: GNU's sparse format 0.0 repeats its two keywords for each piece. */
  readonly sparsePieces: readonly string[];
}

const xattrPrefix = "SCHILY.xattr.";

/** Reads the content of an extended header; throws where a record is not what its length says. */
export function parsePax(bytes: Buffer): PaxRecords {
  const values = new Map<string, string>();
  const sparsePieces: string[] = [];
  for (let start = 0; start < bytes.length; ) {
    const space = bytes.indexOf(0x20, start);
    const digits = space < 0 || space - start > 10 ? "" : bytes.toString("latin1", start, space);
    const end = start + Number(digits);
    if (!/^\d+$/.test(digits) || end > bytes.length || end < space + 3 || bytes[end - 1] !== 0x0a)
      throw new MalformedLayerError("PAX record of wrong length");
    const equals = bytes.indexOf(0x3d, space);
    if (equals <= space + 1 || equals >= end) throw new MalformedLayerError("PAX record without keyword");
    const key = bytes.toString("latin1", space + 1, equals);
    const value = bytes.toString("latin1", equals + 1, end - 1);
    if (key.includes("\0") || (!key.startsWith(xattrPrefix) && value.includes("\0")))
      throw new MalformedLayerError(`PAX record ${JSON.stringify(key)} holds a NUL byte`);
    addSparsePiece(sparsePieces, key, value);
    values.set(key, value);
    start = end;
  }
  if (sparsePieces.length % 2 !== 0) throw new MalformedLayerError("sparse map ends in the middle");
  return { values, sparsePieces };
}

function addSparsePiece(pieces: string[], key: string, value: string): void {
  const isOffset = key === "GNU.sparse.offset";
  if (!isOffset && key !== "GNU.sparse.numbytes") return;
  if ((pieces.length % 2 === 0) !== isOffset) throw new MalformedLayerError("sparse map out of order");
  pieces.push(value);
}

/** The extended attributes among the records. */
export function xattrsOf({ values }: PaxRecords): ReadonlyMap<string, string> | undefined {
  let xattrs: Map<string, string> | undefined;
  for (const [key, value] of values) {
    if (!key.startsWith(xattrPrefix) || key.length === xattrPrefix.length) continue;
    xattrs ??= new Map();
    xattrs.set(key.slice(xattrPrefix.length), value);
  }
  return xattrs;
}

/** A whole number of at least 0 in decimal digits, as sizes, owners and sparse maps have it. */
export function parseDecimal(text: string, what: string): number {
  const value = Number(text);
  if (!/^\d{1,19}$/.test(text) || !Number.isSafeInteger(value))
    throw new MalformedLayerError(`${what} ${JSON.stringify(text)} is no number`);
  return value;
}

/** Seconds and a fraction; the fraction always counts forward, so -1.5 is two seconds before 1970 and half a second. */
export function parseTime(text: string): { readonly seconds: number; readonly nanoseconds: number } {
  const match = /^(-?)(\d{1,16})(?:\.(\d*))?$/.exec(text);
  const whole = Number(match?.[2]);
  if (match === null || !Number.isSafeInteger(whole)) throw new MalformedLayerError(`time ${JSON.stringify(text)} is no number`);
  const nanoseconds = Number((match[3] ?? "").slice(0, 9).padEnd(9, "0"));
  if (match[1] === "") return { seconds: whole, nanoseconds };
  return nanoseconds === 0 ? { seconds: 0 - whole, nanoseconds } : { seconds: -whole - 1, nanoseconds: 1_000_000_000 - nanoseconds };
}

/** Records in the order of their keywords, values as latin1. */
export function formatPax(values: ReadonlyMap<string, string>): Buffer {
  const records = [...values].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, value]) => formatRecord(` ${key}=${value}\n`));
  return Buffer.from(records.join(""), "latin1");
}

// The length counts its own digits.
function formatRecord(rest: string): string {
  let length = rest.length + String(rest.length).length;
  length = rest.length + String(length).length;
  return `${length}${rest}`;
}

/** The record that carries an extended attribute. */
export function xattrRecord(name: string): string {
  return xattrPrefix + name;
}
