// What kaniko's --git and environment say of contexts that are git repositories.

import type { Request } from "../build/build.ts";
import type { Environment } from "./surroundings.ts";
import { UsageError } from "./usage.ts";
import { parseBoolean, parseInteger } from "./value.ts";
import type { Value } from "./values.ts";

type Choices = Map<string, Value>;

/** Throws a UsageError for options that kaniko does not have either. `context` says whether they mean anything. */
export function readGitOptions(
  given: readonly Value[],
  env: Environment,
  context: string,
): { readonly git: Request["git"]; readonly notices: readonly string[] } {
  const choices = splitOptions(given);
  const { GIT_TOKEN: token, GIT_USERNAME: username, GIT_PASSWORD: password } = env;
  // kaniko's way to say a token: the name of a user without a password.
  const credentials = token ? { username: token, password: "" } : username || password ? { username, password } : undefined;
  const git: Request["git"] = {
    branch: choices.get("branch")?.text || undefined,
    submodules: readSwitch(choices, "recurse-submodules"),
    skipTlsVerify: readSwitch(choices, "insecure-skip-tls") ?? false,
    protocol: env.GIT_PULL_METHOD === "http" ? "http" : "https",
    credentials: credentials && { username: credentials.username ?? "", password: credentials.password ?? "" },
  };
  readSwitch(choices, "single-branch");
  const depth = choices.get("depth");
  if (depth !== undefined && parseInteger(depth.text) === undefined) throw wrong(depth, "depth must be a number");
  const idle = ["single-branch", "depth"].filter((name) => choices.has(name));
  if (given.length > 0 && !/^(?:git|ssh):\/\/|^[\w-]+@[\w.-]+:|^https?:\/\/[^?#]*\.git(?:[?#]|$)/i.test(context))
    return { git, notices: ["No effect: --git; the context is no git repository"] };
  if (idle.length === 0) return { git, notices: [] };
  return { git, notices: [`No effect: --git ${idle.join(", ")}; nothing but the commit that is built is fetched without it`] };
}

const names = ["branch", "single-branch", "recurse-submodules", "insecure-skip-tls", "depth"];

function splitOptions(given: readonly Value[]): Choices {
  const choices: Choices = new Map();
  for (const value of given)
    for (const pair of value.text.split(",")) {
      const [, name = "", text = ""] = /^([^=]*)=(.*)$/s.exec(pair) ?? [];
      if (!names.includes(name)) throw wrong(value, `must be ${names.map((one) => `${one}=`).join(", ")}`);
      choices.set(name, { text, source: value.source });
    }
  return choices;
}

function readSwitch(choices: Choices, name: string): boolean | undefined {
  const value = choices.get(name);
  if (value === undefined) return undefined;
  const read = parseBoolean(value.text);
  if (read === undefined) throw wrong(value, `${name} must be true or false`);
  return read;
}

function wrong({ text, source }: Value, why: string): UsageError {
  return new UsageError(`invalid argument ${JSON.stringify(text)} for ${source}: ${why}`);
}
