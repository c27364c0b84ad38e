// What a RUN comes to: its command, and what it may reach, with every word of its flags expanded and checked.

import {
  type CommandLine,
  exactFlag,
  flagValue,
  LineError,
  type Mount,
  type MountFlag,
  type RunInstruction,
  readMount,
  readScript,
  within,
} from "../dockerfile/dockerfile.ts";
import { toRaw } from "../layer/entry.ts";
import type { Origin, RunMount, RunStep } from "./plan.ts";
import { cleanPath } from "./select.ts";

/** What the request allows to all commands. */
export interface RunPolicy {
  /** Of commands that say nothing else. */
  readonly network: "default" | "none" | "host";
  /** `--allow`: what commands may ask for beyond the usual. */
  readonly allowed: readonly string[];
}

interface Surroundings {
  /** One for each mount. */
  readonly origins: readonly Origin[];
  readonly policy: RunPolicy;
  /** Absolute. */
  readonly workdir: string;
  /** `K=V` */
  readonly env: readonly string[];
  expand(word: string): string;
}

/** Throws a LineError, in BuildKit's words where it has some. */
export function evaluateRun(
  instruction: RunInstruction,
  surroundings: Surroundings,
): { readonly command: CommandLine } & Pick<RunStep, "env" | "network" | "mounts"> {
  refuseRights(instruction);
  const { command, file } = readScript(instruction);
  const { env, mounts } = evaluateMounts(instruction, surroundings);
  const script = file === undefined ? [] : [{ kind: "script" as const, target: file.path, text: file.content }];
  return { command, env, network: networkOf(instruction, surroundings.policy), mounts: sortMounts([...mounts, ...script]) };
}

/** Rights that no sandbox here can give. */
function refuseRights({ security, devices }: RunInstruction): void {
  if (security === "insecure")
    throw new LineError(
      "RUN --security=insecure: entitlement security.insecure is not allowed: no sandbox gives a command more rights than Docker's default container",
      undefined,
      flagValue("--security", security),
    );
  const [device] = devices;
  if (device !== undefined)
    throw new LineError(`RUN --device=${device.name} is not allowed: no sandbox gives a command a device of this machine`, undefined, {
      of: "flag",
      text: "--device",
    });
}

function networkOf({ network }: RunInstruction, policy: RunPolicy): RunStep["network"] {
  const wanted = network === "default" ? policy.network : network;
  if (wanted === "host" && !policy.allowed.includes("network.host"))
    throw new LineError(
      "RUN --network=host: entitlement network.host is not allowed",
      "pass --allow=network.host, or leave the flag out: without it a command has the machine's network too",
      flagValue("--network", network),
    );
  return wanted;
}

function evaluateMounts(instruction: RunInstruction, { origins, workdir, env, expand }: Surroundings): Pick<RunStep, "env" | "mounts"> {
  const files: RunMount[] = [];
  const secrets: RunMount[] = [];
  const agents: (RunMount & { readonly kind: "ssh" })[] = [];
  const take = (flag: MountFlag, i: number) => {
    const mount = readMount(flag, expand);
    const from = origins[i] ?? { kind: "context" };
    const place = (target: string) => placeOf(target, workdir);
    switch (mount.type) {
      case "bind": {
        const { source = "", target = "" } = mount;
        files.push({ kind: "bind", target: place(target), from, source: cleanPath(toRaw(source)), writable: !mount.readonly });
        break;
      }
      case "cache":
        files.push(evaluateCache(mount, flag.from ? from : { kind: "scratch" }, place));
        break;
      case "tmpfs":
        files.push({ kind: "tmpfs", target: place(mount.target ?? ""), size: mount.size ?? 0, writable: !mount.readonly });
        break;
      case "secret":
        secrets.push(evaluateSecret(mount, place));
        break;
      case "ssh": {
        if (mount.source) throw new LineError("ssh does not support source", undefined, { inner: mount.source });
        const target = place(mount.target || `/run/buildkit/ssh_agent.${agents.length}`);
        agents.push({ kind: "ssh", id: mount.id || "default", target, ...ownerOf(mount, 0o600), required: mount.required });
        break;
      }
    }
  };
  for (const [i, flag] of instruction.mounts.entries()) within(exactFlag("--mount", flag.text), () => take(flag, i));
  const [agent] = agents;
  const hasAgent = agent === undefined || env.some((pair) => pair.startsWith("SSH_AUTH_SOCK="));
  return { env: hasAgent ? env : [...env, `SSH_AUTH_SOCK=${agent.target}`], mounts: [...files, ...secrets, ...agents] };
}

function placeOf(target: string, workdir: string): string {
  const clean = cleanPath(toRaw(target.startsWith("/") ? target : `${workdir}/${target}`));
  if (clean === "") throw new LineError(`invalid mount target ${JSON.stringify(target)}`, undefined, { inner: target });
  const placed = `/${Buffer.from(clean, "latin1").toString("utf8")}`;
  if (/^\/proc(?:\/|$)/.test(placed))
    throw new LineError(`invalid mount target "${placed}": cannot be mounted because it is inside /proc`, undefined, { inner: target });
  return placed;
}

function ownerOf({ mode, uid = 0, gid = 0 }: Mount, usual: number): { mode: number; uid: number; gid: number } {
  return { mode: (mode ?? usual) & 0o7777, uid, gid };
}

/** As in BuildKit, mode and owner count for a cache that is shown whole; with `from` they are those of an empty directory "cache" in it. */
function evaluateCache(mount: Mount, from: Origin, place: (target: string) => string): RunMount {
  const { target = "", id, sharing = "shared", mode, uid, gid } = mount;
  const source = cleanPath(toRaw(mount.source ?? ""));
  const hasOwner = source === "" && (mode !== undefined || uid !== undefined || gid !== undefined);
  const cleaned = Buffer.from(cleanPath(toRaw(target)), "latin1").toString("utf8");
  return {
    kind: "cache",
    target: place(target),
    id: id || (target.startsWith("/") ? `/${cleaned}` : cleaned || "."),
    sharing,
    from,
    source: hasOwner && from.kind !== "scratch" ? "cache" : source,
    owner: hasOwner ? ownerOf(mount, 0o755) : undefined,
    writable: !mount.readonly,
  };
}

function evaluateSecret(mount: Mount, place: (target: string) => string): RunMount {
  const { target, env, required } = mount;
  const id = mount.source || mount.id || nameOf(target ?? "");
  const file = target || (env === undefined ? `/run/secrets/${nameOf(id)}` : undefined);
  return {
    kind: "secret",
    id,
    target: file === undefined ? undefined : place(file),
    env: env === undefined ? undefined : env || id,
    required,
    ...ownerOf(mount, 0o400),
  };
}

/** As Go's path.Base. */
function nameOf(path: string): string {
  return path.replace(/\/+$/, "").split("/").at(-1) || (path === "" ? "." : "/");
}

/** As BuildKit puts them in place: by depth, then by name, then as they are written. */
function sortMounts(mounts: readonly RunMount[]): readonly RunMount[] {
  const depth = (target: string) => target.split("/").length;
  return mounts.toSorted(({ target: a = "" }, { target: b = "" }) => depth(a) - depth(b) || Number(a > b) - Number(a < b));
}
