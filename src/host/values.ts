// The values of all flags, given or not, by the flag's full name.

import { type Flag, flags } from "./flags.ts";
import type { GivenFlag } from "./parse-flags.ts";
import { UsageError } from "./usage.ts";
import { parseBoolean, parseInteger } from "./value.ts";

export interface Value {
  readonly text: string;
  /** The flag as it was written, or the variable, for errors. */
  readonly source: string;
}

export interface Values {
  /** The last one given; where there is none, or it is empty, the default. */
  text(name: string): string;
  /** Is a boolean flag true? */
  isSet(name: string): boolean;
  /** All that were given. */
  list(name: string): Value[];
  /** A number from 0; throws a UsageError for others. */
  count(name: string): number;
}

export function valuesOf(given: readonly GivenFlag[], known: readonly Flag[] = flags): Values {
  const valuesByName = new Map<string, Value[]>();
  for (const { flag, spelling, value } of given) {
    valuesByName.set(flag.name, [...(valuesByName.get(flag.name) ?? []), { text: value, source: spelling }]);
  }
  const defaults = new Map(known.map((flag) => [flag.name, flag.default ?? ""]));
  const text = (name: string) => valuesByName.get(name)?.at(-1)?.text || (defaults.get(name) ?? "");
  return {
    text,
    isSet: (name) => parseBoolean(text(name)) === true,
    list: (name) => valuesByName.get(name) ?? [],
    count(name) {
      const count = parseInteger(text(name)) ?? 0;
      if (count < 0) throw new UsageError(`invalid argument ${JSON.stringify(text(name))} for --${name}: must be 0 or more`);
      return count;
    },
  };
}
