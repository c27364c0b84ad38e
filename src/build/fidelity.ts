// How much of what Docker's commands would see a command saw: everything in `ns`, less in each weaker sandbox.

import { type SandboxName, sandboxNames } from "../sandbox/sandbox.ts";

/** The sandbox whose commands see everything that Docker's would. */
const [fullSandbox] = sandboxNames;

/** `full`, or the name of the sandbox. */
export function fidelityOf(sandbox: SandboxName): string {
  return sandbox === fullSandbox ? "full" : sandbox;
}

/** Of two the lesser; what is not known is the least. */
export function lesserFidelity(a: string, b: string): string {
  return rankOf(a) >= rankOf(b) ? a : b;
}

/** Whether what a command left with some fidelity does where commands run in `sandbox`; where none can run, everything does. */
export function suffices(fidelity: string, sandbox: SandboxName | undefined): boolean {
  return sandbox === undefined || rankOf(fidelity) <= rankOf(fidelityOf(sandbox));
}

/** 0 is the best. */
function rankOf(fidelity: string): number {
  const rank = sandboxNames.findIndex((name) => fidelityOf(name) === fidelity);
  return rank < 0 ? sandboxNames.length : rank;
}
