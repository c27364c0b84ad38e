// A record as a file: a line with the digest of all that follows, a line about the blobs that it names, and its bytes.

import { type Digest, isDigest } from "../image/digest.ts";
import { digestOf } from "../image/encode.ts";
import { type Key, type NewRecord, recordLimit } from "./store.ts";

/** Of the whole file: a line for each of some thousand blobs has room beside the bytes. */
export const recordFileLimit = 2 * recordLimit;

export interface NamedBlob {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
}

/** A record that was read back. */
export interface KeptRecord {
  readonly bytes: Uint8Array;
  readonly blobs: readonly NamedBlob[];
}

const heading = "slipway record 1 ";
const newline = 0x0a;

export function encodeRecordFile({ key, bytes, blobs }: NewRecord): Buffer {
  checkRecordSize(bytes);
  const about = { key, blobs: blobs.map(({ descriptor: { digest, size } }) => ({ digest, size })) };
  const rest = Buffer.concat([Buffer.from(`${JSON.stringify(about)}\n`), bytes]);
  return Buffer.concat([Buffer.from(`${heading}${digestOf(rest)}\n`), rest]);
}

/** Throws an Error that says in a few words what is wrong with the file. */
export function decodeRecordFile(file: Buffer, key: Key): KeptRecord {
  const first = file.indexOf(newline);
  const title = file.subarray(0, Math.max(0, first)).toString("latin1");
  if (!title.startsWith(heading)) throw new Error("it is no record");
  const rest = file.subarray(first + 1);
  if (digestOf(rest) !== title.slice(heading.length)) throw new Error("it is damaged");
  const second = rest.indexOf(newline);
  const about = JSON.parse(rest.subarray(0, second).toString("utf8")) as { key?: unknown; blobs?: unknown };
  if (about.key !== key) throw new Error("it is the record of another key");
  return { bytes: rest.subarray(second + 1), blobs: readNamedBlobs(about.blobs) };
}

export function checkRecordSize(bytes: Uint8Array): void {
  if (bytes.byteLength > recordLimit)
    throw new Error(`Cannot keep a record of ${bytes.byteLength} bytes: ${recordLimit} is the most that stores take`);
}

/** A list of descriptors; throws where it is none. */
export function readNamedBlobs(value: unknown): readonly NamedBlob[] {
  if (!Array.isArray(value)) throw new Error("it does not say which blobs it needs");
  return value.map((item) => {
    const { digest, size } = (item ?? {}) as { digest?: unknown; size?: unknown };
    if (typeof digest !== "string" || !isDigest(digest) || typeof size !== "number" || !Number.isSafeInteger(size) || size < 0)
      throw new Error("it names a blob that cannot be");
    return { digest, size };
  });
}
