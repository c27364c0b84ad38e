// Which checks run and whether their findings fail a build: `# check=`, its build argument, and comments above instructions.

import type { Rule } from "./check-rules.ts";
import type { Dockerfile } from "./dockerfile.ts";
import { LineError, lineRange, within } from "./error.ts";
import { locateErrors } from "./locate.ts";
import { quote } from "./quote.ts";
import { parseBoolean } from "./scalar.ts";
import { trim } from "./space.ts";

/** https://docs.docker.com/build/checks/#configure-a-check */
export interface CheckConfig {
  readonly skip: "all" | ReadonlySet<string>;
  readonly experimental: "all" | ReadonlySet<string>;
  /** Findings of BuildKit's rules fail the build. */
  readonly error: boolean;
}

const nothing: ReadonlySet<string> = new Set();

/**
 * The configuration of a Dockerfile; the build argument BUILDKIT_DOCKERFILE_CHECK takes the place of its `# check=`. Throws a
 * DockerfileError for a directive, and a LineError for a build argument, that cannot be read.
 */
export function readCheckConfig(dockerfile: Dockerfile, buildArgs: ReadonlyMap<string, string>): CheckConfig {
  const argument = buildArgs.get("BUILDKIT_DOCKERFILE_CHECK");
  if (argument !== undefined) return parseConfig(argument);
  const { check } = dockerfile.directives;
  return locateErrors(dockerfile, lineRange(check?.line ?? 1), () => parseConfig(check?.value ?? ""));
}

/** `skip=A,B|all;error=true;experimental=A|all`. Throws a LineError. */
function parseConfig(text: string): CheckConfig {
  let config: CheckConfig = { skip: nothing, experimental: nothing, error: false };
  const wrong = (option: string) =>
    new LineError(`failed to parse check options: invalid check option ${quote(option)}`, "write it as skip=RULE,RULE;error=true", {
      inner: option,
    });
  for (const part of trim(text) === "" ? [] : trim(text).split(";")) {
    const equals = part.indexOf("=");
    if (equals < 0) throw wrong(part);
    const key = trim(part.slice(0, equals));
    const value = trim(part.slice(equals + 1));
    if (key === "error") config = { ...config, error: within({ inner: value }, () => parseBoolean(value, "the check option error")) };
    else if (key === "skip" || key === "experimental")
      config = { ...config, [key]: value === "all" ? "all" : new Set(value.split(",").map(trim)) };
    else throw wrong(key);
  }
  return config;
}

/** Whether findings of a rule count at an instruction with these comments above it, the first `check=` of which adds to the configuration. */
export function isEnabled(rule: Rule, config: CheckConfig, comments: readonly string[]): boolean {
  const local = readComments(comments);
  const names = (key: "skip" | "experimental") => [config[key], local[key]].some((set) => set === "all" || set.has(rule.name));
  return rule.experimental ? names("experimental") : !names("skip");
}

/** What comes after a blank is the reason; a comment that cannot be read is one like others. */
function readComments(comments: readonly string[]): Pick<CheckConfig, "skip" | "experimental"> {
  const found = comments.map((comment) => /^check[\t ]*=[\t ]*(\S+)/i.exec(comment)?.[1]).find((value) => value !== undefined);
  try {
    return parseConfig(found ?? "");
  } catch (error) {
    if (error instanceof LineError) return { skip: nothing, experimental: nothing };
    throw error;
  }
}
