// Durations in Go's syntax: `1h30m`, `1.5s`, `300ms`.

import { LineError } from "./error.ts";
import { quote } from "./quote.ts";

const nanoseconds: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  "\u00b5s": 1_000n,
  "\u03bcs": 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
};
const longest = 2n ** 63n - 1n;

/** Nanoseconds. https://pkg.go.dev/time#ParseDuration, with its error texts. */
export function parseDuration(text: string): number {
  const invalid = new LineError(`time: invalid duration ${quote(text)}`, "write it as 30s, 1m30s or 500ms");
  const [, sign = "", amount = ""] = /^([+-]?)(.*)$/s.exec(text) ?? [];
  if (amount === "0") return 0;
  if (amount === "") throw invalid;
  let total = 0n;
  const part = /([0-9]*)(?:\.([0-9]*))?([^0-9.]*)/y;
  while (part.lastIndex < amount.length) {
    const [, whole = "", fraction = "", unit = ""] = part.exec(amount) ?? [];
    if (whole === "" && fraction === "") throw invalid;
    if (unit === "") throw new LineError(`time: missing unit in duration ${quote(text)}`, invalid.hint);
    const scale = Object.hasOwn(nanoseconds, unit) ? nanoseconds[unit] : undefined;
    if (scale === undefined) throw new LineError(`time: unknown unit ${quote(unit)} in duration ${quote(text)}`, invalid.hint);
    // Go keeps as many digits of a fraction as fit in 63 bits.
    const digits = fraction.slice(0, 18);
    total += BigInt(whole || "0") * scale + (BigInt(digits || "0") * scale) / 10n ** BigInt(digits.length);
    if (total > longest) throw invalid;
  }
  return Number(sign === "-" ? -total : total);
}
