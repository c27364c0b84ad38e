// Checks of FROM lines: the arguments they use, and the platforms they name.

import { formatPlatform, type Platform, parsePlatform } from "../image/platform.ts";
import { parseReference } from "../image/reference.ts";
import type { CheckFacts, ImageFacts, Tell } from "./check.ts";
import type { Dockerfile } from "./dockerfile.ts";
import { LineError } from "./error.ts";
import { expandWord } from "./expand.ts";
import type { FromInstruction, Written } from "./instruction.ts";
import { quote } from "./quote.ts";
import { findNearest } from "./suggest.ts";

interface Expanded {
  /** undefined: the word cannot be expanded. */
  readonly text: string | undefined;
  /** The variables that were looked up, set and not set. */
  readonly used: ReadonlySet<string>;
  readonly missing: ReadonlySet<string>;
}

/** The arguments that FROM lines see. */
export interface Globals {
  readonly values: ReadonlyMap<string, string>;
  /** Set or not. */
  readonly names: ReadonlySet<string>;
  expand(word: string): Expanded;
}

type Given = Pick<CheckFacts, "buildArgs" | "predefined">;

export function readGlobals(dockerfile: Dockerfile, { buildArgs, predefined }: Given): Globals {
  const values = new Map(predefined);
  const names = new Set(predefined.keys());
  const expand = (word: string): Expanded => {
    const used = new Set<string>();
    const missing = new Set<string>();
    const get = (name: string) => {
      const value = values.get(name);
      if (value !== undefined) used.add(name);
      return value;
    };
    try {
      return { text: expandWord(word, { get, escape: dockerfile.escape }, missing), used, missing };
    } catch (error) {
      if (error instanceof LineError) return { text: undefined, used, missing };
      throw error;
    }
  };
  for (const { name, value } of dockerfile.globalArgs.flatMap(({ args }) => args)) {
    const set = buildArgs.get(name) ?? (value === undefined ? undefined : expand(value).text);
    if (set !== undefined) values.set(name, set);
    names.add(name);
  }
  return { values, names, expand };
}

export function checkFrom(dockerfile: Dockerfile, globals: Globals, facts: CheckFacts, tell: Tell): void {
  const defaults = readGlobals(dockerfile, { ...facts, buildArgs: new Map() });
  for (const { from, index } of dockerfile.stages) {
    checkArguments(from, globals, tell);
    const name = defaults.expand(from.image).text;
    if (name !== undefined && !isReference(name))
      tell("InvalidDefaultArgInFrom", from, `Default value for ARG ${from.image} results in empty or invalid base image name`);
    if (from.platform !== undefined) checkPlatform(from, from.platform, globals, tell);
    checkImagePlatform(from, globals.expand(from.image).text ?? from.image, facts.bases.get(index), tell);
  }
}

/** `image` is undefined where it is not known. */
export function checkImagePlatform(at: Pick<Written, "range" | "comments">, name: string, image: ImageFacts | undefined, tell: Tell): void {
  if (!image || (image.platform.os === image.wanted.os && image.platform.architecture === image.wanted.architecture)) return;
  const [actual, expected] = [quote(formatPlatform(image.platform)), quote(formatPlatform(image.wanted))];
  const message = `Base image ${name} was pulled with platform ${actual}, expected ${expected} for current build`;
  tell("InvalidBaseImagePlatform", at, message);
}

function checkArguments(from: FromInstruction, globals: Globals, tell: Tell): void {
  const missing = new Set([from.image, from.platform ?? ""].flatMap((word) => [...globals.expand(word).missing]));
  for (const name of missing) {
    if (globals.names.has(name)) continue;
    const nearest = findNearest(name, globals.names);
    tell(
      "UndefinedArgInFrom",
      from,
      `FROM argument '${name}' is not declared${nearest === undefined ? "" : ` (did you mean ${nearest}?)`}`,
    );
  }
}

function checkPlatform(from: FromInstruction, written: string, globals: Globals, tell: Tell): void {
  const { text, used, missing } = globals.expand(written);
  if (used.size === 1 && missing.size === 0 && used.has("TARGETPLATFORM") && text === globals.values.get("TARGETPLATFORM"))
    tell("RedundantTargetPlatform", from, `Setting platform to predefined ${written} in FROM is redundant as this is the default behavior`);
  const platform = used.size > 0 || missing.size > 0 || text === undefined ? undefined : readPlatform(text);
  if (platform === undefined || from.stage?.includes(platform.os) || from.stage?.includes(platform.architecture)) return;
  tell("FromPlatformFlagConstDisallowed", from, `FROM --platform flag should not use constant value ${quote(text ?? "")}`);
}

function readPlatform(text: string): Platform | undefined {
  try {
    return parsePlatform(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function isReference(text: string): boolean {
  try {
    parseReference(text);
    return true;
  } catch {
    return false;
  }
}
