// The `--name=value` flags of one instruction, checked against those it knows.

import { LineError, type Part } from "./error.ts";
import { suggest } from "./suggest.ts";

/** `list` flags may be given again and again. */
export type FlagType = "text" | "boolean" | "list";

type Value<T extends FlagType> = T extends "list" ? readonly string[] : (T extends "boolean" ? boolean : string) | undefined;

/** Absent flags are undefined, or an empty list. */
export type Flags<S extends Readonly<Record<string, FlagType>>> = { readonly [name in keyof S]: Value<S[name]> };

/** Reads flags that are still as they were written, `--name` or `--name=value`. Throws a LineError. */
export function readFlagValues<const S extends Readonly<Record<string, FlagType>>>(flags: readonly string[], known: S): Flags<S> {
  const texts = new Map<string, string>();
  const lists = new Map<string, string[]>();
  for (const flag of flags) {
    const equals = flag.indexOf("=");
    const written = equals < 0 ? flag : flag.slice(0, equals);
    const value = equals < 0 ? undefined : flag.slice(equals + 1);
    const name = written.slice(2);
    const type = Object.hasOwn(known, name) ? known[name] : undefined;
    if (type === undefined) {
      throw new LineError(`unknown flag: ${written}`, suggest(name, Object.keys(known)), { of: "flag", text: flag, inner: written });
    }
    if (texts.has(name))
      throw new LineError(`duplicate flag specified: ${written}`, undefined, { of: "flag", text: written, isLast: true });
    if (type === "boolean" ? value === "" : value === undefined) {
      throw new LineError(`missing a value on flag: ${written}`, undefined, { of: "flag", text: flag });
    }
    if (type === "list") lists.set(name, [...(lists.get(name) ?? []), value ?? ""]);
    else texts.set(name, type === "boolean" ? readBoolean(written, value) : (value ?? ""));
  }
  const entries = Object.entries(known).map(([name, type]) => {
    if (type === "list") return [name, lists.get(name) ?? []];
    const text = texts.get(name);
    return [name, type === "boolean" && text !== undefined ? text === "true" : text];
  });
  return Object.fromEntries(entries) as Flags<S>;
}

function readBoolean(flag: string, value: string | undefined): string {
  const lower = value?.toLowerCase() ?? "true";
  if (lower !== "true" && lower !== "false") {
    const part = { of: "flag", text: `${flag}=${value}`, inner: value ?? "" } as const;
    throw new LineError(`expecting boolean value for flag ${flag}, not: ${value}`, undefined, part);
  }
  return lower;
}

/** A flag with a value; of several with one name this very one. */
export function exactFlag(name: string, value: string): Part {
  return { of: "flag", text: `${name}=${value}` };
}

/** The value of a flag. */
export function flagValue(name: string, value: string | undefined): Part {
  return value ? { of: "flag", text: name, inner: value } : { of: "flag", text: name };
}
