// How BuildKit writes an instruction into an image's history.

import type { Healthcheck } from "../image/image.ts";

export const historyComment = "buildkit.dockerfile.v0";
/** Of a layer that no instruction made. */
export const fillComment = "buildkit.exporter.image.v0";

/** `[a b]`: a list as Go's %v prints it. */
export function plainList(words: readonly string[]): string {
  return `[${words.join(" ")}]`;
}

/** `{Test:[CMD-SHELL x] Interval:1s …}`: durations as Go prints them. */
export function healthcheckText(check: Healthcheck): string {
  const durations = [
    ["Interval", check.Interval],
    ["Timeout", check.Timeout],
    ["StartPeriod", check.StartPeriod],
    ["StartInterval", check.StartInterval],
  ] as const;
  const times = durations.map(([name, value]) => `${name}:${goDuration(value ?? 0)}`);
  return `{Test:${plainList(check.Test ?? [])} ${times.join(" ")} Retries:${check.Retries ?? 0}}`;
}

/** Nanoseconds as Go's time.Duration prints them: `1m30s`, `100ms`, `0s`. */
function goDuration(nanoseconds: number): string {
  if (nanoseconds === 0) return "0s";
  if (nanoseconds < 1e3) return `${nanoseconds}ns`;
  if (nanoseconds < 1e6) return `${nanoseconds / 1e3}µs`;
  if (nanoseconds < 1e9) return `${nanoseconds / 1e6}ms`;
  const hours = Math.floor(nanoseconds / 3600e9);
  const minutes = Math.floor((nanoseconds % 3600e9) / 60e9);
  const seconds = (nanoseconds % 60e9) / 1e9;
  return `${hours > 0 ? `${hours}h` : ""}${hours > 0 || minutes > 0 ? `${minutes}m` : ""}${seconds}s`;
}

/** The part of a RUN's history line before the command: `|2 a=1 b=2 `, with the arguments in scope in the order of their first declaration. */
export function argumentsPrefix(values: ReadonlyMap<string, string>): string {
  if (values.size === 0) return "";
  return `|${values.size} ${[...values].map(([name, value]) => `${name}=${value}`).join(" ")} `;
}
