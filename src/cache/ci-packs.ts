// The entries that hold blobs: whether they are still there, and the URLs that their bytes come from.

import { openShared } from "../http/http.ts";
import type { Entries } from "./ci-entry.ts";
import type { Place } from "./ci-index.ts";
import type { Address } from "./ci-transfer.ts";

export interface Packs {
  /**
   * Looks up those that were not yet, all at once. The service removes what is not asked for during a week, so this also keeps entries
   * whose bytes are seldom needed.
   */
  check(places: readonly Pick<Place, "pack">[], signal: AbortSignal): Promise<void>;
  /** Known to be removed. */
  isGone(pack: string): boolean;
  address(pack: string): Address;
}

export function openPacks(entries: Entries): Packs {
  const shared = openShared<string | undefined>();
  /** How many URLs of an entry were refused. */
  const refusals = new Map<string, number>();
  const gone = new Set<string>();

  async function lookUp(pack: string, signal: AbortSignal): Promise<string | undefined> {
    const turn = `${refusals.get(pack) ?? 0} ${pack}`;
    const url = await shared.get(turn, async (either) => (await entries.find(pack, "exact", either))?.url, signal);
    if (url === undefined) gone.add(pack);
    return url;
  }

  return {
    async check(places, signal) {
      await Promise.all([...new Set(places.map(({ pack }) => pack))].map((pack) => lookUp(pack, signal)));
    },
    isGone: (pack) => gone.has(pack),
    address: (pack) => async (refused, signal) => {
      const turn = refusals.get(pack) ?? 0;
      let url = await lookUp(pack, signal);
      if (url !== undefined && url === refused) {
        // Of several readers that were refused, one asks for all.
        if ((refusals.get(pack) ?? 0) === turn) refusals.set(pack, turn + 1);
        url = await lookUp(pack, signal);
      }
      if (url === undefined) throw new Error(`cache entry "${pack}" has been removed`);
      return url;
    },
  };
}
