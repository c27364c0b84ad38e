// What kaniko's environment variables mean here.

import type { Environment } from "./surroundings.ts";
import { UsageError } from "./usage.ts";
import { parseBoolean } from "./value.ts";

/** undefined where the variable is not set, or empty; throws a UsageError where it is no boolean. */
export function parseVariable(env: Environment, name: string): boolean | undefined {
  const text = env[name];
  if (text === undefined || text === "") return undefined;
  const value = parseBoolean(text);
  if (value === undefined)
    throw new UsageError(`invalid value ${JSON.stringify(text)} of the environment variable ${name}: must be true or false`);
  return value;
}

const cleaning = ["KANIKO_CLEANUP", "KANIKO_PRE_CLEANUP", "KANIKO_PRESERVE_CONTEXT"];

/** One line for each group of variables that are set but have no effect. */
export function listNotices(env: Environment): string[] {
  const features = Object.keys(env)
    .filter((name) => name.startsWith("FF_KANIKO_"))
    .sort();
  const set = cleaning.filter((name) => parseBoolean(env[name] ?? "") === true);
  return [
    ...(features.length === 0 ? [] : [`No effect: ${features.join(", ")}; kaniko's feature flags switch nothing here`]),
    ...set.map((name) => `No effect: ${name}; nothing of the machine's own file system is changed`),
  ];
}
