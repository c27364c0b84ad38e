// Reads what `--secret` and `--ssh` name: at once, so that no step of the build can change it.

import { resolve } from "node:path";
import type { Request } from "../build/build.ts";
import type { Surroundings } from "./surroundings.ts";
import { UsageError } from "./usage.ts";
import { splitFields } from "./value.ts";
import type { Value } from "./values.ts";

/** As BuildKit has it. */
const maxSecretBytes = 500 * 1024;

/** `id=NAME[,src=FILE][,env=NAME][,type=file|env]`, as kaniko and buildx have it. No error shows a secret. */
export function readSecrets(given: readonly Value[], surroundings: Surroundings): Request["secrets"] {
  const secrets = new Map<string, Uint8Array>();
  for (const value of given) {
    const secret = parseSecret(value);
    if (secrets.has(secret.id)) throw new UsageError(`${value.source}: secret ${secret.id} is given twice`);
    secrets.set(secret.id, readSecret(secret, value.source, surroundings));
  }
  return secrets;
}

interface Secret {
  readonly id: string;
  readonly type: string | undefined;
  readonly file: string | undefined;
  readonly env: string | undefined;
}

function parseSecret({ text, source }: Value): Secret {
  const fail = (why: string) => new UsageError(`invalid argument ${JSON.stringify(text)} for ${source}: ${why}`);
  const found: { id?: string; type?: string; src?: string; env?: string } = {};
  for (const [key, value] of splitFields(text) ?? [["", ""]]) {
    const name = key === "source" ? "src" : key;
    if (name !== "id" && name !== "type" && name !== "src" && name !== "env")
      throw fail("must be id=NAME[,src=PATH][,env=NAME][,type=file|env]");
    found[name] = value;
  }
  const { id, type, src, env } = found;
  if (!id) throw fail("it needs an id");
  if (type !== undefined && type !== "file" && type !== "env") throw fail(`unsupported secret type ${JSON.stringify(type)}`);
  return { id, type, file: src || undefined, env: env || undefined };
}

function readSecret({ id, type, file, env }: Secret, source: string, surroundings: Surroundings): Uint8Array {
  const variable = type === "env" ? (env ?? file ?? id) : type === "file" ? undefined : (env ?? (file === undefined ? id : undefined));
  const text = variable === undefined ? undefined : surroundings.env[variable];
  if (text !== undefined) return checkSize(id, Buffer.from(text), source);
  if (type === "env" || (type === undefined && env !== undefined))
    throw new UsageError(`${source}: secret ${id}: the environment variable ${variable} is not set`);
  const path = resolve(surroundings.directory, file ?? id);
  const bytes = surroundings.readBytes(path);
  if (bytes === undefined) throw new UsageError(`${source}: secret ${id}: cannot read ${JSON.stringify(path)}`);
  return checkSize(id, bytes, source);
}

function checkSize(id: string, bytes: Uint8Array, source: string): Uint8Array {
  if (bytes.length > maxSecretBytes)
    throw new UsageError(`${source}: secret ${id} is too big: it has ${bytes.length} bytes, ${maxSecretBytes} at most`);
  return bytes;
}

/** `ID[=SOCKET]`; without a socket it is the one of the environment. */
export function readAgents(given: readonly Value[], { env, directory, isSocket, fileExists }: Surroundings): Request["ssh"] {
  const agents = new Map<string, string>();
  for (const { text, source } of given) {
    const equals = text.indexOf("=");
    const id = (equals < 0 ? text : text.slice(0, equals)) || "default";
    const path = equals < 0 ? env.SSH_AUTH_SOCK : text.slice(equals + 1);
    if (agents.has(id)) throw new UsageError(`${source}: agent ${id} is given twice`);
    if (!path) throw new UsageError(`${source} ${id}: invalid empty ssh agent socket: make sure SSH_AUTH_SOCK is set`);
    const socket = resolve(directory, path);
    if (!isSocket(socket)) {
      const what = fileExists(resolve(directory, path.split(",")[0] ?? path)) ? "no socket" : "not there";
      throw new UsageError(
        `${source} ${id}: ${JSON.stringify(path)} is ${what}; for a key, start ssh-agent, ssh-add it, and pass ${source} ${id}`,
      );
    }
    agents.set(id, socket);
  }
  return agents;
}
