// A helper that is told in frames what to do, one after the other, until it hears that this was all.

import { FrameWriter } from "./frames.ts";
import type { HelperProcess } from "./helper.ts";

/** Marks that the helper no longer listens or answers; its exit tells why. */
export const helperGone = new Error("the helper ended early");

export class Session {
  readonly process: HelperProcess;
  readonly frames: FrameWriter;

  constructor(process: HelperProcess) {
    this.process = process;
    this.frames = new FrameWriter(process.stdin);
  }

  /** Ends a frame as `FrameWriter` does; throws `helperGone` where nobody takes it. */
  end(): Promise<void> | undefined {
    const wait = this.frames.end();
    if (this.process.stdin.destroyed) throw helperGone;
    return wait;
  }

  /** Says that this was all; throws what the helper could not do. `action` is what it was there for. */
  async finish(action: string): Promise<void> {
    this.frames.begin("Z").end();
    await this.frames.flush();
    this.process.stdin.end();
    const { code, signal, stderr } = await this.process.exited;
    if (code !== 0) throw new Error(stderr || `Cannot ${action}: the helper ended with ${signal ?? `exit code ${code}`}`);
  }

  /** Ends the helper without finishing, and throws `reason`; its own error, if it had one, wins. */
  async fail(reason: unknown): Promise<never> {
    this.process.stdin.destroy();
    const { code, stderr } = await this.process.exited;
    if (code === 0 || stderr === "" || stderr.endsWith("the builder went away")) throw reason;
    throw reason === helperGone ? new Error(stderr) : new Error(stderr, { cause: reason });
  }
}
