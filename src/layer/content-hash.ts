// The sha256 of a file's content that passes in chunks; most files are one chunk, and for those a hash object would cost more than the hashing.

import { createHash, hash } from "node:crypto";

export class ContentHash {
  readonly #size: number;
  #whole: Uint8Array | undefined;
  #hash: ReturnType<typeof createHash> | undefined;

  /** For content of `size` bytes. Chunks must stay as they are until the digest is taken. */
  constructor(size: number) {
    this.#size = size;
  }

  update(chunk: Uint8Array): void {
    if (chunk.length === this.#size) {
      this.#whole = chunk;
      return;
    }
    this.#hash ??= createHash("sha256");
    this.#hash.update(chunk);
  }

  /** 64 hex digits. */
  digest(): string {
    return this.#hash?.digest("hex") ?? hash("sha256", this.#whole ?? "", "hex");
  }
}
