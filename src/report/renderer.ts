// Chooses how a build's log is shown: live on a terminal, line by line elsewhere.

import type { Level, LogFormat } from "./line.ts";
import { openLiveRenderer } from "./live.ts";
import { type Clock, openPlainRenderer } from "./plain.ts";
import type { Renderer } from "./report.ts";

/** Where the log goes, as a fake in tests or the process's standard error. */
export interface LogStream {
  write(text: string): void;
  readonly isTerminal: boolean;
  /** Undefined where it is no terminal, 0 where the terminal does not know. */
  columns(): number | undefined;
}

export interface LogChoice {
  readonly verbosity: Level;
  /** Undefined: colours where the stream is a terminal, and only there. */
  readonly format: LogFormat | undefined;
  readonly timestamps: boolean;
}

/** Live is what is in colour on a terminal; `text` and `json` are always line by line. */
export function openRenderer(stream: LogStream, choice: LogChoice, clock: Clock): Renderer {
  const format = choice.format ?? (stream.isTerminal ? "color" : "text");
  const options = {
    format,
    timestamps: choice.timestamps,
    verbosity: choice.verbosity,
    clock,
    write: (text: string) => stream.write(text),
  };
  if (!stream.isTerminal || format !== "color") return openPlainRenderer(options);
  return openLiveRenderer({ ...options, columns: () => stream.columns() || 80 });
}

/** Real time; its timers do not keep the process alive. */
export const systemClock: Clock = {
  now: () => Date.now(),
  every(ms, callback) {
    const timer = setInterval(callback, ms);
    timer.unref();
    return () => clearInterval(timer);
  },
};
