// Numbers, booleans and sizes in the spellings that Go's libraries accept.

import { LineError } from "./error.ts";

/** https://pkg.go.dev/strconv#ParseBool */
export function parseBoolean(text: string, key: string): boolean {
  if (["1", "t", "T", "TRUE", "true", "True"].includes(text)) return true;
  if (["0", "f", "F", "FALSE", "false", "False"].includes(text)) return false;
  throw new LineError(`invalid value for ${key}: ${text}`);
}

/** A number of at most 32 bits. */
export function parseUnsigned(text: string, base: 8 | 10, refusal: string): number {
  const digits = base === 8 ? /^[0-7]+$/ : /^[0-9]+$/;
  const number = digits.test(text) ? Number.parseInt(text, base) : Number.NaN;
  if (!(number < 2 ** 32)) throw new LineError(refusal);
  return number;
}

/** Bytes from `64m`, `1.5GiB`, `100`: https://pkg.go.dev/github.com/docker/go-units#RAMInBytes */
export function parseBytes(text: string, key: string): number {
  const [, number = "", unit = ""] = /^(\+?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?) ?((?:[kmgtp](?:i?b)?|b)?)$/i.exec(text) ?? [];
  if (number === "") throw new LineError(`invalid value for ${key}: ${text}`, "write it as 64m or 1g");
  const power = "bkmgtp".indexOf((unit[0] ?? "b").toLowerCase());
  const bytes = Math.trunc(Number(number) * 1024 ** power);
  if (bytes > Number.MAX_SAFE_INTEGER) throw new LineError(`invalid value for ${key}: ${text}`, "it is too large");
  return bytes;
}
