// What --parents and --exclude take from below a directory that is copied.

import { type IgnorePatterns, type IgnoreResult, readPatterns } from "../context/context.ts";
import type { RawPath } from "../layer/entry.ts";

/** What became of one path; hand it in again for the paths below. */
export interface Judgement {
  readonly isTaken: boolean;
  /** Of a directory, whether something in it may be taken. */
  readonly reachesBelow: boolean;
  readonly included: IgnoreResult | undefined;
  readonly excluded: IgnoreResult | undefined;
}

/** Patterns in the grammar of ignore files, matched against paths relative to the directory that is copied; what `include` "ignores" is what it takes. */
export class Filter {
  /** Only what a pattern names is taken: directories on the way are no more than the way. */
  readonly isSelective: boolean;
  readonly #include: IgnorePatterns | undefined;
  readonly #exclude: IgnorePatterns | undefined;

  constructor(include: RawPath | undefined, exclude: readonly RawPath[]) {
    this.isSelective = include !== undefined;
    this.#include = include === undefined ? undefined : readPatterns([include]);
    this.#exclude = exclude.length === 0 ? undefined : readPatterns(exclude);
  }

  /** `parent` is the judgement of the directory that the path lies in; undefined for the children of the copied directory itself. */
  judge(path: RawPath, parent: Judgement | undefined): Judgement {
    const included = this.#include?.match(path, parent?.included);
    const excluded = this.#exclude?.match(path, parent?.excluded);
    const isIncluded = included?.isIgnored ?? true;
    const isExcluded = excluded?.isIgnored ?? false;
    return {
      isTaken: isIncluded && !isExcluded,
      reachesBelow:
        (isIncluded || this.#include?.mayIgnoreBelow(path) === true) && (!isExcluded || this.#exclude?.mayReincludeBelow(path) === true),
      included,
      excluded,
    };
  }

  /** Whether `--exclude` would hide a file that a source names directly, if it were meant to. */
  wouldExclude(name: RawPath): boolean {
    return this.#exclude?.match(name, undefined).isIgnored ?? false;
  }
}
