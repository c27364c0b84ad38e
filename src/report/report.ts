// What happens during a build, as events that renderers show. Flows out only: nothing is ever read back from a report.

/** Names a step of a plan: `[builder 2/5] RUN make`. */
export interface StepName {
  /** Unique in a build; the same text heads each of the step's lines. */
  readonly id: string;
  /** The stage's name, or `stage-N`. */
  readonly stage: string;
  /** 1-based place in the stage, and how many steps the stage has. */
  readonly number: number;
  readonly total: number;
  /** The instruction as one line, shortened where it is long. */
  readonly text: string;
  /** Of the Dockerfile, 1-based. */
  readonly line: number;
}

export type Event =
  | { readonly kind: "stage"; readonly stage: string; readonly base: string; readonly steps: number }
  | { readonly kind: "step-start"; readonly step: StepName }
  /** Raw bytes that the step's command wrote; may end in the middle of a line or of a character. */
  | { readonly kind: "step-output"; readonly step: StepName; readonly stream: "stdout" | "stderr"; readonly bytes: Uint8Array }
  | { readonly kind: "step-end"; readonly step: StepName; readonly outcome: "done" | "cached" | "failed"; readonly layer?: LayerSummary }
  /** A blob on its way; `bytes` counts from 0 to `total` over several events, the last with `done`. */
  | {
      readonly kind: "transfer";
      readonly direction: "pull" | "push";
      readonly what: string;
      readonly bytes: number;
      readonly total: number;
      readonly done?: "transferred" | "mounted" | "exists";
    }
  /** Something a reader at the usual verbosity should see: a chosen sandbox, an accepted flag without effect. */
  | { readonly kind: "notice"; readonly text: string }
  | { readonly kind: "warning"; readonly text: string; readonly file?: string; readonly line?: number }
  /** Shown with `--verbosity debug` and `trace`. */
  | { readonly kind: "debug"; readonly text: string }
  | { readonly kind: "result"; readonly result: ResultSummary };

export interface LayerSummary {
  readonly diffId: string;
  readonly digest: string;
  /** Compressed bytes. */
  readonly size: number;
}

export interface ResultSummary {
  readonly layers: readonly { readonly size: number; readonly seconds?: number; readonly createdBy: string; readonly inherited: boolean }[];
  readonly digest: string;
  readonly configDigest: string;
  /** What was written: `registry/name:tag`, files. */
  readonly written: readonly string[];
}

/** Takes events; `mask` hides a text in everything that is shown from then on. */
export interface Report {
  emit(event: Event): void;
  mask(secret: string): void;
}

/** Swallows everything. */
export const silentReport: Report = { emit() {}, mask() {} };
