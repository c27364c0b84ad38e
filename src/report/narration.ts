// Tells a build's events as lines of a log: what the plain and the live renderer have in common.

import type { Line, Tone } from "./line.ts";
import { formatSeconds, formatSize } from "./quantity.ts";
import type { Masks } from "./redact.ts";
import type { Event, Failure, StepName } from "./report.ts";
import { type OutputLines, openOutputLines } from "./step-output.ts";
import { describeResult } from "./summary.ts";
import { countTransfers, type Transfers } from "./transfers.ts";

/** A step that writes nothing is mentioned this often, so that neither people nor CI systems take it for dead. */
const heartbeatMs = 30_000;
/** How much of a failed step's output stands beside its error. */
const lastLines = 20;

export interface RunningStep {
  readonly name: StepName;
  /** In the clock's milliseconds. */
  readonly started: number;
}

export interface Narration {
  tell(event: Event): Line[];
  /** To be called every few seconds: progress of transfers, and steps that have been silent for long. */
  tellProgress(): Line[];
  tellFailure(failure: Failure): Line[];
  /** Unfinished lines of steps that never ended. */
  end(): Line[];
  readonly steps: readonly RunningStep[];
  readonly transfers: Transfers;
}

interface StepState extends RunningStep {
  readonly streams: Map<string, OutputLines>;
  readonly recent: string[];
  lastSign: number;
}

/** `now` gives milliseconds. */
export function openNarration(masks: Masks, now: () => number): Narration {
  const begun = now();
  const steps = new Map<string, StepState>();
  const transfers = countTransfers();
  let failed: StepState | undefined;

  const stepOf = (name: StepName): StepState => {
    const known = steps.get(name.id);
    if (known !== undefined) return known;
    const state: StepState = { name, started: now(), streams: new Map(), recent: [], lastSign: now() };
    steps.set(name.id, state);
    return state;
  };
  const secondsOf = (step: RunningStep) => (now() - step.started) / 1000;
  const tellOutput = (step: StepState, lines: readonly string[]): Line[] => {
    if (lines.length > 0) step.lastSign = now();
    step.recent.push(...lines);
    step.recent.splice(0, Math.max(0, step.recent.length - lastLines));
    return lines.map((text) => ({ level: "output", tone: "plain", step: step.name.id, seconds: secondsOf(step), text }));
  };
  const endOutput = (step: StepState) => [...step.streams.values()].flatMap((stream) => tellOutput(step, stream.end()));

  const tellStepEnd = (event: Extract<Event, { kind: "step-end" }>): Line[] => {
    const { step: name, outcome, layer, seconds } = event;
    if (!steps.has(name.id)) return [message("info", outcome === "failed" ? "bad" : "good", `${outcome}: ${oneLine(name.text)}`, name)];
    const step = stepOf(name);
    const rest = endOutput(step);
    steps.delete(name.id);
    if (outcome === "failed") failed = step;
    const size = layer === undefined ? "" : `, layer of ${formatSize(layer.size)}`;
    const [level, tone] = outcome === "failed" ? (["error", "bad"] as const) : (["info", "good"] as const);
    const text =
      outcome === "cached"
        ? `cached${size}`
        : `${outcome} ${outcome === "done" ? "in" : "after"} ${formatSeconds(seconds ?? secondsOf(step))}${size}`;
    return [...rest, message(level, tone, text, name)];
  };

  return {
    tell(event) {
      switch (event.kind) {
        case "stage": {
          const count = `${event.steps} ${event.steps === 1 ? "step" : "steps"}`;
          return [message("info", "heading", `Stage ${event.stage}: FROM ${event.base}, ${count}`)];
        }
        case "step-start":
          stepOf(event.step);
          return [message("info", "heading", oneLine(event.step.text), event.step)];
        case "step-output": {
          const step = stepOf(event.step);
          const stream = step.streams.get(event.stream) ?? openOutputLines(masks);
          step.streams.set(event.stream, stream);
          return tellOutput(step, stream.write(event.bytes));
        }
        case "step-end":
          return tellStepEnd(event);
        case "transfer":
          transfers.note(event);
          return event.done === undefined ? [] : [message("debug", "quiet", describeTransfer(event))];
        case "notice":
          return textLines(event.text).map((text) => message("info", "plain", text));
        case "warning": {
          const place = event.file === undefined ? "" : `${event.file}${event.line === undefined ? "" : `:${event.line}`}: `;
          return textLines(place + event.text).map((text) => message("warn", "caution", text));
        }
        case "debug":
          return textLines(event.text).map((text) => message("debug", "quiet", text));
        case "result": {
          const total = transfers.describeTotal();
          const time = `Done in ${formatSeconds((now() - begun) / 1000)}`;
          const [heading = "", ...rest] = describeResult(event.result);
          return [
            message("info", "heading", heading),
            ...rest.map((text) => message("info", "plain", text)),
            message("info", "heading", total === undefined ? time : `${time}. ${total}`),
          ];
        }
      }
    },
    tellProgress() {
      const silent = [...steps.values()].filter((step) => now() - step.lastSign >= heartbeatMs);
      for (const step of silent) step.lastSign = now();
      return [
        ...transfers.describeProgress().map((text) => message("info", "quiet", text)),
        ...silent.map((step) => message("info", "quiet", `still running after ${formatSeconds(secondsOf(step))}`, step.name)),
      ];
    },
    tellFailure({ headline, causes, excerpt, output: reported, hint, stack }) {
      const recent = failed?.recent ?? [];
      const output = describeOutput(failed?.name, recent.length > 0 ? recent : (reported ?? []));
      return [
        ...output,
        ...(excerpt === undefined ? [] : textLines(excerpt)),
        ...(stack === undefined ? [] : textLines(stack)),
        ...causes.flatMap((cause) => textLines(`caused by: ${cause}`)),
        ...(hint === undefined ? [] : textLines(`hint: ${hint}`)),
      ]
        .map((text) => message("fatal", "plain", text))
        .concat(message("fatal", "bad", oneLine(headline)));
    },
    end: () => [...steps.values()].flatMap(endOutput),
    get steps() {
      return [...steps.values()];
    },
    transfers,
  };
}

function describeOutput(step: StepName | undefined, lines: readonly string[]): string[] {
  if (lines.length === 0) return [];
  const which = lines.length === 1 ? "The last line" : `The last ${lines.length} lines`;
  const whose = step === undefined ? "that the command wrote" : `of [${step.id}] ${oneLine(step.text)}`;
  return [`${which} ${whose}`, ...lines.map((line) => `  | ${line}`)];
}

function describeTransfer({ direction, what, bytes, done }: Extract<Event, { kind: "transfer" }>): string {
  if (done === "mounted") return `Mounted ${what}`;
  if (done === "exists") return `Already there: ${what}`;
  return `${direction === "pull" ? "Downloaded" : "Uploaded"} ${what}, ${formatSize(bytes)}`;
}

function message(level: Line["level"], tone: Tone, text: string, step?: StepName): Line {
  return { level, tone, text, ...(step === undefined ? {} : { step: step.id }) };
}

function textLines(text: string): string[] {
  return text.replace(/\n+$/, "").split(/\r\n|\n/);
}

function oneLine(text: string): string {
  return text.replace(/\s*[\r\n]+\s*/g, " ");
}
