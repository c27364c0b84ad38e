// What a request says to whoever fetches contexts: with which rights, and into which directory.

import { randomUUID } from "node:crypto";
import { join } from "node:path";
import type { ContextOptions, FetchTools } from "../context/context.ts";
import { makeDirectories } from "../filesystem/filesystem.ts";
import type { Registry } from "../registry/registry.ts";
import type { AgentTools } from "./agents.ts";
import type { Request } from "./request.ts";

export function fetchTools(request: Request, { http }: Registry, { signal, stdin, ssh }: AgentTools): FetchTools {
  const { secrets } = request;
  const { proxies, roots } = request.registry;
  const makeDirectory = () => makeWorkDirectory(request);
  return { http, secrets, signal, stdin, proxies, authorities: roots.files, sshAgent: ssh.get("default"), makeDirectory };
}

/** As BuildKit's dockerui reads build arguments. */
export function contextOptions(request: Request): ContextOptions {
  const { buildArgs, contextSubPath: subPath } = request;
  const keepGitDir = /^(?:1|t|T|TRUE|true|True)$/.test(buildArgs.get("BUILDKIT_CONTEXT_KEEP_GIT_DIR") ?? "");
  return { ...request, subPath, keepGitDir, mtime: buildArgs.get("SOURCE_DATE_EPOCH") ? "commit" : "checkout" };
}

/** A new directory of the build's own, for this user alone. */
export async function makeWorkDirectory({ stateDir }: Pick<Request, "stateDir">): Promise<string> {
  const directory = join(stateDir, "work", randomUUID());
  await makeStateDirectory(directory);
  return directory;
}

export async function makeStateDirectory(directory: string): Promise<void> {
  try {
    await makeDirectories(directory, 0o700);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`Cannot make the state directory "${directory}": ${why}; give another with --state-dir`, { cause });
  }
}

/** What no log may show. */
export function secretsOf({ secrets, git, context, dockerfile, buildContexts }: Request): readonly string[] {
  const { username = "", password = "" } = git.credentials ?? {};
  const userinfos = [context, dockerfile, ...buildContexts.values()].flatMap(splitUserinfo);
  return [
    ...[...secrets.values()].map((secret) => Buffer.from(secret).toString("utf8")),
    ...[[username, password], ...userinfos].flatMap(([user = "", secret = ""]) => (secret === "" ? [user] : [secret])),
  ];
}

/** Name and password, as they are and as they are written; a token stands in the place of the name. */
function splitUserinfo(address: string): readonly (readonly string[])[] {
  const [, userinfo] = /^(?!ssh:)[a-z][a-z0-9+.-]*:\/\/([^/?#]*)@/i.exec(address) ?? [];
  if (userinfo === undefined) return [];
  const parts = userinfo.split(":");
  return [parts, parts.map(decode)];
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
