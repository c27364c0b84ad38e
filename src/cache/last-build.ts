// What the last build of a name left of its stages: where their layers lie, for each step, without asking for it.

import type { Digest } from "../image/digest.ts";
import type { ChainRecord, LastRecord, RecordedLayer, StageRecord } from "./record.ts";
import type { Key, Store } from "./store.ts";

/** A record, and the store that has what it names. */
export interface Found<T> {
  readonly record: T;
  readonly store: Store;
}

export class LastBuild {
  readonly #hints = new Map<Key, ChainRecord>();
  readonly #stages = new Map<string, StageRecord>();
  readonly #text: string;
  readonly store: Store;

  constructor({ record, store }: Found<LastRecord>) {
    this.store = store;
    this.#text = JSON.stringify(record);
    for (const stage of record.chains) {
      this.#stages.set(stage.keys.join(), stage);
      const below = stage.layers.length - stage.keys.length;
      for (const [i, state] of stage.keys.entries()) {
        // Which of the steps it was that ran under limits is not known here.
        if (stage.fidelity !== "full" && i + 1 < stage.keys.length) continue;
        this.#hints.set(state, { kind: "chain", layers: stage.layers.slice(0, below + i + 1), fidelity: stage.fidelity });
      }
    }
  }

  /** What a stage had after a step. */
  hint(key: Key): Found<ChainRecord> | undefined {
    const record = this.#hints.get(key);
    return record && { record, store: this.store };
  }

  /** What it had of a stage with just these steps. */
  stage(keys: readonly Key[]): StageRecord | undefined {
    return this.#stages.get(keys.join());
  }

  is(record: LastRecord): boolean {
    return JSON.stringify(record) === this.#text;
  }
}

/** Whether one of the blobs that a layer needs is among those that could not be read. */
export function needsAny({ variants, index }: RecordedLayer, lost: ReadonlySet<Digest>): boolean {
  return lost.has(index.digest) || variants.some(({ digest }) => lost.has(digest));
}
