// Writes what is derived from the flag table into the documents that hold it; with --check, fails when they differ.

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
export function refresh(document: string): string {
  const from = document.indexOf(begin);
  const to = document.indexOf(end);
  if (from < 0 || to < from) throw new Error(`Cannot find "${begin}" and "${end}" in the document`);
  return `${document.slice(0, from + begin.length)}\n\n${describeFlags()}\n\n${document.slice(to)}`;
}

function main(check: boolean): number {
  const path = `${root}docs/kaniko.md`;
  const text = readFileSync(path, "utf8");
  const fresh = refresh(text);
  if (text === fresh) return 0;
  if (check) {
    process.stderr.write("docs/kaniko.md differs from the flag table: run node scripts/manifests.ts\n");
    return 1;
  }
  writeFileSync(path, fresh);
  return 0;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = main(process.argv.includes("--check"));
