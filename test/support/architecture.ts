// The rules of src/: which folder may import which, where each package lives, and how a file begins.

import { dirname, join } from "node:path/posix";

/** Rows import downwards only, never sideways. */
const rows: readonly (readonly string[])[] = [
  ["main.ts"],
  ["host"],
  ["build"],
  ["context", "sandbox", "cache", "output"],
  ["filesystem", "registry"],
  ["layer", "dockerfile"],
  ["image", "report", "http", "agent", "helper"],
];

/** The folders that may import a package. */
const homes: ReadonlyMap<string, readonly string[]> = new Map([
  ["undici", ["http"]],
  ["tar-stream", ["context", "output"]],
  ["yaml", ["host"]],
  ["@actions/core", ["host"]],
  ["@actions/exec", ["host"]],
  ["@actions/cache", ["cache"]],
]);

/** Plain values that anyone above may import without knocking. */
const plainValues = (path: string): boolean => /^(image|report)\//.test(path) || path === "layer/entry.ts";

const drawers = new Set(["index", "util", "utils", "helpers", "common", "types"]);

interface Import {
  readonly target: string;
  /** Erased when the program runs. */
  readonly typeOnly: boolean;
}

/** Checks files, given as path below src/ → text; returns one sentence for each violation, none where all is well. */
export function checkArchitecture(files: ReadonlyMap<string, string>): string[] {
  const violations: string[] = [];
  const graph = new Map<string, string[]>();
  for (const [path, text] of files) {
    violations.push(...checkPlace(path), ...checkFirstLine(path, text), ...checkAmbientState(path, text));
    const edges: string[] = [];
    for (const { target, typeOnly } of findImports(text)) {
      const to = target.startsWith(".") ? join(dirname(path), target) : target;
      const problem = checkImport(path, target, to, files);
      if (problem !== undefined) violations.push(`${path} ${problem}`);
      else if (target.startsWith(".") && !typeOnly) edges.push(to);
    }
    graph.set(path, edges);
  }
  const folders = new Set([...files.keys()].filter((path) => path.includes("/")).map(folderOf));
  for (const folder of folders) {
    if (isKnown(folder) && needsDoor(folder) && !files.has(frontDoor(folder)))
      violations.push(`${folder}/: its front door ${frontDoor(folder)} is missing`);
  }
  const cycle = findCycle(graph);
  if (cycle !== undefined) violations.push(`${cycle.join(" → ")}: an import cycle`);
  return violations;
}

const folderOf = (path: string): string => path.split("/")[0] ?? "";
const frontDoor = (folder: string): string => `${folder}/${folder}.ts`;
const rowOf = (folder: string): number => rows.findIndex((row) => row.includes(folder));
const isKnown = (folder: string): boolean => rowOf(folder) >= 0;
/** `image/` is values only; each of its files is its own door. */
const needsDoor = (folder: string): boolean => folder !== "image";

function checkPlace(path: string): string[] {
  const parts = path.split("/");
  if (parts.length === 1) return path === "main.ts" ? [] : [`${path}: only main.ts lies directly in src/`];
  if (parts.length > 2) return [`${path}: folders below src/ hold files only`];
  const [folder = "", file = ""] = parts;
  if (!isKnown(folder)) return [`${path}: ${folder}/ has no row in test/support/architecture.ts`];
  const name = file.replace(/\.ts$/, "");
  return drawers.has(name) ? [`${path}: "${name}" says nothing about what it knows`] : [];
}

