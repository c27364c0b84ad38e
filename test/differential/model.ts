// What the generator believes a stage to hold: enough to name paths that are there, and to name others on purpose.

import { posix } from "node:path";
import { baseDirectories, baseFiles, baseLinks } from "./base.ts";
import type { Random } from "./random.ts";

export interface Model {
  readonly directories: Set<string>;
  readonly files: Set<string>;
  readonly links: Set<string>;
  /** Names of variables of ARG and ENV. */
  readonly variables: Set<string>;
  cwd: string;
  hasShell: boolean;
  user: string;
}

export function emptyModel(): Model {
  return { directories: new Set(["/"]), files: new Set(), links: new Set(), variables: new Set(), cwd: "/", hasShell: false, user: "" };
}

export function baseModel(): Model {
  return {
    ...emptyModel(),
    directories: new Set(baseDirectories),
    files: new Set(baseFiles),
    links: new Set(Object.keys(baseLinks)),
    hasShell: true,
  };
}

export function copyModel(model: Model): Model {
  return {
    ...model,
    directories: new Set(model.directories),
    files: new Set(model.files),
    links: new Set(model.links),
    variables: new Set(model.variables),
  };
}

/** Those that shells and builders take as they are. */
const newNames = ["n1", "n2", "n3", "n4", "sub", "deep/er", "n.d"];

export function pickDirectory(random: Random, { directories }: Model): string {
  return random.pick([...directories]);
}

/** A file or link that is there, if there is one. */
export function pickExisting(random: Random, { files, links, directories }: Model): string {
  const movable = [...directories].filter((path) => !vital.has(path));
  const all = [...files, ...files, ...links, ...movable];
  return all.length === 0 ? "/nothing" : random.pick(all);
}

/** What commands need: not to be removed or moved. */
const vital = new Set(["/", "/bin", "/etc", "/usr", "/usr/bin", "/proc", "/dev", "/sys"]);

export function pickNew(random: Random, model: Model): string {
  return posix.join(pickDirectory(random, model), random.pick(newNames));
}

export function addDirectory(model: Model, path: string): void {
  for (let at = path; at !== "/" && at !== "."; at = posix.dirname(at))
    if (!model.links.has(at) && !model.files.has(at)) model.directories.add(at);
}

export function forget(model: Model, path: string): void {
  for (const set of [model.directories, model.files, model.links])
    for (const known of set) if (known === path || known.startsWith(`${path}/`)) set.delete(known);
}
