// Who does a sandbox's work: the builder's own helper or, for a builder that is not root, the helper with other ids.

import { createHash, randomUUID } from "node:crypto";
import { lstat, mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { copyHelper, type Helper, order, ServerError, startServer } from "../helper/helper.ts";
import { SandboxError } from "./start-command.ts";
import { findSubordinateIds } from "./subordinate-ids.ts";

/** What it takes: the machine's root, root of a user namespace with many ids, or what the builder has. */
export type Right = "root" | "ids" | "own";

export interface Deputy {
  readonly helper: Helper;
  /** Where the helper has other ids: for what is rubbish when the build has ended. It goes then, also when the builder is killed. */
  readonly workDir?: string;
  /** Part of the names of directories whose files have other ids on disk than in the image; nothing where they have the same. */
  readonly ids: string;
  /** For the log; empty where there is nothing to say. */
  readonly description: string;
  close(): Promise<void>;
}

export interface DeputyTools {
  readonly helper: Helper;
  readonly stateDir: string;
  /** The state directory goes with the build. */
  readonly stateIsPrivate: boolean;
  /** Whether it may be asked. */
  readonly sudo: boolean;
}

interface Way {
  readonly ids: string;
  readonly description: string;
  readonly command: readonly [string, ...string[]];
}

/** Throws a SandboxError where the builder has no such right and cannot have it. */
export async function appoint(right: Right, tools: DeputyTools): Promise<Deputy> {
  const { helper } = tools;
  const uid = process.geteuid?.() ?? 0;
  if (uid === 0 || right === "own") return { helper, ids: "", description: "", async close() {} };
  if (right === "root" && !tools.sudo) throw new SandboxError(`${needsRoot(uid)}, and --no-sudo was given`);
  return startDeputy(right === "root" ? throughSudo : mapped(helper), right, tools);
}

/** Where the language decides the words, it is the one that is looked for in them. */
const environment = { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/run/wrappers/bin", LC_ALL: "C" };

const copyName = "slipway-helper";

// The name is looked up in the server's directory.
const throughSudo: Way = {
  ids: "",
  description: "as root through sudo",
  command: ["sudo", "-n", "-u", "root", "--", `./${copyName}`, "serve"],
};

function mapped(helper: Helper): Way {
  const { uids, gids, name } = findSubordinateIds();
  const ids = `-${createHash("sha256").update(`${uids} ${gids}`).digest("hex").slice(0, 12)}`;
  return { ids, description: `with the subordinate ids ${name}`, command: [helper.path, "serve", uids, gids] };
}

function needsRoot(uid: number): string {
  return `it needs root, and this is uid ${uid}`;
}

async function startDeputy({ command, ids, description }: Way, right: Right, tools: DeputyTools): Promise<Deputy> {
  const { helper, stateDir, stateIsPrivate } = tools;
  const all = join(stateDir, "work");
  const workDir = join(all, `${prefix}${randomUUID()}`);
  await mkdir(workDir, { recursive: true, mode: 0o700 });
  try {
    // What root is to execute is not looked up again where others may have written meanwhile.
    if (right === "root") await copyHelper(join(workDir, copyName));
    const rubbish = [stateIsPrivate ? stateDir : workDir];
    const server = await startServer({ directory: workDir, command, env: environment, rubbish, path: helper.path });
    const swept = sweep(all, workDir, server.helper);
    return {
      helper: server.helper,
      ...{ workDir, ids, description },
      async close() {
        await swept;
        await server.close([workDir, ...(stateIsPrivate ? [join(stateDir, "layers"), join(stateDir, `caches${ids}`)] : [])]);
      },
    };
  } catch (error) {
    await rm(workDir, { recursive: true, force: true });
    if (!(error instanceof ServerError)) throw error;
    throw new SandboxError(right === "root" ? explainSudo(error) : error.message);
  }
}

function explainSudo({ code, message }: ServerError): string {
  const root = needsRoot(process.geteuid?.() ?? 0);
  if (code === "ENOENT") return `${root}, and there is no sudo`;
  const lines = message.split("\n");
  return `${root}, and sudo -n fails: ${lines.find((line) => line.startsWith("sudo:")) ?? lines.at(-1)}`;
}

const prefix = "deputy-";
/** Longer than a server takes to lock its directory. */
const youngMs = 60_000;

/** Removes what builds have left that were ended together with their servers; what cannot be removed is somebody else's. */
async function sweep(folder: string, own: string, helper: Helper): Promise<void> {
  const found: string[] = [];
  for (const name of await readdir(folder).catch(() => [])) {
    const path = join(folder, name);
    const changed = await lstat(path).catch(() => undefined);
    if (name.startsWith(prefix) && path !== own && changed !== undefined && Date.now() - changed.mtimeMs > youngMs) found.push(path);
  }
  if (found.length === 0) return;
  await order(helper, ["remove", "--unlocked", ...found]).catch(() => {});
}
