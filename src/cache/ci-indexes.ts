// The indexes of one scope: each is an entry of its own with a number in its key, and the newest counts.

import { createHash } from "node:crypto";
import { type BackOff, defaultBackOff, type Http, pause, waitBefore } from "../http/http.ts";
import type { Report } from "../report/report.ts";
import type { Entries, FoundEntry } from "./ci-entry.ts";
import { type CiIndex, decodeIndex, emptyIndex, encodeIndex, joinIndexes } from "./ci-index.ts";
import { readWhole, sendEntry, type TransferSizes } from "./ci-transfer.ts";

export interface Indexes {
  /** Empty where there is none; where it is damaged, with a warning. */
  newest(signal: AbortSignal): Promise<CiIndex>;
  /**
   * Writes what `change` makes of the newest index as the next one; of a newer one where another build was faster, and again where a newer
   * one does not hold what was to be written.
   */
  replace(change: (index: CiIndex) => CiIndex, holds: (index: CiIndex) => boolean, signal: AbortSignal): Promise<void>;
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
/** After as many pauses, some seconds, whoever has taken a number and not written its index counts as dead. */
const patience = 4;
/** Where so many seem dead the service does not mean what it says. */
const mostPassed = 4;

export function openIndexes(prefix: string, tools: IndexesTools): Indexes {
  const { entries, http, report, sizes, backOff = defaultBackOff } = tools;
  let last: Numbered | undefined;

  async function newest(signal: AbortSignal): Promise<Numbered> {
    const found = await entries.find(prefix, "newest", signal);
    if (found === undefined) return { number: 0, index: emptyIndex };
    const number = Number(/^\d{1,15}$/.exec(found.key.slice(prefix.length))?.[0] ?? 0);
    if (last?.number !== number) last = { number, index: await read(found, signal) };
    return last;
  }

  async function read({ key, url }: FoundEntry, signal: AbortSignal): Promise<CiIndex> {
    const bytes = await readWhole(url, mostBytes, `read cache entry "${key}"`, { http, backOff }, signal);
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
    async replace(change, holds, signal) {
      let base = await newest(signal);
      let next = base.number + 1;
      const passed = new Set<string>();
      const late: CiIndex[] = [];
      for (let waited = 0; ; ) {
        const key = `${prefix}${next}`;
        const reservation = await entries.reserve(key, signal);
        if (reservation !== undefined) {
          last = { number: next, index: change(late.reduce(joinIndexes, base.index)) };
          await sendEntry(reservation, once(await encodeIndex(last.index)), sizes, signal);
          // Whoever was passed over may be alive after all: the later of the two to finish sees the other's index.
          base = await newest(signal);
          const more = await readLate(passed, signal);
          if ((base.number <= next || holds(base.index)) && more.length === 0) return;
          late.push(...more);
          next = base.number + 1;
          continue;
        }
        await pause(waitBefore(waited + 2, backOff) ?? 0, signal);
        base = await newest(signal);
        const isBeaten = base.number >= next;
        waited = isBeaten ? 0 : waited + 1;
        if (isBeaten) next = base.number + 1;
        else if (waited >= patience) {
          if (passed.size === mostPassed) throw new Error(`Cannot write cache entry "${key}": the service says that there is one`);
          passed.add(key);
          next += 1;
          waited = 0;
        }
      }
    },
  };

  /** The indexes among these keys that were finished since; they are taken out of the set. */
  async function readLate(keys: Set<string>, signal: AbortSignal): Promise<readonly CiIndex[]> {
    const found = await Promise.all([...keys].map((key) => entries.find(key, "exact", signal)));
    const late = found.filter((entry) => entry !== undefined);
    for (const { key } of late) keys.delete(key);
    return Promise.all(late.map((entry) => read(entry, signal)));
  }
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
