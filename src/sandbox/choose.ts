// Finds the sandbox to use: the strongest that works here, or the one that is asked for.

import { showRefusal } from "./explain-refusal.ts";
import { describeTrial, rungs } from "./rungs.ts";
import type { Sandbox, SandboxChoice, SandboxOptions } from "./sandbox.ts";
import { tryRung } from "./try-rung.ts";

export async function chooseSandbox(choice: SandboxChoice, options: SandboxOptions): Promise<Sandbox> {
  const { helper, report, stateDir } = options;
  const tried = rungs.filter(({ name, isOffered }) => choice === name || (choice === "auto" && isOffered?.() !== false));
  if (tried.length === 0) {
    const names = rungs.map(({ name }) => name).join(", ");
    throw new Error(`Cannot use the sandbox "${choice}": not yet supported; there are auto, ${names}`);
  }
  if (helper === undefined)
    throw new Error(`Cannot run commands: there is no helper program for ${process.arch}; builds without RUN work here`);
  const refused: Refused[] = [];
  for (const rung of tried) {
    const trial = await tryRung(rung, { ...options, helper });
    if ("refusal" in trial) {
      refused.push({ name: rung.name, text: showRefusal(trial.refusal) });
      continue;
    }
    const why = [`${rung.name}: ${describeTrial(trial.form, trial.deputy, stateDir)}`, ...refused.map(showRefused)].join("; ");
    report.emit({ kind: "notice", text: `sandbox: ${why}` });
    if (trial.warning !== undefined) report.emit({ kind: "warning", text: trial.warning });
    return trial.form.open({ ...options, helper: trial.deputy.helper, deputy: trial.deputy }, why);
  }
  throw new Error(choice === "auto" ? explainNothing(refused) : `Cannot use the sandbox "${choice}": ${refused[0]?.text}`);
}

interface Refused {
  readonly name: string;
  readonly text: string;
}

function showRefused({ name, text }: Refused): string {
  return `${name}: ${text}`;
}

function explainNothing(refused: readonly Refused[]): string {
  const [first = "", ...others] = new Set(refused.map(({ text }) => text));
  return [
    "Cannot run commands: RUN needs root with CAP_SYS_ADMIN, sudo that asks for no password, anybody who may make user namespaces, or root with CAP_SYS_CHROOT.",
    `Here: ${others.length === 0 ? first : refused.map(showRefused).join("; ")}.`,
    "Kubernetes: run the container as root with the default capabilities. Builds without RUN work here.",
  ].join(" ");
}
