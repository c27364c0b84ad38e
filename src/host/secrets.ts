// Reads what `--secret` and `--ssh` name: at once, so that no step of the build can change it.

import { resolve } from "node:path";
import type { AgentSource } from "../agent/agent.ts";
import type { Request } from "../build/build.ts";
import type { Surroundings } from "./surroundings.ts";
import { UsageError } from "./usage.ts";
import { splitFields } from "./value.ts";
import type { Value } from "./values.ts";

/** As BuildKit has it. */
const maxSecretBytes = 500 * 1024;
const maxKeyBytes = 100 * 1024;

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

/** `ID[=SOCKET|KEY[,KEY...]]`; without either it is the socket of the environment. */
export function readAgents(given: readonly Value[], surroundings: Surroundings): Request["ssh"] {
  const agents = new Map<string, AgentSource>();
  for (const { text, source } of given) {
    const equals = text.indexOf("=");
    const id = (equals < 0 ? text : text.slice(0, equals)) || "default";
    const paths = (equals < 0 ? "" : text.slice(equals + 1)) || surroundings.env.SSH_AUTH_SOCK;
    if (agents.has(id)) throw new UsageError(`${source}: agent ${id} is given twice`);
    if (!paths) throw new UsageError(`${source} ${id}: invalid empty ssh agent socket: make sure SSH_AUTH_SOCK is set`);
    agents.set(id, readAgent(paths.split(","), `${source} ${id}`, surroundings));
  }
  return agents;
}

function readAgent(paths: readonly string[], flag: string, { directory, isSocket, readBytes }: Surroundings): AgentSource {
  const places = paths.map((path) => resolve(directory, path));
  const [socket] = places.filter(isSocket);
  if (socket !== undefined && places.length > 1)
    throw new UsageError(`${flag}: invalid combination of keys and sockets: one socket, or keys alone`);
  if (socket !== undefined) return { kind: "socket", path: socket };
  const files = places.map((path) => {
    const bytes = readBytes(path);
    if (bytes === undefined) throw new UsageError(`${flag}: cannot read ${JSON.stringify(path)}`);
    if (bytes.length > maxKeyBytes)
      throw new UsageError(`${flag}: ${JSON.stringify(path)} is no private key: it has ${bytes.length} bytes`);
    return { path, bytes };
  });
  return { kind: "keys", files };
}
