// HEALTHCHECK: `NONE`, or `CMD` with a command and its times.

import { readCommand } from "./command.ts";
import { parseDuration } from "./duration.ts";
import { LineError, within } from "./error.ts";
import { flagValue, readFlagValues } from "./flags.ts";
import type { HealthcheckInstruction, Written } from "./instruction.ts";
import type { Line } from "./line.ts";
import { quote } from "./quote.ts";

const minimumNs = 1_000_000;
const times = { interval: "interval", timeout: "timeout", "start-period": "startPeriod", "start-interval": "startInterval" } as const;

export function readHealthcheck(line: Line): Omit<HealthcheckInstruction, "kind" | keyof Written> {
  const [first = "", ...args] = line.args;
  const type = first.toUpperCase();
  if (type === "NONE") {
    if (args.length > 0) throw new LineError("HEALTHCHECK NONE takes no arguments", undefined, { of: "argument", index: 1 });
    return {};
  }
  const known = { interval: "text", timeout: "text", "start-period": "text", "start-interval": "text", retries: "text" } as const;
  const flags = readFlagValues(line.flags, known);
  if (type !== "CMD") throw new LineError(`Unknown type ${quote(type)} in HEALTHCHECK (try CMD)`, undefined, { of: "argument", index: 0 });
  if (args.length === 0) throw new LineError("Missing command after HEALTHCHECK CMD", undefined, { of: "arguments" });
  const settings: Partial<Record<(typeof times)[keyof typeof times] | "retries", number>> = {};
  for (const [flag, key] of Object.entries(times) as [keyof typeof times, (typeof times)[keyof typeof times]][]) {
    const part = flagValue(`--${flag}`, flags[flag]);
    const value = within(part, () => (flags[flag] ? parseDuration(flags[flag]) : 0));
    if (value !== 0 && value < minimumNs) throw new LineError(`Interval ${quote(flag)} cannot be less than 1ms`, undefined, part);
    if (value !== 0) settings[key] = value;
  }
  const retries = within(flagValue("--retries", flags.retries), () => (flags.retries ? parseRetries(flags.retries) : 0));
  if (retries !== 0) settings.retries = retries;
  return { command: readCommand({ args, json: line.json }), ...settings };
}

function parseRetries(text: string): number {
  const fail = (why: string) => new LineError(`strconv.ParseInt: parsing ${quote(text)}: ${why}`, "--retries takes a number");
  if (!/^[+-]?[0-9]+$/.test(text)) throw fail("invalid syntax");
  const retries = Number(text);
  if (retries > 0x7fffffff || retries < -0x80000000) throw fail("value out of range");
  if (retries < 0) throw new LineError(`--retries cannot be negative (${retries})`);
  return retries;
}
