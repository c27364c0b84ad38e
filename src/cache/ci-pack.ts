// Writes blobs, one after the other, into one entry of the cache service.

import { randomUUID } from "node:crypto";
import type { Digest } from "../image/digest.ts";
import type { Report } from "../report/report.ts";
import type { Entries, Reservation } from "./ci-entry.ts";
import type { Place } from "./ci-index.ts";
import { sendEntry, type TransferSizes } from "./ci-transfer.ts";
import type { CacheBlob } from "./store.ts";

export interface PackTools {
  readonly entries: Entries;
  readonly sizes: TransferSizes;
  readonly report: Report;
  /** Of the store. */
  readonly name: string;
}

/** Gives where each blob is now. One that cannot be read leaves a gap, a warning, and has no place. */
export async function sendBlobs(blobs: readonly CacheBlob[], tools: PackTools, signal: AbortSignal): Promise<ReadonlyMap<Digest, Place>> {
  const { entries, sizes, report, name } = tools;
  const { pack, reservation } = await reservePack(entries, signal);
  const places = new Map<Digest, Place>();
  const startedAt = Date.now();
  const size = await sendEntry(reservation, joinBlobs(blobs, pack, places, tools, signal), sizes, signal);
  report.emit({ kind: "debug", text: `Sent ${places.size} blobs, ${size} bytes, to ${name} in ${Date.now() - startedAt} ms` });
  return places;
}

async function reservePack(entries: Entries, signal: AbortSignal): Promise<{ readonly pack: string; readonly reservation: Reservation }> {
  // A request whose answer was lost is repeated, and meets its own first try.
  for (let turn = 1; ; turn++) {
    const pack = `slipway-pack-${randomUUID()}`;
    const reservation = await entries.reserve(pack, signal);
    if (reservation !== undefined) return { pack, reservation };
    if (turn === 3) throw new Error(`Cannot reserve cache entry "${pack}": the service says that there is one`);
  }
}

async function* joinBlobs(
  blobs: readonly CacheBlob[],
  pack: string,
  places: Map<Digest, Place>,
  { report, name }: PackTools,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, void> {
  let offset = 0;
  for (const blob of blobs) {
    const { digest } = blob.descriptor;
    const start = offset;
    try {
      for await (const chunk of blob.open(signal)) {
        offset += chunk.length;
        yield chunk;
      }
      places.set(digest, { pack, offset: start, size: offset - start });
    } catch (error) {
      signal.throwIfAborted();
      report.emit({ kind: "warning", text: `Cannot keep "${digest}" in ${name}: ${error instanceof Error ? error.message : error}` });
    }
  }
}
