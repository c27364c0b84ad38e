// Makes up COPY and ADD: sources that are there, destinations of every kind, all flags.

import { posix } from "node:path";
import { addDirectory, type Model, pickDirectory, pickExisting, pickNew } from "./model.ts";
import type { ContextFile } from "./program.ts";
import type { Random } from "./random.ts";

export interface Sources {
  readonly files: readonly ContextFile[];
  /** Earlier stages by name. */
  readonly stages: ReadonlyMap<string, Model>;
}

export function generateTransfer(random: Random, model: Model, sources: Sources): string {
  if (random.chance(10)) return generateHeredoc(random, model);
  const stage = sources.stages.size > 0 && random.chance(30) ? random.pick([...sources.stages]) : undefined;
  const word = stage === undefined && random.chance(35) ? "ADD" : "COPY";
  const from = stage === undefined ? "" : `--from=${stage[0]} `;
  const count = random.weigh([
    [75, 1],
    [20, 2],
    [5, 3],
  ] as const);
  const chosen = Array.from({ length: count }, () =>
    stage === undefined ? pickContextSource(random, sources.files) : pickStageSource(random, stage[1]),
  );
  const destination = pickDestination(random, model, count > 1 && random.chance(90));
  const flags = generateFlags(random, word, model);
  learn(model, destination, chosen);
  const words = [...chosen, destination];
  const isJson = words.some((text) => /[\s"'\\]/.test(text)) || random.chance(10);
  return `${word} ${from}${flags}${isJson ? JSON.stringify(words.map((text) => text.replaceAll("\\", "\\\\").replaceAll("$d", "\\$d"))) : words.map((text) => text.replaceAll("$d", "\\$d")).join(" ")}`;
}

function generateFlags(random: Random, word: string, model: Model): string {
  const isLink = random.chance(18);
  // Names need the files of the base, which --link and scratch do not have: a mistake of its own.
  const numbers = ["1000", "1000:2000", "12345:0"];
  const owner = () => random.pick(isLink || !model.hasShell ? numbers : [...numbers, "app", "app:staff", "ops", ":1000", "0:app"]);
  const flags = [
    random.chance(25) ? `--chown=${owner()}` : "",
    random.chance(20) ? `--chmod=${random.pick(["755", "0640", "4755", "1755", "u=rwX,go=rX", "a+x", "go-rwx", "+X", "u+s"])}` : "",
    isLink ? "--link" : "",
    random.chance(12) ? `--exclude=${random.pick(["*.txt", "**/*.txt", "src", "*", "a*", "sub/**", "**/b", "!a"])}` : "",
    word === "ADD" && random.chance(12) ? `--unpack=${random.pick(["true", "false"])}` : "",
  ].filter((flag) => flag !== "");
  return flags.map((flag) => `${flag} `).join("");
}

/** As a source must be written so that it names the path itself. */
const literal = (path: string): string => path.replaceAll("\\", "\\\\").replaceAll(/[[*?]/g, (letter) => `[${letter}]`);

function pickContextSource(random: Random, files: readonly ContextFile[]): string {
  const paths = files.map(({ path }) => path);
  const some = () => literal(random.pick(paths));
  const parent = () => literal(posix.dirname(random.pick(paths)));
  return random.weigh([
    [50, some],
    [8, () => "."],
    [6, parent],
    [5, () => `${some()}/`],
    [4, () => `./${some()}`],
    [4, () => `/${some()}`],
    [3, () => `../${some()}`],
    [6, () => `${some().slice(0, 1).replace(/[[\\]/, "a")}*`],
    [4, () => "*"],
    [4, () => `${parent()}/*`],
    [2, () => "[a-c]*"],
    [2, () => "?"],
    [2, () => "*/*"],
    [1, () => "nothing*"],
  ])();
}

function pickStageSource(random: Random, model: Model): string {
  const path = pickExisting(random, model);
  return random.weigh([
    [60, () => path],
    [10, () => path.slice(1)],
    [10, () => pickDirectory(random, model).replace(/^\/$/, "/data")],
    [8, () => `${posix.dirname(path).replace(/^\/$/, "/opt")}/*`],
    [5, () => `${path}/`],
    [3, () => "/lnk/"],
    [2, () => "/opt/*/"],
  ])();
}

export function pickDestination(random: Random, model: Model, needsSlash: boolean): string {
  const path = random.weigh([
    [30, () => pickNew(random, model)],
    [20, () => pickDirectory(random, model)],
    [14, () => pickExisting(random, model)],
    [6, () => random.pick(["/lnk", "/data/up", "/dangling", "/opt/current", "/lnk/in", "/opt/current/new"])],
    [10, () => random.pick(["rel", "rel/deep", "./here", "../up", "."])],
    [4, () => `$${random.pick(["A", "B", "UNSET"])}`],
    [4, () => `/d-\${A:-def}/`],
    [4, () => random.pick(["/a/../b", "//x//y", "/x/./y/", "/new dir"])],
    [8, () => "/"],
  ])();
  return needsSlash || random.chance(25) ? `${path.replace(/\/$/, "")}/` : path;
}

/** Roughly: what a later instruction may name. */
function learn(model: Model, destination: string, sources: readonly string[]): void {
  if (/[$ ]/.test(destination)) return;
  const path = posix.resolve(model.cwd, destination);
  const [source = ""] = sources;
  if (destination.endsWith("/")) addDirectory(model, path);
  if (destination.endsWith("/") && /^[\w./]+$/.test(source)) model.files.add(posix.join(path, posix.basename(source)));
  else if (!model.directories.has(path) && /\.txt$|\/a$/.test(source)) model.files.add(path);
}

function generateHeredoc(random: Random, model: Model): string {
  const word = random.pick(["COPY", "ADD"]);
  const flags = generateFlags(random, "COPY", model).replace(/--exclude=\S+ /, "");
  const tag = random.pick(["EOF", "'EOF'", '"EOF"', "-EOF", "f.txt"]);
  const name = tag.replaceAll(/['"-]/g, "");
  const body = random.pick(["hello $A ${B:-none}", "\ttabbed\n\\$A \\\\ \\", "", "# comment\n\nafter", "quote \" ' `"]);
  const second = random.chance(20);
  const destination = second ? `${pickDirectory(random, model).replace(/\/$/, "")}/` : pickDestination(random, model, false);
  if (/[\s]/.test(destination)) return `COPY <<EOF /heredoc\nhello\nEOF`;
  const end = `${tag.startsWith("-") && random.chance(50) ? "\t" : ""}${name}`;
  return `${word} ${flags}<<${tag}${second ? " <<TWO" : ""} ${destination}\n${body === "" ? "" : `${body}\n`}${end}${second ? "\nsecond\nTWO" : ""}`;
}
