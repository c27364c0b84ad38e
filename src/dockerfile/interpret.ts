// Turns what a line says into an instruction, or says what is wrong with it.

import { readCommand } from "./command.ts";
import { LineError } from "./error.ts";
import type { Escape } from "./expand.ts";
import { readFlagValues } from "./flags.ts";
import { readHealthcheck } from "./healthcheck.ts";
import type { Instruction, Pair, Written } from "./instruction.ts";
import type { Line } from "./line.ts";
import type { Node } from "./node.ts";
import { quote } from "./quote.ts";
import { readRun } from "./run.ts";
import { trim } from "./space.ts";
import { suggest } from "./suggest.ts";
import { readAdd, readCopy } from "./transfer.ts";

const kinds = [
  ...(["add", "arg", "cmd", "copy", "entrypoint", "env", "expose", "from", "healthcheck", "label", "maintainer"] as const),
  ...(["onbuild", "run", "shell", "stopsignal", "user", "volume", "workdir"] as const),
] satisfies Instruction["kind"][];

/** The instruction that a node means. Throws a LineError with BuildKit's words. */
export function readInstruction(node: Node, token: Escape): Instruction {
  const { range, word, comments } = node;
  const written: Written = { range, text: trim(node.original), word, comments };
  const kind = kinds.find((known) => known === word.toLowerCase());
  switch (kind) {
    case undefined:
      throw new LineError(`unknown instruction: ${word}`, suggest(word, kinds, false), { of: "word" });
    case "from":
      return { kind, ...written, ...readFrom(node) };
    case "arg":
      return { kind, ...written, args: readArgs(atLeastOne(node)) };
    case "env":
    case "label":
      return { kind, ...written, ...readPairs(node) };
    case "run":
      return { kind, ...written, ...readRun(node) };
    case "copy":
      return { kind, ...written, ...readCopy(node, token) };
    case "add":
      return { kind, ...written, ...readAdd(node) };
    case "cmd":
    case "entrypoint":
      refuseFlags(node);
      return { kind, ...written, command: readCommand(node) };
    case "workdir":
      return { kind, ...written, path: exactlyOne(node) };
    case "user":
      return { kind, ...written, user: exactlyOne(node) };
    case "maintainer":
      return { kind, ...written, name: exactlyOne(node) };
    case "stopsignal":
      return { kind, ...written, signal: onlyOne(node) };
    case "expose":
      return { kind, ...written, ports: [...atLeastOne(node, refuseFlags).args].sort(compareBytes) };
    case "volume":
      return { kind, ...written, paths: readVolumes(atLeastOne(node, refuseFlags)) };
    case "healthcheck":
      return { kind, ...written, ...readHealthcheck(atLeastOne(node)) };
    case "shell":
      return { kind, ...written, args: readShell(node) };
    case "onbuild":
      return { kind, ...written, trigger: readTrigger(node) };
  }
}

function readFrom(node: Node) {
  const [image = "", as = "", stage = ""] = node.args;
  if (node.args.length !== 1 && !(node.args.length === 3 && as.toLowerCase() === "as")) {
    const index = node.args.length > 1 && as.toLowerCase() !== "as" ? 1 : node.args.length > 3 ? 3 : 0;
    const part = node.args.length === 0 ? {} : ({ of: "argument", index } as const);
    throw new LineError("FROM requires either one or three arguments", "FROM image, or FROM image AS name", part);
  }
  const named = node.args.length === 3;
  const name = stage.toLowerCase();
  if (named && !/^[a-z][a-z0-9\-_.]*$/.test(name)) {
    const reason = `invalid name for build stage: ${quote(stage)}, name can't start with a number or contain symbols`;
    throw new LineError(reason, undefined, { of: "argument", index: 2 });
  }
  const { platform } = readFlagValues(node.flags, { platform: "text" });
  return { image, ...(platform ? { platform } : {}), ...(named ? { stage: name, as: { word: as, stage } } : {}) };
}

function readArgs(node: Line): { name: string; value?: string }[] {
  return node.args.map((word, index) => {
    const equals = word.indexOf("=");
    if (equals === 0) throw new LineError("ARG names can not be blank", undefined, { of: "argument", index });
    return equals < 0 ? { name: word } : { name: word.slice(0, equals), value: word.slice(equals + 1) };
  });
}

function readPairs(node: Line): { pairs: Pair[]; legacy: boolean } {
  refuseFlags(node);
  atLeastOne(node);
  const pairs: Pair[] = [];
  for (let index = 0; index < node.args.length; index += 3) {
    const [key = "", value = ""] = node.args.slice(index, index + 2);
    if (key === "")
      throw new LineError(`${node.word.toUpperCase()} names can not be blank`, undefined, { of: "argument", index: index / 3 });
    pairs.push({ key, value });
  }
  return { pairs, legacy: node.args[2] === "" };
}

function readVolumes(node: Line): string[] {
  const paths = node.args.map(trim);
  const blank = paths.indexOf("");
  if (blank >= 0) throw new LineError("VOLUME specified can not be an empty string", undefined, { of: "argument", index: blank });
  return paths;
}

function readShell(node: Line): readonly string[] {
  refuseFlags(node);
  if (node.args.length === 0) throw new LineError("SHELL requires at least one argument");
  if (!node.json) throw new LineError("SHELL requires the arguments to be in JSON form", 'SHELL ["/bin/bash", "-c"]', { of: "arguments" });
  return node.args;
}

function readTrigger(node: Node): string {
  const [first = ""] = atLeastOne(node).args;
  refuseFlags(node);
  const word = first.toUpperCase();
  if (word === "ONBUILD") throw new LineError("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed", undefined, { inner: first });
  if (word === "FROM" || word === "MAINTAINER") {
    throw new LineError(`${word} isn't allowed as an ONBUILD trigger`, undefined, { of: "word" });
  }
  const text = node.original.replace(/^[\t\n\f\r ]*ONBUILD[\t\n\f\r ]*/i, "");
  return text + node.heredocs.map(({ content, name }) => `\n${content}${name}`).join("");
}

function refuseFlags(node: Line): void {
  readFlagValues(node.flags, {});
}

/** BuildKit reads no flags of ARG, STOPSIGNAL and HEALTHCHECK NONE, so neither are they refused. */
function onlyOne(node: Line): string {
  const [only] = node.args;
  if (only === undefined || node.args.length > 1) {
    throw new LineError(`${node.word.toUpperCase()} requires exactly one argument`, undefined, { of: "arguments" });
  }
  return only;
}

function exactlyOne(node: Line): string {
  const only = onlyOne(node);
  refuseFlags(node);
  return only;
}

function atLeastOne<T extends Line>(node: T, check?: (node: T) => void): T {
  if (node.args.length === 0) throw new LineError(`${node.word.toUpperCase()} requires at least one argument`);
  check?.(node);
  return node;
}

function compareBytes(left: string, right: string): number {
  return Buffer.compare(Buffer.from(left), Buffer.from(right));
}
