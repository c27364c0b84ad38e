// The indexes of one scope: each is an entry of its own with a number in its key, and the newest counts.

import { createHash } from "node:crypto";
import { type BackOff, defaultBackOff, type Http, pause, waitBefore } from "../http/http.ts";
import type { Report } from "../report/report.ts";
import type { Entries } from "./ci-entry.ts";
import { type CiIndex, decodeIndex, emptyIndex, encodeIndex } from "./ci-index.ts";
import { readWhole, sendEntry, type TransferSizes } from "./ci-transfer.ts";

export interface Indexes {
  /** Empty where there is none; where it is damaged, with a warning. */
  newest(signal: AbortSignal): Promise<CiIndex>;
  /** Writes what `change` makes of the newest index as the next one; of a newer one where another build was faster. */
  replace(change: (index: CiIndex) => CiIndex, signal: AbortSignal): Promise<void>;
}

export interface IndexesTools {
  readonly entries: Entries;
  readonly http: Http;
  readonly report: Report;
  readonly sizes: TransferSizes;
  readonly backOff?: BackOff;
}

interface Numbered {
  readonly number: number;
  readonly index: CiIndex;
}

/** Packed. */
const mostBytes = 32 << 20;
/** How often a build gives way to others that write at the same time. */
const mostTurns = 10;
/** Between two turns, milliseconds: an index is written in less. */
const mostWait = 4000;
/** After as many turns whoever has taken a number, and not written its index, counts as dead. */
const patientTurns = 4;

export function openIndexes(prefix: string, tools: IndexesTools): Indexes {
  const { entries, http, report, sizes, backOff = defaultBackOff } = tools;
  let last: Numbered | undefined;

  async function newest(signal: AbortSignal): Promise<Numbered> {
    const found = await entries.find(prefix, "newest", signal);
    if (found === undefined) return { number: 0, index: emptyIndex };
    const number = Number(/^\d{1,15}$/.exec(found.key.slice(prefix.length))?.[0] ?? 0);
    if (last?.number !== number) {
      const bytes = await readWhole(found.url, mostBytes, `read cache entry "${found.key}"`, { http, backOff }, signal);
      last = { number, index: await decode(found.key, bytes) };
    }
    return last;
  }

  async function decode(key: string, bytes: Uint8Array): Promise<CiIndex> {
    try {
      return await decodeIndex(bytes);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      report.emit({ kind: "warning", text: `Cannot use cache entry "${key}": it is no index (${reason}); the cache counts as empty` });
      return emptyIndex;
    }
  }

  return {
    newest: async (signal) => (await newest(signal)).index,
    async replace(change, signal) {
      let { number, index } = await newest(signal);
      let next = number + 1;
      for (let turn = 1, waited = 0; turn <= mostTurns; turn++) {
        const reservation = await entries.reserve(`${prefix}${next}`, signal);
        if (reservation !== undefined) {
          const bytes = await encodeIndex(change(index));
          await sendEntry(reservation, once(bytes), sizes, signal);
          return;
        }
        await pause(waitBefore(turn + 1, { ...backOff, mostMs: Math.min(mostWait, backOff.mostMs) }) ?? 0, signal);
        ({ number, index } = await newest(signal));
        waited = number >= next ? 0 : waited + 1;
        next = number >= next ? number + 1 : waited >= patientTurns ? next + 1 : next;
      }
      throw new Error(`Cannot write cache entry "${prefix}${next}": other builds write without end`);
    },
  };
}

/** The key of a scope's indexes up to their number; `reference` is the git reference whose jobs write them. */
export function prefixOf(scope: string, reference: string): string {
  const readable = scope
    .toLowerCase()
    .replaceAll(/[^a-z0-9._-]/g, "-")
    .slice(0, 60);
  const hash = createHash("sha256")
    .update(JSON.stringify([scope, reference]))
    .digest("hex")
    .slice(0, 12);
  return `slipway-index-${readable === "" ? "" : `${readable}-`}${hash}-`;
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, void> {
  yield bytes;
}