function checkFirstLine(path: string, text: string): string[] {
  const opening = /^(?:\/\/.*\n?)+/.exec(text)?.[0] ?? "";
  const sentence = opening
    .replaceAll(/^\/\/ ?/gm, "")
    .replaceAll("\n", " ")
    .trim();
  return /^[A-Z`"].*(\.|: https:\/\/\S+)$/.test(sentence)
    ? []
    : [`${path}: its first line must be a "//" sentence that says what the file knows`];
}

function checkAmbientState(path: string, text: string): string[] {
  if (folderOf(path) === "host") return [];
  const found: string[] = [];
  for (const [index, line] of withoutComments(text).split("\n").entries()) {
    const what = /\bprocess\.(env|cwd)\b/.exec(line)?.[1] ?? (/\bimport\b.*\b(env|cwd)\b.*["'](?:node:)?process["']/.exec(line) ?? [])[1];
    if (what !== undefined)
      found.push(`${path}:${index + 1} reads process.${what}: only host/ reads the environment and the working directory`);
  }
  return found;
}

function checkImport(path: string, target: string, to: string, files: ReadonlyMap<string, string>): string | undefined {
  if (target.startsWith("node:")) return undefined;
  if (!target.startsWith(".")) return checkPackage(path, target);
  if (to.startsWith("..")) return `imports ${to}: that leaves src/`;
  if (!files.has(to)) return `imports ${to}, which is not there`;
  if (to === "main.ts") return "imports main.ts: nothing imports main.ts";
  const [from, into] = [folderOf(path), folderOf(to)];
  if (from === into) return undefined;
  if (isKnown(from) && isKnown(into)) {
    if (rowOf(into) < rowOf(from)) return `imports ${to}: rows import downwards only, and ${into}/ is above ${from}/`;
    if (rowOf(into) === rowOf(from)) return `imports ${to}: ${into}/ is in the same row as ${from}/, and rows never import sideways`;
  }
  if (to !== frontDoor(into) && !plainValues(to)) return `imports ${to}: knock at the front door, ${frontDoor(into)}`;
  return undefined;
}

function checkPackage(path: string, target: string): string | undefined {
  const name = target.split("/", target.startsWith("@") ? 2 : 1).join("/");
  const home = homes.get(name);
  if (home === undefined) return `imports the package "${name}": it has no home yet, give it one in test/support/architecture.ts`;
  if (home.includes(folderOf(path))) return undefined;
  const places = home.map((folder) => `${folder}/`).join(", ");
  return `imports the package "${name}": ${home.length === 1 ? "its home is" : "its homes are"} ${places}`;
}

function findImports(text: string): Import[] {
  const code = withoutComments(text);
  const found: Import[] = [];
  for (const match of code.matchAll(/^[ \t]*(import|export)\b([^;"'`]*?)\bfrom\s*["']([^"']+)["']/gm)) {
    found.push({ target: match[3] ?? "", typeOnly: /^\s+type\b/.test(match[2] ?? "") });
  }
  for (const match of code.matchAll(/^[ \t]*import\s*["']([^"']+)["']/gm)) found.push({ target: match[1] ?? "", typeOnly: false });
  for (const match of code.matchAll(/(\bawait\s+|\breturn\s+|=>\s*)?\bimport\(\s*["']([^"']+)["']\s*\)/g)) {
    // A lazy import breaks a cycle as a type does: nothing is evaluated when the file loads.
    found.push({ target: match[2] ?? "", typeOnly: true });
  }
  return found;
}

/** Blanks comments, keeps line numbers; strings and templates stay whole, so that "//" in a URL is no comment. */
function withoutComments(text: string): string {
  return text.replace(/"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`|\/\/[^\n]*|\/\*[\s\S]*?\*\//g, (part) =>
    part.startsWith("//") || part.startsWith("/*") ? part.replace(/[^\n]/g, " ") : part,
  );
}

function findCycle(graph: ReadonlyMap<string, readonly string[]>): string[] | undefined {
  const done = new Set<string>();
  const trail: string[] = [];
  function visit(path: string): string[] | undefined {
    const start = trail.indexOf(path);
    if (start >= 0) return [...trail.slice(start), path];
    if (done.has(path)) return undefined;
    trail.push(path);
    for (const next of graph.get(path) ?? []) {
      const cycle = visit(next);
      if (cycle !== undefined) return cycle;
    }
    trail.pop();
    done.add(path);
    return undefined;
  }
  for (const path of [...graph.keys()].sort()) {
    const cycle = visit(path);
    if (cycle !== undefined) return cycle;
  }
  return undefined;
}
