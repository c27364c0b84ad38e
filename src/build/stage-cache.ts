// The cache as one stage sees it: where it can go on, and under which keys its steps are kept.

import type { Cache, CachedLayer, Chain, Key } from "../cache/cache.ts";
import { originsOf, type StagePlan, type Step } from "./plan.ts";
import { type CachePolicy, type Hit, isCounted } from "./resume.ts";
import { type StageKeys, type StepKey, stateKey } from "./step-keys.ts";

/** Of a stage at one point: by what was done, and where that is another one, by what it came to. */
export interface StateKeys {
  readonly made: Key;
  readonly same: Key | undefined;
}

export interface StageCacheParts {
  readonly cache: Cache;
  readonly policy: CachePolicy;
  /** What is looked up, and what is kept: two where a stage is built without the cache. */
  readonly look: StageKeys;
  readonly keep: StageKeys;
  /** Layers by their own keys. */
  readonly layers: ReadonlyMap<Key, Chain>;
  /** Whether a chain may be used here. */
  accepts(chain: Chain): Promise<boolean>;
  /** What a step does, with the files of stages by what they are; undefined where that is not known yet. */
  mark(step: Step): Promise<string | undefined>;
}

export class StageCache {
  readonly #stage: StagePlan;
  readonly #parts: StageCacheParts;
  /** After the steps so far. */
  #look: Key | undefined;
  #keep: Key | undefined;

  /** `below` are the keys of the stage that this one is built FROM. */
  constructor(stage: StagePlan, parts: StageCacheParts, below: StateKeys | undefined) {
    this.#stage = stage;
    this.#parts = parts;
    this.#look = below?.same;
    this.#keep = below?.same;
  }

  /** Whether something that is not known from the Dockerfile may lead to a hit at this step. */
  mayLookAhead(i: number): boolean {
    const step = this.#stage.steps[i];
    if (step === undefined || this.#parts.policy.isUncached(this.#stage)) return false;
    return takesFromStages(step) || (i === 0 && this.#look !== undefined);
  }

  /** The deepest step from number `i` on that is there for files that are the same, however they were made. */
  async lookAhead(i: number): Promise<Hit | undefined> {
    const { cache, policy, look, keep } = this.#parts;
    const reached: { readonly last: number; readonly look: Key; readonly keep: Key }[] = [];
    let [lookKey, keepKey] = [this.#look, this.#keep];
    for (const [at, step] of this.#stage.steps.entries()) {
      if (at < i) continue;
      const mark = takesFromStages(step) ? await this.#parts.mark(step) : lookKey === undefined ? undefined : look.steps[at]?.mark;
      if (mark === undefined) break;
      lookKey = stateKey(lookKey ?? before(look, at), mark);
      keepKey = stateKey(keepKey ?? before(keep, at), mark);
      if (isCounted(step, policy)) reached.push({ last: at, look: lookKey, keep: keepKey });
    }
    const found = await cache.find(reached.map((one) => one.look));
    for (const one of reached.toReversed()) {
      const chain = found.get(one.look);
      if (chain === undefined || !(await this.#parts.accepts(chain))) continue;
      [this.#look, this.#keep] = [one.look, one.keep];
      cache.keep([keep.steps[one.last]?.state ?? ""], chain);
      return { last: one.last, chain };
    }
    return undefined;
  }

  /** A layer that depends on nothing below it. */
  ownLayer(i: number): CachedLayer | undefined {
    const { layers, policy, look } = this.#parts;
    if (policy.isUncached(this.#stage)) return undefined;
    return layers.get(look.steps[i]?.own ?? "")?.layers.at(-1);
  }

  /** Moves on past a step that was found by the keys of the Dockerfile. */
  skip(): void {
    this.#look = undefined;
    this.#keep = undefined;
  }

  /** Keeps what a step has come to, unless that is nothing. */
  async advance(i: number, step: Step, chain: Promise<Chain | undefined>): Promise<void> {
    const { cache, policy, look, keep } = this.#parts;
    const keys: StepKey | undefined = keep.steps[i];
    const mark = takesFromStages(step) ? await this.#parts.mark(step) : this.#keep === undefined ? undefined : keys?.mark;
    this.#keep = mark === undefined ? undefined : stateKey(this.#keep ?? before(keep, i), mark);
    this.#look = mark === undefined ? undefined : stateKey(this.#look ?? before(look, i), mark);
    if (!isCounted(step, policy)) return;
    const states = [keys?.state, this.#keep].filter((key) => key !== undefined);
    const own = keys?.own;
    cache.keep(states, chain);
    if (own !== undefined)
      cache.keep(
        [own],
        chain.then((known) => known && { layers: known.layers.slice(-1), fidelity: "full" }),
      );
  }

  /** After the last step that was done. */
  keys(done: number): StateKeys {
    return { made: before(this.#parts.keep, done), same: this.#keep };
  }
}

function before(keys: StageKeys, i: number): Key {
  return keys.steps[i - 1]?.state ?? keys.base;
}

function takesFromStages(step: Step): boolean {
  return originsOf(step).some((origin) => origin.kind === "stage");
}
