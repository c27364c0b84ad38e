// Finds the sandbox to use: each is tried by doing all that it does, short of a command.

import { randomUUID } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { removeTree } from "../filesystem/filesystem.ts";
import type { Helper } from "../helper/helper.ts";
import { openChroot } from "./chroot.ts";
import { openNs } from "./ns.ts";
import type { Command, Sandbox, SandboxChoice, SandboxName, SandboxOptions } from "./sandbox.ts";
import { type Place, SandboxError, startCommand } from "./start-command.ts";

/** From the strongest to the weakest. */
const rungs: readonly SandboxName[] = ["ns", "chroot", "chroot-bare"];

export async function chooseSandbox(choice: SandboxChoice, options: SandboxOptions): Promise<Sandbox> {
  const { helper, report } = options;
  if (choice !== "auto" && !rungs.includes(choice))
    throw new Error(`Cannot use the sandbox "${choice}": not yet supported; there are auto, ${rungs.join(", ")}`);
  if (helper === undefined)
    throw new Error(`Cannot run commands: there is no helper program for ${process.arch}; builds without RUN work here`);
  const refused: string[] = [];
  for (const rung of choice === "auto" ? rungs : [choice]) {
    const trial = await tryRung(rung, helper, options.stateDir);
    if (trial.refused !== undefined) {
      refused.push(`${rung}: ${trial.refused}`);
      continue;
    }
    const why = [`${rung}: ${describeRung(rung, options.stateDir)}`, ...refused].join("; ");
    report.emit({ kind: "notice", text: `sandbox: ${why}` });
    if (trial.warning !== undefined) report.emit({ kind: "warning", text: trial.warning });
    const tools = { ...options, helper };
    return rung === "ns" ? openNs(tools, why) : openChroot(rung, tools, why);
  }
  throw new Error(
    choice === "auto" ? explainNothing(refused) : `Cannot use the sandbox "${choice}": ${refused.join("; ").slice(choice.length + 2)}`,
  );
}

interface Trial {
  readonly refused?: string;
  readonly warning?: string;
}

/** Nothing is run: an empty list of arguments means that all is set up and taken down again. */
const nothing: Command = {
  args: [],
  env: [],
  cwd: "/",
  user: { uid: 0, gid: 0, groups: [] },
  hostname: "probe",
  network: "default",
  mounts: [],
  stdout() {},
  stderr() {},
};

async function tryRung(rung: SandboxName, helper: Helper, stateDir: string): Promise<Trial> {
  const home = join(stateDir, "work", `probe-${randomUUID()}`);
  const within = (name: string) => join(home, name);
  const place: Place =
    rung === "ns"
      ? { kind: "namespaces", lowers: [], upper: within("upper"), work: within("work"), stage: within("stage") }
      : { kind: "chroot", root: within("root"), scratch: within("scratch"), supervised: rung === "chroot" };
  try {
    await mkdir(home, { recursive: true, mode: 0o700 });
    for (const name of rung === "ns" ? ["upper", "work", "stage"] : ["root", "scratch"]) await mkdir(within(name));
    let warning: string | undefined;
    const onMissingDevices = () => {
      warning = "RUN has no /dev/null here: making device nodes is forbidden (CAP_MKNOD is missing); package managers may fail";
    };
    await startCommand(nothing, place, { helper, files: {}, signal: new AbortController().signal, onMissingDevices });
    return warning === undefined ? {} : { warning };
  } catch (error) {
    if (!(error instanceof SandboxError)) throw error;
    return { refused: explainRefusal(error.message, stateDir) };
  } finally {
    await removeTree(home);
  }
}

/** The helper's own words say which call failed; what they mean here is added where it is known. */
function explainRefusal(message: string, stateDir: string): string {
  const uid = process.geteuid?.() ?? 0;
  if (uid !== 0) return `it needs root, and this is uid ${uid}`;
  if (/overlayfs/.test(message))
    return `the state directory "${stateDir}" is on an overlayfs, which cannot hold another; mount a volume (in Kubernetes an emptyDir) and pass it as --state-dir`;
  if (/namespaces: Operation not permitted/.test(message))
    return "making namespaces is forbidden here (EPERM): it needs CAP_SYS_ADMIN and a seccomp profile that lets it";
  if (/listen to system calls: Device or resource busy/.test(message))
    return "somebody else supervises the system calls of this container already (EBUSY), and the kernel takes one listener";
  if (/listen to system calls|serve \/proc/.test(message))
    return `${message}: it needs Linux 5.14, and a kernel that lets root read the memory of its own processes`;
  if (/[Mm]ount.*: Permission denied/.test(message)) return `${message}: a security module such as AppArmor denies mounts`;
  return message;
}

function describeRung(rung: SandboxName, stateDir: string): string {
  switch (rung) {
    case "ns":
      return `namespaces and overlayfs below "${stateDir}"`;
    case "chroot":
      return "no isolation from this job, /proc and /sys from a supervisor, no_new_privs, changes found by scanning";
    case "chroot-bare":
      return "no isolation from this job, no /proc and /sys, changes found by scanning";
  }
}

function explainNothing(refused: readonly string[]): string {
  return [
    "Cannot run commands: RUN needs root with CAP_SYS_ADMIN, or root with CAP_SYS_CHROOT.",
    `Here: ${refused.join("; ")}.`,
    "Kubernetes: run the container as root with the default capabilities. Builds without RUN work here.",
  ].join(" ");
}
