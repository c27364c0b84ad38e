// Counts the blobs that are on their way and those that have arrived.

import { formatSize } from "./quantity.ts";
import type { Event } from "./report.ts";

export type Transfer = Extract<Event, { kind: "transfer" }>;

const verbs = { pull: ["Downloading", "downloaded"], push: ["Uploading", "uploaded"] } as const;

export interface Transfers {
  note(transfer: Transfer): void;
  readonly running: readonly Transfer[];
  /** One line per direction with something under way that has moved since the last call. */
  describeProgress(): string[];
  /** What was moved in all; undefined when nothing was. */
  describeTotal(): string | undefined;
}

export function countTransfers(): Transfers {
  const running = new Map<string, Transfer>();
  const ended = { pull: new Map<string, Tally>(), push: new Map<string, Tally>() };
  let told = "";
  return {
    note(transfer) {
      const key = `${transfer.direction} ${transfer.what}`;
      if (transfer.done === undefined) {
        running.set(key, transfer);
        return;
      }
      running.delete(key);
      const tally = ended[transfer.direction].get(transfer.done) ?? { blobs: 0, bytes: 0 };
      ended[transfer.direction].set(transfer.done, { blobs: tally.blobs + 1, bytes: tally.bytes + transfer.bytes });
    },
    get running() {
      return [...running.values()];
    },
    describeProgress() {
      const lines = (["pull", "push"] as const).flatMap((direction) => {
        const blobs = [...running.values()].filter((transfer) => transfer.direction === direction);
        if (blobs.length === 0) return [];
        const sum = (size: (blob: Transfer) => number) => formatSize(blobs.reduce((total, blob) => total + size(blob), 0));
        return [`${verbs[direction][0]} ${countBlobs(blobs.length)}: ${sum((blob) => blob.bytes)} of ${sum((blob) => blob.total)}`];
      });
      const text = lines.join("\n");
      if (text === told) return [];
      told = text;
      return lines;
    },
    describeTotal() {
      const parts = (["pull", "push"] as const).flatMap((direction) => {
        const moved = ended[direction].get("transferred");
        const mounted = ended[direction].get("mounted")?.blobs ?? 0;
        const there = ended[direction].get("exists")?.blobs ?? 0;
        return [
          ...(moved === undefined ? [] : [`${verbs[direction][1]} ${formatSize(moved.bytes)} in ${countBlobs(moved.blobs)}`]),
          ...(mounted === 0 ? [] : [`mounted ${countBlobs(mounted)}`]),
          ...(there === 0 ? [] : [`${countBlobs(there)} already there`]),
        ];
      });
      const text = parts.join(", ");
      return text === "" ? undefined : text.charAt(0).toUpperCase() + text.slice(1);
    },
  };
}

interface Tally {
  readonly blobs: number;
  readonly bytes: number;
}

function countBlobs(count: number): string {
  return `${count} ${count === 1 ? "blob" : "blobs"}`;
}
