// Commands in their two forms.

import type { CommandLine } from "./instruction.ts";
import type { Line } from "./line.ts";

/** A JSON array as it is, anything else as text for a shell. */
export function readCommand({ args, json }: Pick<Line, "args" | "json">): CommandLine {
  return json ? { form: "exec", args } : { form: "shell", text: args.join(" ") };
}
