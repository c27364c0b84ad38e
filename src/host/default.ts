// How a flag's default is told to a reader.

import { type Flag, takesMany } from "./flags.ts";

/** ` (default: x)`; nothing where there is none worth saying. */
export function describeDefault(flag: Flag): string {
  const text = flag.defaultText ?? (flag.type === "boolean" || takesMany(flag) ? undefined : flag.default);
  return text === undefined ? "" : ` (default: ${text})`;
}
