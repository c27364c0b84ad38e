// Writes what is derived into the files that hold it: the flag table into docs/kaniko.md, package.json's version into the program.
// With --check it writes nothing and fails when they differ.

import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describeDefault } from "../src/host/default.ts";
import { type Flag, flags, groups } from "../src/host/flags.ts";

const root = fileURLToPath(new URL("../", import.meta.url));
const begin = "<!-- flags: written by scripts/manifests.ts -->";
const end = "<!-- /flags -->";

const effects: Readonly<Record<Flag["status"], (flag: Flag) => string>> = {
  works: (flag) => flag.help,
  accepted: (flag) => `accepted, no effect: ${flag.reason ?? ""}`,
  "not yet": (flag) => `refused for now (${flag.help})`,
};

/** One table per group, every flag in it. */
export function describeFlags(): string {
  const sections = groups.map((group) => {
    const rows = flags.filter((flag) => flag.group === group).map(describeRow);
    return [`### ${group}`, "", "| Flag | Value | What it does |", "|---|---|---|", ...rows].join("\n");
  });
  return sections.join("\n\n");
}

function describeRow(flag: Flag): string {
  const names = [`--${flag.name}`, ...(flag.short === undefined ? [] : [`-${flag.short}`])].map((name) => `\`${name}\``);
  const old = (flag.aliases ?? []).map((alias) => `\`--${alias}\``);
  const name = old.length === 0 ? names.join(", ") : `${names.join(", ")} (deprecated: ${old.join(", ")})`;
  const value = flag.type === "boolean" ? "" : `\`${flag.value ?? "VALUE"}\``;
  const cells = [name, value, `${effects[flag.status](flag)}${describeDefault(flag)}`];
  return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
}

/** The document with its generated part as it should be. */
export function refreshDocument(text: string): string {
  const from = text.indexOf(begin);
  const to = text.indexOf(end);
  if (from < 0 || to < from) throw new Error(`Cannot find "${begin}" and "${end}" in the document`);
  return `${text.slice(0, from + begin.length)}\n\n${describeFlags()}\n\n${text.slice(to)}`;
}

/** The module with the version that package.json has. */
export function refreshVersion(text: string): string {
  const { version } = JSON.parse(readFileSync(`${root}package.json`, "utf8")) as { version: string };
  return text.replace(/^export const version = .*$/m, `export const version = ${JSON.stringify(version)};`);
}

/** Every file with a derived part, and what refreshes it. */
export const derived: readonly (readonly [path: string, refresh: (text: string) => string])[] = [
  ["docs/kaniko.md", refreshDocument],
  ["src/host/version.ts", refreshVersion],
];

function main(check: boolean): number {
  const stale = derived.filter(([path, refresh]) => {
    const text = readFileSync(root + path, "utf8");
    const fresh = refresh(text);
    if (text !== fresh && !check) writeFileSync(root + path, fresh);
    return text !== fresh;
  });
  if (!check || stale.length === 0) return 0;
  process.stderr.write(`${stale.map(([path]) => path).join(", ")} out of date: run node scripts/manifests.ts\n`);
  return 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = main(process.argv.includes("--check"));
