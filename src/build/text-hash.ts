// The sha256 of many short texts: a hash takes longer to be called than to hash one of them.

import { createHash } from "node:crypto";

const enough = 1 << 13;

export class TextHash {
  readonly #hash = createHash("sha256");
  readonly #encoding: "utf8" | "latin1";
  #waiting = "";

  constructor(encoding: "utf8" | "latin1") {
    this.#encoding = encoding;
  }

  update(text: string): void {
    this.#waiting += text;
    if (this.#waiting.length < enough) return;
    this.#hash.update(this.#waiting, this.#encoding);
    this.#waiting = "";
  }

  /** Of all so far; more may follow. */
  digest(form: "hex" | "base64url"): string {
    return this.#hash.copy().update(this.#waiting, this.#encoding).digest(form);
  }
}
