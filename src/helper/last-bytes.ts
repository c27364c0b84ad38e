// The end of a stream, as much of it as an error's text has room for.

const kept = 1 << 16;

export class LastBytes {
  readonly #chunks: Buffer[] = [];
  #size = 0;

  add(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    while (this.#size - (this.#chunks[0]?.length ?? 0) >= kept) this.#size -= this.#chunks.shift()?.length ?? 0;
  }

  /** At most the last 64 KiB, without white space at their end. */
  text(): string {
    return Buffer.concat(this.#chunks).subarray(-kept).toString().trimEnd();
  }
}
