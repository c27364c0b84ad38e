// Writes instructions as text that reads back as the same instructions.

import type { Dockerfile } from "./dockerfile.ts";
import type { Escape } from "./expand.ts";
import { findHeredocs } from "./heredoc.ts";
import type {
  AddInstruction,
  CommandLine,
  CopyInstruction,
  EnvInstruction,
  HealthcheckInstruction,
  InlineFile,
  Instruction,
  LabelInstruction,
  RunInstruction,
} from "./instruction.ts";
import { cutContinuation } from "./join.ts";
import { isSpace } from "./space.ts";

/** The whole file in canonical form: directives, then one instruction after the other; comments are left out. */
export function formatDockerfile(dockerfile: Dockerfile): string {
  const { directives, globalArgs, stages, escape: token } = dockerfile;
  const written = [directives.syntax, directives.check].filter((directive) => directive !== undefined);
  const head = written.map(({ name, value }) => `# ${name}=${value}\n`);
  if (token !== "\\") head.push(`# escape=${token}\n`);
  const instructions: Instruction[] = [...globalArgs, ...stages.flatMap(({ from, instructions }) => [from, ...instructions])];
  return [...head, ...instructions.map((instruction) => formatInstruction(instruction, token))].join("");
}

/** One instruction, with its heredocs and a line feed at the end. */
function formatInstruction(instruction: Instruction, token: Escape): string {
  const line = (flags: readonly string[], rest: string, bodies = "") =>
    `${foldLine(joinLine(instruction.kind.toUpperCase(), flags, rest, token), token)}\n${bodies}`;
  switch (instruction.kind) {
    case "from": {
      const { platform, image, stage } = instruction;
      return line(textFlag("platform", platform), stage === undefined ? image : `${image} AS ${stage}`);
    }
    case "arg":
      return line([], instruction.args.map(({ name, value }) => (value === undefined ? name : `${name}=${value}`)).join(" "));
    case "env":
    case "label":
      return line([], formatPairs(instruction, token));
    case "run":
      return line(runFlags(instruction), formatCommand(instruction.command), instruction.heredocs.map(formatHeredoc).join(""));
    case "copy":
    case "add": {
      const { rest, bodies } = formatPaths(instruction);
      return line(instruction.kind === "copy" ? copyFlags(instruction) : addFlags(instruction), rest, bodies);
    }
    case "cmd":
    case "entrypoint":
      return line([], formatCommand(instruction.command));
    case "workdir":
      return line([], instruction.path);
    case "user":
      return line([], instruction.user);
    case "expose":
      return line([], instruction.ports.join(" "));
    case "volume":
      return line([], JSON.stringify(instruction.paths));
    case "stopsignal":
      return line([], instruction.signal);
    case "healthcheck":
      return line(healthFlags(instruction), instruction.command ? `CMD ${formatCommand(instruction.command)}` : "NONE");
    case "shell":
      return line([], JSON.stringify(instruction.args));
    case "onbuild":
      return formatTrigger(instruction.trigger, token);
    case "maintainer":
      return line([], instruction.name);
  }
}

function joinLine(word: string, flags: readonly string[], rest: string, token: Escape): string {
  const parts = [word, ...flags.map((flag) => quoteFlag(flag, token))];
  // A bare `--` ends the flags where an argument would be taken for one.
  if (rest.startsWith("--")) parts.push("--");
  if (rest !== "") parts.push(rest);
  const line = parts.join(" ");
  // At the end of a line an escape character would continue it; a form feed is trimmed off and prevents that. A blank there belongs
  // to a quote that never ends, and an escape character behind it keeps it.
  if (rest !== "" && isSpace(line.charAt(line.length - 1))) return `${line}${token}\f`;
  return line.endsWith(token) ? `${line}\f` : line;
}

/** In single quotes where that is enough, since words that heredocs are looked for in know only the backslash. */
function quoteFlag(flag: string, token: Escape): string {
  const isSpecial = (character: string) => character === token || "'\"\\".includes(character) || isSpace(character);
  if (!Array.from(flag).some(isSpecial)) return flag;
  const value = flag.indexOf("=") + 1;
  if (!flag.includes("'") && !flag.includes(token)) return `${flag.slice(0, value)}'${flag.slice(value)}'`;
  return Array.from(flag, (character) => (isSpecial(character) ? token + character : character)).join("");
}

const mostCharacters = 16_000;

