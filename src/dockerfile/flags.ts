// The `--name=value` flags of one instruction, checked against those it knows.

import { LineError } from "./error.ts";
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
    if (type === undefined) throw new LineError(`unknown flag: ${written}`, suggest(name, Object.keys(known)));
    if (texts.has(name)) throw new LineError(`duplicate flag specified: ${written}`);
    if (type === "boolean" ? value === "" : value === undefined) throw new LineError(`missing a value on flag: ${written}`);
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
  if (lower !== "true" && lower !== "false") throw new LineError(`expecting boolean value for flag ${flag}, not: ${value}`);
  return lower;
}
