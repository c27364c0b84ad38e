// Counts the bytes of layers and tells the report how each transfer goes.

import type { Descriptor } from "../image/image.ts";
import type { Report } from "../report/report.ts";

/** One blob on its way. */
export interface Transfer {
  /** Bytes that came or went just now; fewer than nothing where a transfer starts again. */
  add(bytes: number): void;
  end(done: "transferred" | "mounted" | "exists"): void;
}

export interface Transfers {
  start(direction: "pull" | "push", where: string, descriptor: Descriptor): Transfer;
  count(direction: "pull" | "push", bytes: number): void;
  totals(): { readonly downloaded: number; readonly uploaded: number };
}

/** Reports come no closer than this. */
const intervalMs = 100;

export function openTransfers(report: Report): Transfers {
  const totals = { pull: 0, push: 0 };
  return {
    start(direction, where, { digest, size }) {
      const what = `${where}@${digest}`;
      let bytes = 0;
      let toldAt = 0;
      const tell = () => {
        toldAt = Date.now();
        report.emit({ kind: "transfer", direction, what, bytes: Math.min(bytes, size), total: size });
      };
      return {
        add(more) {
          bytes = Math.max(0, bytes + more);
          if (Date.now() - toldAt >= intervalMs) tell();
        },
        end(done) {
          report.emit({ kind: "transfer", direction, what, bytes: size, total: size, done });
        },
      };
    },
    count(direction, bytes) {
      totals[direction] += bytes;
    },
    totals: () => ({ downloaded: totals.pull, uploaded: totals.push }),
  };
}