/** A line may have 65535 bytes; a longer one is continued where nothing is lost by it. */
function foldLine(line: string, token: Escape): string {
  const pieces: string[] = [];
  let rest = line;
  while (rest.length > mostCharacters) {
    const at = findFold(rest, token);
    if (at === undefined) break;
    pieces.push(`${rest.slice(0, at)}${token}\n`);
    rest = rest.slice(at);
  }
  return pieces.join("") + rest;
}

/** The last place where a line can be continued: not behind an escape, not within a character, and not before a comment or a blank line. */
function findFold(line: string, token: Escape): number | undefined {
  let visible = "#";
  for (let at = mostCharacters; at > 0; at--) {
    const after = line.charAt(at);
    if (!isSpace(after)) visible = after;
    if (visible !== "#" && line[at - 1] !== token && !/[\udc00-\udfff]/.test(after)) return at;
  }
  return undefined;
}

function formatCommand(command: CommandLine): string {
  return command.form === "exec" ? JSON.stringify(command.args) : command.text;
}

function formatPairs({ pairs, legacy }: EnvInstruction | LabelInstruction, token: Escape): string {
  // The second blank keeps a key that ends with an escape character apart from its value.
  const separator = (key: string) => (legacy ? (key.endsWith(token) ? "  " : " ") : "=");
  return pairs.map(({ key, value }) => `${key}${separator(key)}${value}`).join(" ");
}

/** A trigger is not trimmed; that it ends like a line to be continued can only happen at the end of a file, where one more makes up for it. */
function formatTrigger(trigger: string, token: Escape): string {
  return `ONBUILD ${trigger}${cutContinuation(trigger, token).continues ? token : ""}\n`;
}

function formatHeredoc({ name, content }: { name: string; content: string }): string {
  return `${content}${name}\n`;
}

function formatPaths({ sources, contents, destination }: CopyInstruction | AddInstruction): { rest: string; bodies: string } {
  // Heredocs first: between other words they might come to stand in quotes.
  const words = [...contents.map(formatMark), ...sources, destination];
  // Only words can have heredocs with text; the JSON form knows them by name and takes them for empty.
  if (contents.every(({ content }) => content === "")) return { rest: JSON.stringify(words), bodies: "" };
  const rest = words.join(" ");
  // `<< EOF` reads a heredoc too, which no word then names.
  const bodies = findHeredocs(rest).map(({ name }) =>
    formatHeredoc({ name, content: contents.find((file) => file.name === name)?.content ?? "" }),
  );
  return { rest, bodies: bodies.join("") };
}

function formatMark({ name, expand }: InlineFile): string {
  const escaped = name.replace(/^-|[^\p{L}\p{N}_.-]/gu, "\\$&");
  return `<<${expand ? "" : "''"}${escaped}`;
}

function runFlags(run: RunInstruction): string[] {
  return [
    ...run.mounts.map(({ text }) => `--mount=${text}`),
    ...(run.network === "default" ? [] : [`--network=${run.network}`]),
    ...(run.security === "sandbox" ? [] : [`--security=${run.security}`]),
    ...run.devices.map(({ name, required }) => `--device=${csvField(name)}${required ? ",required" : ""}`),
  ];
}

function csvField(text: string): string {
  return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function copyFlags(copy: CopyInstruction): string[] {
  return [...textFlag("from", copy.from), ...transferFlags(copy), ...booleanFlag("parents", copy.parents || undefined)];
}

function addFlags(add: AddInstruction): string[] {
  return [
    ...transferFlags(add),
    ...textFlag("checksum", add.checksum),
    ...booleanFlag("keep-git-dir", add.keepGitDir),
    ...booleanFlag("unpack", add.unpack),
  ];
}

function transferFlags({ chown, chmod, link, exclude }: CopyInstruction | AddInstruction): string[] {
  const excludes = exclude.map((pattern) => `--exclude=${pattern}`);
  return [...textFlag("chown", chown), ...textFlag("chmod", chmod), ...booleanFlag("link", link || undefined), ...excludes];
}

function healthFlags(health: HealthcheckInstruction): string[] {
  const time = (name: string, ns: number | undefined) => textFlag(name, ns === undefined ? undefined : `${ns}ns`);
  return [
    ...time("interval", health.interval),
    ...time("timeout", health.timeout),
    ...time("start-period", health.startPeriod),
    ...time("start-interval", health.startInterval),
    ...textFlag("retries", health.retries === undefined ? undefined : String(health.retries)),
  ];
}

function textFlag(name: string, value: string | undefined): string[] {
  return value === undefined ? [] : [`--${name}=${value}`];
}

function booleanFlag(name: string, value: boolean | undefined): string[] {
  return value === undefined ? [] : [value ? `--${name}` : `--${name}=false`];
}
