// Sends an entry to the cache service in parts, and reads some bytes of one; several parts are under way at a time.

import { type BackOff, defaultBackOff, type Http, HttpError, pause, waitBefore } from "../http/http.ts";
import { type Part, type Reservation, refusalOf } from "./ci-entry.ts";

/** Sizes in bytes, and how many parts are under way; their product is what is held in memory. */
export interface TransferSizes {
  readonly sent: number;
  readonly sentAtOnce: number;
  readonly read: number;
  readonly readAtOnce: number;
}

export const defaultSizes: TransferSizes = { sent: 8 << 20, sentAtOnce: 8, read: 4 << 20, readAtOnce: 4 };

const mostRefusal = 1 << 20;

/** Sends all bytes and finishes the entry; gives how many they were. */
export async function sendEntry(
  reservation: Reservation,
  bytes: AsyncIterable<Uint8Array>,
  sizes: TransferSizes,
  signal: AbortSignal,
): Promise<number> {
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  /** Used again and again: fresh ones of this size cost more in garbage collection than all the rest of the work. */
  const free: Buffer[] = [];
  const parts = splitParts(bytes, () => free.pop() ?? Buffer.allocUnsafeSlow(sizes.sent));
  let size = 0;
  // A generator serves those who wait for its next part one after the other.
  const sendParts = async () => {
    for (let next = await parts.next(); !next.done; next = await parts.next()) {
      const { buffer, ...part } = next.value;
      size += part.bytes.length;
      await reservation.send(part, either);
      free.push(buffer);
    }
  };
  const senders = Array.from({ length: sizes.sentAtOnce }, sendParts);
  try {
    await Promise.all(senders);
  } catch (error) {
    stop.abort(error);
    throw error;
  } finally {
    await Promise.allSettled(senders);
    await parts.return();
  }
  await reservation.finish(size, signal);
  return size;
}

async function* splitParts(
  bytes: AsyncIterable<Uint8Array>,
  takeBuffer: () => Buffer,
): AsyncGenerator<Part & { readonly buffer: Buffer }, void, void> {
  let buffer = takeBuffer();
  let offset = 0;
  let size = 0;
  for await (const chunk of bytes) {
    for (let at = 0; at < chunk.length; ) {
      // A full part goes when there is more to come: only then it is known not to be the whole.
      if (size === buffer.length) {
        yield { offset, bytes: buffer, isWhole: false, buffer };
        offset += size;
        size = 0;
        buffer = takeBuffer();
      }
      const piece = chunk.subarray(at, at + buffer.length - size);
      buffer.set(piece, size);
      size += piece.length;
      at += piece.length;
    }
  }
  yield { offset, bytes: buffer.subarray(0, size), isWhole: offset === 0, buffer };
}

/** Gives an entry's URL, another one than that which was refused. */
export type Address = (refused: string | undefined, signal: AbortSignal) => Promise<string>;

export interface ReadTools {
  readonly http: Http;
  readonly sizes: TransferSizes;
  readonly backOff?: BackOff;
}

/** Some bytes of an entry, in order; fails where they are fewer. */
export async function* readEntry(
  address: Address,
  { offset, size }: { readonly offset: number; readonly size: number },
  action: string,
  tools: ReadTools,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, void> {
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  const pending: Promise<readonly Uint8Array[]>[] = [];
  let at = 0;
  try {
    while (at < size || pending.length > 0) {
      while (at < size && pending.length < tools.sizes.readAtOnce) {
        const length = Math.min(tools.sizes.read, size - at);
        const part = readRange(address, offset + at, length, action, tools, either);
        part.catch(() => {});
        pending.push(part);
        at += length;
      }
      yield* (await pending.shift()) ?? [];
    }
  } finally {
    stop.abort();
  }
}

async function readRange(
  address: Address,
  offset: number,
  length: number,
  action: string,
  tools: ReadTools,
  signal: AbortSignal,
): Promise<readonly Uint8Array[]> {
  const headers = { range: `bytes=${offset}-${offset + length - 1}` };
  let refused: string | undefined;
  return patiently(tools, signal, async () => {
    for (;;) {
      const url = await address(refused, signal);
      const response = await tools.http.request("GET", url, { headers, signal });
      if (response.status === 206) return collect(response.body, 0, length, action);
      if (response.status === 200) return collect(response.body, offset, length, action);
      const text = Buffer.from(await response.bytes(mostRefusal)).toString();
      // Signed URLs are good for ten minutes or so.
      const isExpired = (response.status === 401 || response.status === 403) && refused === undefined;
      if (!isExpired) throw refusalOf({ status: response.status, body: {}, text }, action);
      refused = url;
    }
  });
}

/** An entry of at most `limit` bytes, by a URL that was just given. */
export async function readWhole(
  url: string,
  limit: number,
  action: string,
  tools: Pick<ReadTools, "http" | "backOff">,
  signal: AbortSignal,
): Promise<Uint8Array> {
  return patiently(tools, signal, async () => {
    const response = await tools.http.request("GET", url, { signal });
    if (response.status === 200) return response.bytes(limit);
    const text = Buffer.from(await response.bytes(mostRefusal)).toString();
    throw refusalOf({ status: response.status, body: {}, text }, action);
  });
}

/** Starts again where the connection ends in the middle of an answer; before there is one the client itself does. */
async function patiently<T>(
  { backOff = defaultBackOff }: Pick<ReadTools, "backOff">,
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T> {
  for (let turn = 1; ; turn++) {
    try {
      return await work();
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof HttpError) || !error.isTransient || turn >= backOff.tries) throw error;
      await pause(waitBefore(turn + 1, backOff) ?? 0, signal);
    }
  }
}

async function collect(body: AsyncIterable<Uint8Array>, skip: number, length: number, action: string): Promise<readonly Uint8Array[]> {
  const chunks: Uint8Array[] = [];
  let passed = 0;
  let size = 0;
  for await (const chunk of body) {
    const piece = chunk.subarray(Math.max(0, skip - passed)).subarray(0, length - size);
    passed += chunk.length;
    if (piece.length > 0) chunks.push(piece);
    size += piece.length;
    // A body that is read to its end leaves the connection for the next request.
    if (passed > skip + length) break;
  }
  if (size < length) throw new Error(`Cannot ${action}: the entry ends ${length - size} bytes too early`);
  return chunks;
}
