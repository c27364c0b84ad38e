// Reads the values of flags as Go's flag packages do, which kaniko uses.

import { UsageError } from "./usage.ts";

/** As strconv.ParseBool: `1 t T TRUE true True` and their opposites; undefined otherwise. */
export function parseBoolean(text: string): boolean | undefined {
  if (/^(?:1|t|T|TRUE|true|True)$/.test(text)) return true;
  if (/^(?:0|f|F|FALSE|false|False)$/.test(text)) return false;
  return undefined;
}

/** Decimal, with a sign; undefined otherwise. */
export function parseInteger(text: string): number | undefined {
  const value = /^[+-]?\d+$/.test(text) ? Number(text) : Number.NaN;
  return Number.isSafeInteger(value) ? value : undefined;
}

const unitsMs: Readonly<Record<string, number>> = { ns: 1e-6, us: 1e-3, µs: 1e-3, μs: 1e-3, ms: 1, s: 1e3, m: 60e3, h: 3600e3 };

/** As time.ParseDuration (`336h`, `1h30m`, `1.5s`), in milliseconds; undefined otherwise. */
export function parseDuration(text: string): number | undefined {
  const [, sign, rest = ""] = /^([+-]?)(.*)$/s.exec(text) ?? [];
  if (rest === "0") return 0;
  if (!/^(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+$/.test(rest)) return undefined;
  let sum = 0;
  for (const [, number = "", unit = ""] of rest.matchAll(/(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/g))
    sum += Number(number) * (unitsMs[unit] ?? 0);
  return sign === "-" ? -sum : sum;
}

const sizes: Readonly<Record<string, number>> = {
  "": 1,
  K: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  KI: 2 ** 10,
  MI: 2 ** 20,
  GI: 2 ** 30,
  TI: 2 ** 40,
};

/** `10GB`, `512MiB`, `1.5g`: bytes; undefined otherwise. */
export function parseSize(text: string): number | undefined {
  const [, number = "", unit = ""] = /^(\d+(?:\.\d+)?)\s*([KMGT]?I?)B?$/i.exec(text) ?? [];
  const factor = sizes[unit.toUpperCase()];
  return number === "" || factor === undefined ? undefined : Math.floor(Number(number) * factor);
}

/** Splits `name=value` at the first `=`; `source` names the flag or variable in the error. */
export function parsePair(text: string, source: string): [name: string, value: string] {
  const at = text.indexOf("=");
  if (at < 1) throw new UsageError(`invalid argument ${JSON.stringify(text)} for ${source}: must be NAME=VALUE`);
  return [text.slice(0, at), text.slice(at + 1)];
}

/** Reads `k=v[;k2=v2...]` from each text; the values of a repeated key make a list, in order. */
export function parseMultiMap(texts: readonly { readonly text: string; readonly source: string }[]): Map<string, string[]> {
  const map = new Map<string, string[]>();
  for (const { text, source } of texts) {
    for (const pair of text.split(";")) {
      const [key, value] = parsePair(pair, source);
      map.set(key, [...(map.get(key) ?? []), value]);
    }
  }
  return map;
}

/** `a=b,"c=d,e"`: fields that begin with a quote may hold commas. undefined where a field is no pair. */
export function splitFields(text: string): (readonly [string, string])[] | undefined {
  const fields = text.match(/"(?:[^"]|"")*"|[^,]+/g) ?? [];
  const pairs = fields.map((field) => {
    const plain = field.startsWith('"') ? field.slice(1, -1).replaceAll('""', '"') : field;
    const equals = plain.indexOf("=");
    return equals < 1 ? undefined : ([plain.slice(0, equals).trim().toLowerCase(), plain.slice(equals + 1)] as const);
  });
  return pairs.some((pair) => pair === undefined) ? undefined : pairs.filter((pair) => pair !== undefined);
}
