// Checks bytes against the digest and size that they should have, while they pass.

import { createHash } from "node:crypto";
import type { Digest } from "../image/digest.ts";

/** What bytes should be; a size that is not known is not checked. */
export interface Expected {
  readonly digest: Digest;
  readonly size?: number;
}

/** The bytes are not those that were asked for. */
export class DigestMismatchError extends Error {
  override readonly name = "DigestMismatchError";
}

/** Passes a stream on; fails before its last chunk is handed out where size or digest are wrong, and at once where it is too long. */
export async function* verifyBytes(stream: AsyncIterable<Uint8Array>, expected: Expected): AsyncGenerator<Uint8Array, void, void> {
  const hash = createHash("sha256");
  let size = 0;
  let held: Uint8Array | undefined;
  for await (const chunk of stream) {
    size += chunk.length;
    if (expected.size !== undefined && size > expected.size)
      throw new DigestMismatchError(`Cannot read blob "${expected.digest}": it is longer than its ${expected.size} bytes`);
    hash.update(chunk);
    if (held !== undefined) yield held;
    held = chunk;
  }
  if (expected.size !== undefined && size !== expected.size)
    throw new DigestMismatchError(`Cannot read blob "${expected.digest}": it ends after ${size} of ${expected.size} bytes`);
  const digest = `sha256:${hash.digest("hex")}`;
  if (digest !== expected.digest)
    throw new DigestMismatchError(`Cannot read blob "${expected.digest}": its bytes have the digest ${digest}`);
  if (held !== undefined) yield held;
}
