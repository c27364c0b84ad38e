// Where a Docker configuration lies, and which of its texts are secrets.

import { join, resolve } from "node:path";
import type { DockerConfigSource } from "../registry/registry.ts";
import type { Surroundings } from "./surroundings.ts";

type Files = Pick<Surroundings, "env" | "directory" | "fileExists" | "readFile">;

/**
 * DOCKER_CONFIG or else ~/.docker; where that has no config.json, REGISTRY_AUTH_FILE, then podman's auth.json. DOCKER_AUTH_CONFIG,
 * a text, goes before any file.
 */
export function findDockerConfig({ env, directory, fileExists }: Files): DockerConfigSource {
  const docker = env.DOCKER_CONFIG || (env.HOME ? join(env.HOME, ".docker") : "");
  const candidates = [
    ...(docker ? [join(docker, "config.json")] : []),
    ...(env.REGISTRY_AUTH_FILE ? [env.REGISTRY_AUTH_FILE] : []),
    ...(env.XDG_RUNTIME_DIR ? [join(env.XDG_RUNTIME_DIR, "containers/auth.json")] : []),
  ].map((path) => resolve(directory, path));
  const file = candidates.find(fileExists);
  const helperEnvironment = Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
  return {
    helperEnvironment,
    ...(file === undefined ? {} : { file }),
    ...(env.DOCKER_AUTH_CONFIG ? { json: env.DOCKER_AUTH_CONFIG } : {}),
  };
}

/** What must never be shown: passwords and tokens of the Docker configuration and of proxy URLs. */
export function findSecrets(source: DockerConfigSource, files: Files): string[] {
  const texts = [source.json, source.file === undefined ? undefined : files.readFile(source.file)];
  const proxies = ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"].map((name) => files.env[name] ?? "");
  return [...texts.flatMap((text) => (text === undefined ? [] : secretsOfConfig(text))), ...proxies.flatMap(secretsOfUrl)];
}

// A configuration that cannot be read is reported by whoever needs it.
function secretsOfConfig(text: string): string[] {
  let config: unknown;
  try {
    config = JSON.parse(text);
  } catch {
    return [];
  }
  const auths = isRecord(config) && isRecord(config.auths) ? Object.values(config.auths) : [];
  return auths.filter(isRecord).flatMap((entry) => {
    const given = [entry.password, entry.identitytoken, entry.registrytoken, entry.auth].filter((value) => typeof value === "string");
    const decoded = typeof entry.auth === "string" ? Buffer.from(entry.auth, "base64").toString() : "";
    return [...given, decoded.slice(decoded.indexOf(":") + 1)];
  });
}

function secretsOfUrl(url: string): string[] {
  const password = URL.canParse(url) ? new URL(url).password : "";
  try {
    return [password, decodeURIComponent(password)];
  } catch {
    return [password];
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
