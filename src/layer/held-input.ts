// Hands a stream of bytes on to the helper.

import { once } from "node:events";
import type { Readable, Writable } from "node:stream";

export class HeldInput {
  readonly #to: Writable;
  readonly #done: Promise<void>;

  /** What goes wrong with the bytes also ends `answers`, with the same error: the helper must not take what came so far for all. */
  constructor(bytes: AsyncIterable<Uint8Array>, to: Writable, answers: Readable) {
    this.#to = to;
    to.on("error", () => {});
    answers.on("error", () => {});
    this.#done = this.#send(bytes).catch((error: Error) => void answers.destroy(error));
  }

  /** Resolves when all bytes have been handed on, and so verified. */
  get done(): Promise<void> {
    return this.#done;
  }

  close(): void {
    this.#to.destroy();
  }

  async #send(bytes: AsyncIterable<Uint8Array>): Promise<void> {
    const closed = new Promise((resolve) => this.#to.once("close", resolve));
    for await (const chunk of bytes) {
      if (this.#to.destroyed) return;
      if (!this.#to.write(chunk)) await Promise.race([once(this.#to, "drain").catch(() => {}), closed]);
    }
    this.#to.end();
  }
}
