// Writes to a named pipe, for whose reader one may have to wait, so that it can be interrupted at any moment.

import { constants, open } from "node:fs";
import { Socket } from "node:net";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";

const pollMs = 50;
/** A reader that has not come by then does not come, and a job that waits for it forever helps nobody. */
const patienceMs = 30_000;

/** Waits for a reader, 30 seconds at most, and writes. A blocking call would hold one of Node's threads, and the process, past every signal. */
export async function writePipe(target: string, bytes: AsyncIterable<Uint8Array>, signal?: AbortSignal): Promise<void> {
  // The socket closes the descriptor.
  const socket = new Socket({ fd: await waitForReader(target, signal), readable: false, writable: true });
  try {
    await pipeline(bytes, socket, signal === undefined ? {} : { signal });
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}

async function waitForReader(target: string, signal: AbortSignal | undefined): Promise<number> {
  const end = Date.now() + patienceMs;
  for (;;) {
    signal?.throwIfAborted();
    try {
      return await promisify(open)(target, constants.O_WRONLY | constants.O_NONBLOCK);
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "ENXIO")) throw error;
      if (Date.now() > end)
        throw new Error(`no program has opened this pipe for reading within ${patienceMs / 1000} seconds`, { cause: error });
    }
    await sleep(pollMs);
  }
}
