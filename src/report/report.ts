// What happens during a build, as events that renderers show. Flows out only: nothing is ever read back from a report.

/** Names a step of a plan: `[builder 2/5] RUN make`. */
export interface StepName {
  /** Unique in a build, `builder 2/5`; in brackets it heads each of the step's lines. */
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
  | {
      readonly kind: "step-end";
      readonly step: StepName;
      readonly outcome: "done" | "cached" | "failed";
      readonly layer?: LayerSummary;
      /** What the step took, where its layer was written while later steps ran; otherwise the time since its start. */
      readonly seconds?: number;
    }
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

/** A report that shows what it is told until it is closed. */
export interface Renderer extends Report {
  /** The text without what is masked. */
  redact(text: string): string;
  /** Shows why the build failed, its headline last. */
  fail(failure: Failure): void;
  /** Shows what is held back and takes down status lines and timers; may be called again. */
  close(): void;
}

/** Why a build failed, as a reader sees it. */
export interface Failure {
  /** One line: `error building image: …`. */
  readonly headline: string;
  /** What led to it, the nearest first. */
  readonly causes: readonly string[];
  /** Lines of the Dockerfile, the guilty one marked. */
  readonly excerpt?: string;
  /** The last lines that the failed command wrote; those that the report has seen itself go before. */
  readonly output?: readonly string[];
  /** One thing to try. */
  readonly hint?: string;
  readonly stack?: string;
}
