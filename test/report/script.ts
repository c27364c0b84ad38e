// Scripts of events with a clock that stands still between them: what renderer tests play.

import type { Clock } from "../../src/report/plain.ts";
import type { Event, Renderer, StepName } from "../../src/report/report.ts";

/** A number lets that many seconds pass; a function does as it likes with the renderer. */
export type Script = readonly (Event | number | ((renderer: Renderer) => void))[];

/** A clock that moves only when told, and then calls what has become due. */
export function openTestClock(): Clock & { pass(seconds: number): void } {
  let now = Date.UTC(2026, 10, 21, 7, 0, 0);
  const timers = new Set<{ ms: number; due: number; callback: () => void }>();
  return {
    now: () => now,
    every(ms, callback) {
      const timer = { ms, due: now + ms, callback };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    pass(seconds) {
      const end = now + seconds * 1000;
      for (;;) {
        const next = [...timers].filter((timer) => timer.due <= end).sort((a, b) => a.due - b.due)[0];
        if (next === undefined) break;
        now = next.due;
        next.due += next.ms;
        next.callback();
      }
      now = end;
    },
  };
}

export function play(script: Script, renderer: Renderer, clock: { pass(seconds: number): void }): void {
  for (const part of script) {
    if (typeof part === "number") clock.pass(part);
    else if (typeof part === "function") part(renderer);
    else renderer.emit(part);
  }
}

export function step(stage: string, number: number, total: number, text: string): StepName {
  return { id: `${stage} ${number}/${total}`, stage, number, total, text, line: number };
}

export function output(name: StepName, text: string | Uint8Array, stream: "stdout" | "stderr" = "stdout"): Event {
  return { kind: "step-output", step: name, stream, bytes: typeof text === "string" ? Buffer.from(text) : text };
}

const base = step("builder", 1, 3, "WORKDIR /src");
const copy = step("builder", 2, 3, "COPY . .");
const make = step("builder", 3, 3, "RUN make\n  all");
const other = step("stage-2", 1, 2, "RUN apk add ca-certificates");
const last = step("stage-2", 2, 2, "COPY --from=builder /src/app /app");
const layer = (size: number) => ({ diffId: `sha256:${"d".repeat(64)}`, digest: `sha256:${"e".repeat(64)}`, size });

/** Two stages side by side, transfers, secrets, and a result. */
export const wholeBuild: Script = [
  (renderer) => renderer.mask("hunter2"),
  { kind: "notice", text: "Sandbox ns: namespaces and overlayfs" },
  { kind: "warning", text: "a stage name should be lower-case", file: "Dockerfile", line: 3 },
  { kind: "debug", text: "GET https://registry.example/v2/" },
  { kind: "stage", stage: "builder", base: "alpine:3.20", steps: 3 },
  { kind: "stage", stage: "stage-2", base: "scratch", steps: 2 },
  { kind: "transfer", direction: "pull", what: "sha256:aaaa", bytes: 0, total: 3_600_000 },
  { kind: "step-end", step: base, outcome: "cached" },
  { kind: "step-start", step: copy },
  0.25,
  { kind: "step-end", step: copy, outcome: "done", layer: layer(12_345) },
  5,
  { kind: "transfer", direction: "pull", what: "sha256:aaaa", bytes: 1_200_000, total: 3_600_000 },
  5,
  { kind: "transfer", direction: "pull", what: "sha256:aaaa", bytes: 3_600_000, total: 3_600_000, done: "transferred" },
  { kind: "step-start", step: make },
  { kind: "step-start", step: other },
  output(make, "cc -o app ma"),
  output(other, "fetching\r 50%\r"),
  1.5,
  output(other, "100%\n"),
  output(make, "in.c\n"),
  output(make, "::error::\x1b[31mnot a command\x1b[0m\n", "stderr"),
  output(make, "password is hun"),
  output(make, "ter2\n"),
  35,
  output(make, "no newline at the end"),
  { kind: "step-end", step: other, outcome: "done", layer: layer(523_000) },
  { kind: "step-end", step: make, outcome: "done", layer: layer(1_048_576) },
  { kind: "step-start", step: last },
  { kind: "step-end", step: last, outcome: "done", layer: layer(1_000_000) },
  { kind: "notice", text: "Pushing image to registry.example/app:v1" },
  { kind: "transfer", direction: "push", what: "sha256:bbbb", bytes: 523_000, total: 523_000, done: "transferred" },
  { kind: "transfer", direction: "push", what: "sha256:cccc", bytes: 0, total: 9, done: "mounted" },
  { kind: "transfer", direction: "push", what: "sha256:dddd", bytes: 0, total: 9, done: "exists" },
  { kind: "notice", text: `Pushed registry.example/app@sha256:${"f".repeat(64)}` },
  {
    kind: "result",
    result: {
      digest: `sha256:${"f".repeat(64)}`,
      configDigest: `sha256:${"c".repeat(64)}`,
      written: ["registry.example/app:v1", "/out/image.tar"],
      layers: [
        { size: 3_600_000, createdBy: "ADD alpine-minirootfs.tar.gz / # buildkit", inherited: true },
        { size: 523_000, seconds: 36.5, createdBy: "RUN apk add ca-certificates", inherited: false },
        { size: 1_000_000, createdBy: `COPY ${"/a/long/path ".repeat(9)} /app`, inherited: false },
      ],
    },
  },
  (renderer) => renderer.close(),
];

/** A command fails while another still runs. */
export const failedBuild: Script = [
  (renderer) => renderer.mask("hunter2"),
  { kind: "step-start", step: make },
  { kind: "step-start", step: other },
  ...Array.from({ length: 25 }, (_, i) => output(make, `line ${i + 1}\n`)),
  output(make, "error: hunter2 is wrong", "stderr"),
  output(other, "half a line"),
  2,
  { kind: "step-end", step: make, outcome: "failed" },
  (renderer) =>
    renderer.fail({
      headline: "error building image: command `make` ended with exit code 2",
      causes: ["it was told hunter2\nand more"],
      excerpt: "Dockerfile:7\n   6 |     COPY . .\n   7 | >>> RUN make",
      hint: "run it by hand",
    }),
  (renderer) => renderer.close(),
];
