// The text of `--help`, from the flag table.

import { describeDefault } from "./default.ts";
import { type Flag, flags, groups } from "./flags.ts";
import { warmFlags } from "./warm.ts";

const indent = 6;
const width = 100;

/** Flags under their headings; those that do not work yet, and deprecated spellings, are named at the end. */
export function describeUsage(): string {
  const shown = flags.filter((flag) => !flag.hidden && flag.status === "works");
  const sections = groups.map((group) =>
    describeSection(
      group,
      shown.filter((flag) => flag.group === group),
    ),
  );
  const list = (status: Flag["status"]) => flags.filter((flag) => !flag.hidden && flag.status === status).map((flag) => `--${flag.name}`);
  const old = flags.flatMap((flag) => (flag.aliases ?? []).map((alias) => `--${alias} (--${flag.name})`));
  return [
    "Builds a container image from a Dockerfile, without a daemon and without privilege.",
    "",
    "Usage:",
    "  slipway [build] FLAGS",
    "  slipway check FLAGS     looks for mistakes in the Dockerfile; ends with 1 where there are some",
    "  slipway explain FLAGS   says which steps of the build the cache has, and why it has not the others",
    "  slipway merge --destination IMAGE IMAGE@DIGEST ...",
    "                          joins images of single platforms that were pushed into one index",
    "  slipway prune FLAGS     makes the stores of --cache-repo and --cache-store smaller",
    "  slipway warm FLAGS      puts base images into a directory for the --cache-dir of builds; slipway warm --help",
    "  slipway doctor FLAGS    tries which sandboxes work on this machine, and says what a build would find; ends with 1 where none works",
    "  slipway version",
    "  slipway help",
    "",
    "Give a value as --flag=VALUE or --flag VALUE; switches as --flag or --flag=false.",
    "",
    ...sections.flat(),
    ...describeList("Flags of kaniko that are accepted and have no effect:", list("accepted")),
    ...describeList("Flags of kaniko that are refused, with what to do instead:", list("refused")),
    ...describeList("Flags of kaniko that are not yet supported:", list("not yet")),
    ...describeList("Deprecated spellings:", old),
  ]
    .join("\n")
    .concat("\n");
}

/** The text of `slipway warm --help`. */
export function describeWarm(): string {
  const sections = groups.map((group) =>
    describeSection(
      group,
      warmFlags.filter((flag) => flag.group === group),
    ),
  );
  const usage = ["Usage:", "  slipway warm [--image IMAGE ...] [--dockerfile PATH] FLAGS", ""];
  return ["Puts base images into a directory, for the --cache-dir of builds.", "", ...usage, ...sections.flat()].join("\n");
}

function describeSection(group: string, shown: readonly Flag[]): string[] {
  if (shown.length === 0) return [];
  return [`${group}:`, ...shown.flatMap(describeFlag), ""];
}

function describeFlag(flag: Flag): string[] {
  const short = flag.short === undefined ? "    " : `-${flag.short}, `;
  const value = flag.type === "boolean" ? "" : ` ${flag.value ?? "VALUE"}`;
  return [`  ${short}--${flag.name}${value}`, ...wrap(`${flag.help}${describeDefault(flag)}`, indent + 4)];
}

function describeList(heading: string, names: readonly string[]): string[] {
  return names.length === 0 ? [] : [heading, ...wrap(names.join(" "), 2), ""];
}

function wrap(text: string, margin: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && margin + last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines.map((line) => " ".repeat(margin) + line);
}
