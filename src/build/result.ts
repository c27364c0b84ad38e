// What a build works with, and what it comes to.

import type { Digest } from "../image/digest.ts";
import type { Report } from "../report/report.ts";
import type { Checked } from "./check.ts";
import type { ExplainedStage } from "./explain-plan.ts";

export interface BuildTools {
  readonly report: Report;
  /** Aborting it ends the build within seconds: commands, mounts, downloads. */
  readonly signal: AbortSignal;
  /** What the program is given to read, for `--context=tar://stdin`; undefined where there is nothing to read. */
  readonly stdin?: (() => AsyncIterable<Uint8Array>) | undefined;
}

export interface BuildResult {
  /** Of the manifest, or the index. Undefined after a dry run. */
  readonly digest?: Digest;
  /** Of the configuration; undefined where there is one for each of several platforms. */
  readonly imageId?: Digest;
  /** References that were pushed, files that were written. */
  readonly written: readonly string[];
  /** What a dry run would do. */
  readonly plan?: string;
  /** What a check found. */
  readonly checked?: Checked;
  /** What the cache has of the build, where that was the question. */
  readonly explained?: readonly ExplainedStage[];
}
