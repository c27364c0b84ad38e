// Tries a sandbox by doing all that it does, short of a command.

import { randomUUID } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { removeTree } from "../filesystem/filesystem.ts";
import { appoint, type Deputy, type DeputyTools } from "./deputy.ts";
import { explainRefusal, type Refusal } from "./explain-refusal.ts";
import type { Form, Need, Rung } from "./rungs.ts";
import type { Command, SandboxName } from "./sandbox.ts";
import { SandboxError, startCommand } from "./start-command.ts";

/** How a sandbox can be had here, or why not. Whoever is told has to close the deputy. */
export type Trial =
  | { readonly name: SandboxName; readonly form: Form; readonly deputy: Deputy; readonly warning: string | undefined }
  | { readonly name: SandboxName; readonly refusal: Refusal };

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

export async function tryRung({ name, right, needsRoot = false, forms }: Rung, tools: DeputyTools): Promise<Trial> {
  let deputy: Deputy;
  try {
    deputy = await appoint(right, tools);
  } catch (error) {
    if (!(error instanceof SandboxError)) throw error;
    return { name, refusal: explainRefusal(error.message, tools.stateDir, needsRoot) };
  }
  let refusal: Refusal | undefined;
  const lacks = new Set<Need>();
  for (const form of forms) {
    if (form.needs.some((need) => lacks.has(need))) continue;
    const tried = await tryForm(form, deputy, tools.stateDir);
    if (!(tried instanceof SandboxError)) return { name, form, deputy, ...tried };
    refusal = explainRefusal(tried.message, tools.stateDir, needsRoot);
    if (refusal.lack === undefined) break;
    lacks.add(refusal.lack);
  }
  await deputy.close();
  return { name, refusal: refusal as Refusal };
}

async function tryForm(
  form: Form,
  { helper, workDir }: Deputy,
  stateDir: string,
): Promise<{ readonly warning: string | undefined } | SandboxError> {
  let home = "";
  try {
    home = join(workDir ?? join(form.homeIn?.(stateDir) ?? stateDir, "work"), `probe-${randomUUID()}`);
    await mkdir(home, { recursive: true, mode: 0o700 });
    for (const name of form.directories) await mkdir(join(home, name));
    let warning: string | undefined;
    const onMissingDevices = () => {
      warning = "RUN has no /dev/null here: making device nodes is forbidden (CAP_MKNOD is missing); package managers may fail";
    };
    await startCommand(nothing, form.place(home, stateDir), { helper, files: {}, signal: new AbortController().signal, onMissingDevices });
    return { warning };
  } catch (error) {
    if (error instanceof SandboxError) return error;
    // Nobody else than root may write beside the state directory.
    if (form.homeIn !== undefined && (error as NodeJS.ErrnoException).code === "EACCES") return new SandboxError((error as Error).message);
    throw error;
  } finally {
    if (home !== "") await removeTree(home, helper);
  }
}
