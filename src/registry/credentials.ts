// Finds the credentials for a repository in docker's configuration: https://docs.docker.com/reference/cli/docker/login/

import { readFile } from "node:fs/promises";
import { dockerHub, normalizeRegistry } from "../image/reference.ts";
import type { Report } from "../report/report.ts";
import { askHelper } from "./credential-helper.ts";
import type { DockerConfigSource } from "./registry.ts";

export type Credentials = {
  /** For people, without secrets: `user "ci" from config.json`. */
  readonly described: string;
} & (
  | { readonly kind: "password"; readonly username: string; readonly password: string }
  /** Traded for tokens at the token endpoint. */
  | { readonly kind: "identity"; readonly token: string }
  /** Sent as it is. */
  | { readonly kind: "bearer"; readonly token: string }
);

interface AuthEntry {
  readonly auth?: string;
  readonly username?: string;
  readonly password?: string;
  readonly identitytoken?: string;
  readonly registrytoken?: string;
}

interface DockerConfig {
  readonly name: string;
  readonly auths: Readonly<Record<string, AuthEntry>>;
  readonly credHelpers: Readonly<Record<string, string>>;
  readonly credsStore: string | undefined;
}

export interface Keychain {
  /** Looks again each time: CI systems renew short-lived credentials in place. */
  find(registry: string, repository: string): Promise<Credentials | undefined>;
}

const hubKey = "https://index.docker.io/v1/";

/** The order within one configuration: the longest key that names a part of the repository's path, credHelpers, credsStore, the host's key, a key whose host alone matches. */
export function openKeychain(source: DockerConfigSource, report: Report): Keychain {
  return {
    async find(registry, repository) {
      for (const config of await readConfigs(source)) {
        const found = await findIn(config, registry, repository, source.helperEnvironment);
        if (found === undefined) continue;
        for (const secret of secretsOf(found)) report.mask(secret);
        return found;
      }
      return undefined;
    },
  };
}

async function findIn(
  config: DockerConfig,
  registry: string,
  repository: string,
  environment: DockerConfigSource["helperEnvironment"],
): Promise<Credentials | undefined> {
  const names = registry === dockerHub ? [hubKey, dockerHub, "docker.io"] : [registry];
  const scoped = findScoped(config.auths, names, repository);
  if (scoped !== undefined) return readEntry(scoped, config.name);
  const helperKey = names.find((name) => config.credHelpers[name] !== undefined);
  const helper = helperKey === undefined ? config.credsStore : config.credHelpers[helperKey];
  if (helper !== undefined && helper !== "") {
    const answer = await askHelper(helper, helperKey ?? names[0] ?? registry, environment);
    if (answer !== undefined) return answer;
  }
  const exact = names.find((name) => config.auths[name] !== undefined);
  const entry = exact === undefined ? findByHost(config.auths, registry) : config.auths[exact];
  return entry === undefined ? undefined : readEntry(entry, config.name);
}

/** Podman's keys: `host/namespace/name`; the longest that holds the repository wins. */
function findScoped(auths: DockerConfig["auths"], names: readonly string[], repository: string): AuthEntry | undefined {
  const parts = repository.split("/");
  for (let length = parts.length; length > 0; length--) {
    const path = parts.slice(0, length).join("/");
    for (const name of names) {
      const entry = auths[`${name.replace(/\/$/, "")}/${path}`];
      if (entry !== undefined) return entry;
    }
  }
  return undefined;
}

function findByHost(auths: DockerConfig["auths"], registry: string): AuthEntry | undefined {
  const key = Object.keys(auths).find((candidate) => normalizeRegistry(hostOf(candidate)) === registry);
  return key === undefined ? undefined : auths[key];
}

function hostOf(key: string): string {
  return key.replace(/^[a-z]+:\/\//i, "").replace(/\/.*$/s, "");
}

function readEntry(entry: AuthEntry, from: string): Credentials | undefined {
  const [username = "", password = ""] = entry.auth ? splitAuth(entry.auth) : [entry.username, entry.password];
  const described = `${username === "" ? "a token" : `user "${username}"`} from ${from}`;
  if (entry.registrytoken) return { kind: "bearer", token: entry.registrytoken, described };
  if (entry.identitytoken) return { kind: "identity", token: entry.identitytoken, described };
  if (username === "" && password === "") return undefined;
  return { kind: "password", username, password, described };
}

function splitAuth(auth: string): readonly [string, string] {
  const text = Buffer.from(auth, "base64").toString("utf8").replace(/\0+$/, "");
  const colon = text.indexOf(":");
  return colon < 0 ? ["", ""] : [text.slice(0, colon), text.slice(colon + 1)];
}

function secretsOf(credentials: Credentials): readonly string[] {
  if (credentials.kind !== "password") return [credentials.token];
  const { username, password } = credentials;
  return password === "" ? [] : [password, Buffer.from(`${username}:${password}`).toString("base64")];
}

async function readConfigs({ json, file }: DockerConfigSource): Promise<DockerConfig[]> {
  const configs: DockerConfig[] = [];
  if (json) configs.push(parseConfig(json, "DOCKER_AUTH_CONFIG"));
  if (file !== undefined) {
    const text = await readFile(file, "utf8").catch((cause: NodeJS.ErrnoException) => {
      if (cause.code === "ENOENT" || cause.code === "ENOTDIR") return undefined;
      throw new Error(`Cannot read "${file}": ${cause.message}`, { cause });
    });
    if (text !== undefined && text.trim() !== "") configs.push(parseConfig(text, file));
  }
  return configs;
}

function parseConfig(text: string, name: string): DockerConfig {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The parser's own message quotes the text, which holds passwords.
    throw new SyntaxError(`Cannot read "${name}": it is no JSON`);
  }
  if (value === null || typeof value !== "object" || Array.isArray(value))
    throw new SyntaxError(`Cannot read "${name}": it is no JSON object`);
  const { auths, credHelpers, credsStore } = value as Partial<DockerConfig>;
  return { name, auths: auths ?? {}, credHelpers: credHelpers ?? {}, credsStore };
}
