// Keeps directories from being swept while a build uses them.

import type { Helper, HelperProcess } from "../helper/helper.ts";

/** Locks that live as long as one helper process: the kernel drops them whatever ends it. */
export class Hold {
  readonly #helper: Helper;
  #process: HelperProcess | undefined;
  #answers: AsyncIterator<Buffer> | undefined;
  #pending: Buffer = Buffer.alloc(0);
  #last: Promise<unknown> = Promise.resolve();

  constructor(helper: Helper) {
    this.#helper = helper;
  }

  /** Locks a directory until `close`, together with others or alone; false where there is none, or somebody else's lock. */
  take(directory: string, how: "shared" | "alone" = "shared"): Promise<boolean> {
    const taken = this.#last.then(() => this.#ask(directory, how === "alone" ? 2 : 1));
    this.#last = taken.catch(() => {});
    return taken;
  }

  async #ask(directory: string, kind: number): Promise<boolean> {
    if (this.#process === undefined) {
      this.#process = this.#helper.start(["run", "hold"]);
      this.#answers = this.#process.stdout[Symbol.asyncIterator]();
    }
    const path = Buffer.from(`${directory}\0`);
    const head = Buffer.alloc(9);
    head.writeUInt32LE(4 + path.length, 0);
    head[4] = kind;
    head.writeUInt32LE(path.length - 1, 5);
    this.#process.stdin.write(Buffer.concat([head, path]));
    while (this.#pending.length === 0) {
      const next = await this.#answers?.next();
      if (next === undefined || next.done) throw new Error(`Cannot lock "${directory}": ${(await this.#process.exited).stderr}`);
      this.#pending = next.value;
    }
    const answer = this.#pending[0];
    this.#pending = this.#pending.subarray(1);
    return answer === 1;
  }

  async close(): Promise<void> {
    this.#process?.stdin.end();
    this.#process?.stdout.resume();
    await this.#process?.exited;
  }
}
