// Writes what is derived into the files that hold it: the flag table into docs/kaniko.md, the table of checks into docs/checks.md,
// package.json's version into the program.
// With --check it writes nothing and fails when they differ.

import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type Rule, rules } from "../src/dockerfile/dockerfile.ts";
import { describeDefault } from "../src/host/default.ts";
import { type Flag, flags, groups } from "../src/host/flags.ts";

const root = fileURLToPath(new URL("../", import.meta.url));

const effects: Readonly<Record<Flag["status"], (flag: Flag) => string>> = {
  works: (flag) => flag.help,
  accepted: (flag) => `accepted, no effect: ${flag.reason ?? ""}`,
  refused: (flag) => `refused: ${flag.reason ?? ""}`,
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

/** BuildKit's rules and ours, a table each. */
function describeRules(): string {
  const describe = ({ name, url, description, experimental }: Rule) => {
    const title = url === undefined ? `\`${name}\`` : `[\`${name}\`](${url})`;
    return `| ${title}${experimental ? " (experimental)" : ""} | ${description.replaceAll("|", "\\|")} |`;
  };
  const section = (heading: string, chosen: readonly Rule[]) =>
    [`### ${heading}`, "", "| Rule | What it asks for |", "|---|---|", ...chosen.map(describe)].join("\n");
  const isOwn = ({ own }: Rule) => own === true;
  return [
    section(
      "BuildKit's",
      rules.filter((rule) => !isOwn(rule)),
    ),
    section("Slipway's own", rules.filter(isOwn)),
  ].join("\n\n");
}

/** The document with its generated part, called `name`, as it should be. */
function refreshPart(text: string, name: string, part: string): string {
  const begin = `<!-- ${name}: written by scripts/manifests.ts -->`;
  const end = `<!-- /${name} -->`;
  const from = text.indexOf(begin);
  const to = text.indexOf(end);
  if (from < 0 || to < from) throw new Error(`Cannot find "${begin}" and "${end}" in the document`);
  return `${text.slice(0, from + begin.length)}\n\n${part}\n\n${text.slice(to)}`;
}

/** docs/kaniko.md. */
export function refreshDocument(text: string): string {
  return refreshPart(text, "flags", describeFlags());
}

/** The module with the version that package.json has. */
export function refreshVersion(text: string): string {
  const { version } = JSON.parse(readFileSync(`${root}package.json`, "utf8")) as { version: string };
  return text.replace(/^export const version = .*$/m, `export const version = ${JSON.stringify(version)};`);
}

/** Every file with a derived part, and what refreshes it. */
export const derived: readonly (readonly [path: string, refresh: (text: string) => string])[] = [
  ["docs/kaniko.md", refreshDocument],
  ["docs/checks.md", (text) => refreshPart(text, "checks", describeRules())],
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
