// What an image takes over from its base's configuration: all that BuildKit knows of, and nothing of the container that made the base.

import type { ContainerConfig, History, ImageConfig } from "./image.ts";

const imageKeys = [
  "architecture",
  "os",
  "variant",
  "os.version",
  "os.features",
  "created",
  "author",
  "config",
  "rootfs",
  "history",
] as const;
const historyKeys = ["created", "created_by", "author", "comment", "empty_layer"] as const satisfies readonly (keyof History)[];
const containerKeys = [
  ...(["User", "ExposedPorts", "Env", "Entrypoint", "Cmd", "Volumes", "WorkingDir", "Labels", "StopSignal", "ArgsEscaped"] as const),
  ...(["Healthcheck", "OnBuild", "Shell"] as const),
] as const satisfies readonly (keyof ContainerConfig)[];

/** The configuration without other keys (`container_config`, `Hostname`), and without container settings that are null. */
export function inheritConfig(config: ImageConfig): ImageConfig {
  return {
    ...pick(config, imageKeys),
    ...(config.config === undefined ? {} : { config: pick(config.config, containerKeys) }),
    ...(config.history === undefined ? {} : { history: config.history.map((line) => pick(line, historyKeys)) }),
  };
}

function pick<T extends object, K extends keyof T>(value: T, keys: readonly K[]): Pick<T, K> {
  return Object.fromEntries(keys.flatMap((key) => (value[key] === undefined || value[key] === null ? [] : [[key, value[key]]]))) as Pick<
    T,
    K
  >;
}
