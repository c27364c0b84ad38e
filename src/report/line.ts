// A line of the log and the three forms it is written in.

/** As logrus, and therefore kaniko, names them; from the most talkative to the most quiet. */
export const levels = ["trace", "debug", "info", "warn", "error", "fatal", "panic"] as const;
export type Level = (typeof levels)[number];

export const logFormats = ["text", "color", "json"] as const;
export type LogFormat = (typeof logFormats)[number];

/** What a line is, which decides its colour. */
export type Tone = "plain" | "heading" | "good" | "quiet" | "bad" | "caution";

export interface Line {
  /** "output" is what a step's command wrote: it is no message of ours and is shown at every verbosity. */
  readonly level: Level | "output";
  readonly tone: Tone;
  /** Heads the line in brackets. */
  readonly step?: string;
  /** For output: seconds since its step started. */
  readonly seconds?: number;
  readonly text: string;
}

export interface LineStyle {
  readonly format: LogFormat;
  readonly timestamps: boolean;
}

const codes: Readonly<Record<Tone, string>> = { plain: "", heading: "1", good: "32", quiet: "2", bad: "31", caution: "33" };
const labels: Readonly<Partial<Record<Line["level"], string>>> = { warn: "WARN ", error: "ERROR ", debug: "DEBUG ", trace: "TRACE " };

/** One line of text without its newline; `line.text` is shown as it is. JSON has logrus's keys `level`, `msg` and `time`. */
export function formatLine(line: Line, style: LineStyle, time: Date): string {
  if (style.format === "json") return formatJson(line, time);
  const colors = style.format === "color";
  const stamp = style.timestamps ? `${time.toISOString()} ` : "";
  const paint = (text: string, tone: Tone) => (colors && codes[tone] !== "" && text !== "" ? `\x1b[${codes[tone]}m${text}\x1b[0m` : text);
  const head = line.step === undefined ? "" : paint(`[${line.step}]`, "quiet");
  const clock = line.seconds === undefined ? "" : paint(`${line.seconds.toFixed(1)}s |`, "quiet");
  const body = line.level === "output" ? line.text : paint(`${labels[line.level] ?? ""}${line.text}`, line.tone);
  return stamp + [head, clock, body].filter((part) => part !== "").join(" ");
}

function formatJson(line: Line, time: Date): string {
  const level = line.level === "output" ? "info" : line.level === "warn" ? "warning" : line.level;
  const fields = { level, msg: line.text, time: time.toISOString() };
  return JSON.stringify(line.step === undefined ? fields : { ...fields, step: line.step });
}
