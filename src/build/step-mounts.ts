// Finds what the mounts of a RUN show: files of contexts and stages, secrets, agents.

import type { Part } from "../dockerfile/dockerfile.ts";
import { directoryAttributes } from "../filesystem/filesystem.ts";
import type { LayerItem } from "../layer/entry.ts";
import type { Mount, MountSource } from "../sandbox/sandbox.ts";
import { BuildFailure } from "./failure.ts";
import { listSource } from "./mount-source.ts";
import type { CacheMount, Origin, RunMount, RunStep, SecretMount } from "./plan.ts";
import type { StepSource } from "./step-copy.ts";

/** Files of an origin; `key` names them among all builds, as far as they have a name. */
export interface MountOrigin extends StepSource {
  readonly key: string;
}

export interface MountTools {
  readonly secrets: ReadonlyMap<string, Uint8Array>;
  readonly ssh: ReadonlyMap<string, string>;
  open(origin: Origin): Promise<MountOrigin>;
}

/** The mounts in their order, and the environment with the secrets that belong there. Throws with the id of what is missing. */
export async function resolveMounts(
  step: RunStep,
  tools: MountTools,
): Promise<{ readonly mounts: readonly Mount[]; readonly env: readonly string[] }> {
  // The last of several at one place is the one, where the first would have been.
  const mounts = new Map<string, Mount>();
  for (const mount of step.mounts) for (const resolved of await resolveMount(mount, tools)) mounts.set(resolved.target, resolved);
  const variables = step.mounts.flatMap((mount) => (mount.kind === "secret" ? variableOf(mount, tools) : []));
  const names = new Set(variables.map(([name]) => name));
  const env = step.env.filter((pair) => !names.has(pair.slice(0, pair.indexOf("="))));
  return {
    mounts: [...mounts.values()],
    env: [...env, ...step.proxies, ...new Map(variables)].map((pair) => (typeof pair === "string" ? pair : pair.join("="))),
  };
}

async function resolveMount(mount: RunMount, tools: MountTools): Promise<readonly Mount[]> {
  switch (mount.kind) {
    case "bind": {
      const origin = await tools.open(mount.from);
      const source = { key: `${origin.key}\0${mount.source}`, items: () => listSource(origin, mount.source) };
      return [{ kind: "bind", target: mount.target, source, writable: mount.writable }];
    }
    case "cache":
      return [await resolveCache(mount, tools)];
    case "tmpfs":
      return [mount];
    case "secret": {
      const bytes = secretOf(mount, tools);
      if (bytes === undefined || mount.target === undefined) return [];
      const { target, mode, uid, gid } = mount;
      return [{ kind: "content", target, mode, uid, gid, bytes, executable: false }];
    }
    case "ssh": {
      const socket = tools.ssh.get(mount.id);
      if (socket === undefined && mount.required)
        throw new BuildFailure(`no SSH key "${mount.id}" forwarded from the client`, {
          hint: `pass --ssh ${mount.id}`,
          part: partOf(mount),
        });
      const { target, mode, uid, gid } = mount;
      return socket === undefined ? [] : [{ kind: "agent", target, mode, uid, gid, socket }];
    }
    case "script": {
      const bytes = Buffer.from(mount.text);
      return [{ kind: "content", target: mount.target, mode: 0o755, uid: 0, gid: 0, bytes, executable: true }];
    }
  }
}

/** The flag that names it, and may be the only one. */
function partOf({ id }: { readonly id: string }): Part {
  return { of: "flag", text: "--mount", inner: id };
}

function secretOf({ id, required }: SecretMount, { secrets }: MountTools): Uint8Array | undefined {
  const bytes = secrets.get(id);
  if (bytes === undefined && required)
    throw new BuildFailure(`secret ${id}: not found`, {
      hint: `pass --secret id=${id},src=FILE or --secret id=${id},env=NAME`,
      part: partOf({ id }),
    });
  return bytes;
}

/** An optional secret that is missing is an empty variable. */
function variableOf(mount: SecretMount, tools: MountTools): readonly (readonly [string, string])[] {
  if (mount.env === undefined) return [];
  const bytes = secretOf(mount, tools) ?? new Uint8Array();
  if (bytes.includes(0))
    throw new BuildFailure(`Cannot give secret ${mount.id} in a variable: it holds a NUL; mount it as a file`, { part: partOf(mount) });
  return [[mount.env, Buffer.from(bytes).toString("utf8")]];
}

async function resolveCache(mount: CacheMount, tools: MountTools): Promise<Mount> {
  const { target, id, sharing, source, owner, writable } = mount;
  const origin = mount.from.kind === "scratch" ? undefined : await tools.open(mount.from);
  const key = JSON.stringify([id, origin?.key ?? "", owner ?? null]);
  const seed: MountSource | undefined = origin && { key, items: async () => withCache(await listSource(origin, ""), owner) };
  return { kind: "cache", target, key, id, sharing, seed, owner: owner ?? { mode: 0o755, uid: 0, gid: 0 }, source, writable };
}

/** The directory "cache" that a cache with an owner shows of its seed; one that is there stays as it is. */
function withCache(items: readonly LayerItem[], owner: CacheMount["owner"]): readonly LayerItem[] {
  if (owner === undefined || items.some(({ entry }) => entry.path === "cache")) return items;
  return [...items, { entry: { ...directoryAttributes(owner.mode, owner.uid, owner.gid, 0), path: "cache" } }];
}
