// What the language has and this build cannot do: refused before anything runs.

import { type Instruction, LineError } from "../dockerfile/dockerfile.ts";

/** Throws a LineError that names the flag. */
export function refuseLater(instruction: Instruction): void {
  const flag = laterFlag(instruction);
  if (flag !== undefined) throw new LineError(`${instruction.kind.toUpperCase()} ${flag} is not yet supported`);
}

function laterFlag(instruction: Instruction): string | undefined {
  switch (instruction.kind) {
    case "run":
      if (instruction.mounts.length > 0) return "--mount";
      if (instruction.security !== "sandbox") return "--security=insecure";
      return instruction.devices.length > 0 ? "--device" : undefined;
    default:
      return undefined;
  }
}
