// Writes a build's log line by line: for files, pipes and CI systems.

import { formatLine, type Level, type Line, type LineStyle, levels } from "./line.ts";
import { openNarration } from "./narration.ts";
import { neutralizeLine } from "./neutral.ts";
import { createMasks, type Masks } from "./redact.ts";
import type { Renderer } from "./report.ts";

const progressMs = 5_000;

/** Time, so that tests can stop it. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Calls again and again until the returned function is called; does not keep the process alive. */
  every(ms: number, callback: () => void): () => void;
}

export interface RendererOptions extends LineStyle {
  /** Messages below this level are left out; what the steps' commands write is always shown, as kaniko does. */
  readonly verbosity: Level;
  readonly clock: Clock;
  write(text: string): void;
}

/** Shows every event as lines; transfers as a line per direction every five seconds. */
export function openPlainRenderer(options: RendererOptions): Renderer {
  const masks = createMasks();
  const narration = openNarration(masks, () => options.clock.now());
  const show = (lines: readonly Line[]) => {
    const text = renderLines(lines, options, masks);
    if (text !== "") options.write(text);
  };
  const stop = options.clock.every(progressMs, () => show(narration.tellProgress()));
  return {
    emit: (event) => show(narration.tell(event)),
    mask: (secret) => masks.add(secret),
    redact: (text) => masks.redact(text),
    fail: (failure) => show([...narration.end(), ...narration.tellFailure(failure)]),
    close() {
      stop();
      show(narration.end());
    },
  };
}

/** The lines that the verbosity lets through, formatted and redacted, each with its newline. */
export function renderLines(lines: readonly Line[], options: Omit<RendererOptions, "write">, masks: Masks): string {
  const time = new Date(options.clock.now());
  // Output comes redacted. What control sequences stood in the middle of may be a secret once they are gone.
  const clean = (text: string, place: "start" | "inside", isRedacted = false) => {
    const hidden = isRedacted ? text : masks.redact(text);
    const shown = neutralizeLine(hidden, options.format === "color", place);
    return shown === hidden ? shown : masks.redact(shown);
  };
  // Nothing here is worse than fatal, and why a build failed is always said.
  const least = levels.indexOf(options.verbosity === "panic" ? "fatal" : options.verbosity);
  return lines
    .filter((line) => line.level === "output" || levels.indexOf(line.level) >= least)
    .map((line) => ({
      ...line,
      text: clean(line.text, line.step === undefined && options.format !== "json" ? "start" : "inside", line.level === "output"),
      ...(line.step === undefined ? {} : { step: clean(line.step, "inside") }),
    }))
    .map((line) => `${formatLine(line, options, time)}\n`)
    .join("");
}
