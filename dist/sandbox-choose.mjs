import {
  describeTrial,
  rungs,
  showRefusal,
  tryRung
} from "./shared-8.mjs";
import "./shared-9.mjs";
import "./shared-4.mjs";
import "./shared-5.mjs";
import "./shared-7.mjs";
import "./shared-1.mjs";

// src/sandbox/choose.ts
async function chooseSandbox(choice, options) {
  const { helper, report, stateDir } = options;
  const tried = rungs.filter(({ name, isOffered }) => choice === name || choice === "auto" && isOffered?.() !== false);
  if (tried.length === 0) {
    const names = rungs.map(({ name }) => name).join(", ");
    throw new Error(`Cannot use the sandbox "${choice}": not yet supported; there are auto, ${names}`);
  }
  if (helper === void 0)
    throw new Error(`Cannot run commands: there is no helper program for ${process.arch}; builds without RUN work here`);
  const refused = [];
  for (const rung of tried) {
    const trial = await tryRung(rung, { ...options, helper });
    if ("refusal" in trial) {
      refused.push({ name: rung.name, text: showRefusal(trial.refusal) });
      continue;
    }
    const why = [`${rung.name}: ${describeTrial(trial.form, trial.deputy, stateDir)}`, ...refused.map(showRefused)].join("; ");
    report.emit({ kind: "notice", text: `sandbox: ${why}` });
    if (trial.warning !== void 0) report.emit({ kind: "warning", text: trial.warning });
    return trial.form.open({ ...options, helper: trial.deputy.helper, deputy: trial.deputy }, why);
  }
  throw new Error(choice === "auto" ? explainNothing(refused) : `Cannot use the sandbox "${choice}": ${refused[0]?.text}`);
}
function showRefused({ name, text }) {
  return `${name}: ${text}`;
}
function explainNothing(refused) {
  const [first = "", ...others] = new Set(refused.map(({ text }) => text));
  return [
    "Cannot run commands: RUN needs root with CAP_SYS_ADMIN, sudo that asks for no password, anybody who may make user namespaces, or root with CAP_SYS_CHROOT.",
    `Here: ${others.length === 0 ? first : refused.map(showRefused).join("; ")}.`,
    "Kubernetes: run the container as root with the default capabilities. Builds without RUN work here."
  ].join(" ");
}
export {
  chooseSandbox
};
