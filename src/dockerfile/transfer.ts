// COPY and ADD: where from, where to, and how.

import { LineError, within } from "./error.ts";
import { type Escape, expandWord } from "./expand.ts";
import { flagValue, readFlagValues } from "./flags.ts";
import { findHeredocMark, heredocBody } from "./heredoc.ts";
import type { AddInstruction, CopyInstruction, InlineFile, Transfer, Written } from "./instruction.ts";
import type { Node } from "./node.ts";

const shared = { chown: "text", chmod: "text", link: "boolean", exclude: "list" } as const;

export function readCopy(node: Node, token: Escape): Omit<CopyInstruction, "kind" | keyof Written> {
  requireDestination(node);
  const flags = readFlagValues(node.flags, { ...shared, from: "text", parents: "boolean" });
  const paths = readPaths(node);
  if (flags.from) within(flagValue("--from", flags.from), () => refuseVariables(flags.from ?? "", token));
  return { ...paths, ...pickShared(flags), ...(flags.from ? { from: flags.from } : {}), parents: flags.parents ?? false };
}

export function readAdd(node: Node): Omit<AddInstruction, "kind" | keyof Written> {
  requireDestination(node);
  const flags = readFlagValues(node.flags, { ...shared, checksum: "text", "keep-git-dir": "boolean", unpack: "boolean" });
  const { checksum, "keep-git-dir": keepGitDir, unpack } = flags;
  return {
    ...readPaths(node),
    ...pickShared(flags),
    ...(checksum ? { checksum } : {}),
    ...(keepGitDir === undefined ? {} : { keepGitDir }),
    ...(unpack === undefined ? {} : { unpack }),
  };
}

function pickShared(flags: {
  chown: string | undefined;
  chmod: string | undefined;
  link: boolean | undefined;
  exclude: readonly string[];
}) {
  const { chown, chmod, link, exclude } = flags;
  return { ...(chown ? { chown } : {}), ...(chmod ? { chmod } : {}), link: link ?? false, exclude };
}

function requireDestination(node: Node): void {
  if (node.args.length >= 2) return;
  const word = node.word.toUpperCase();
  throw new LineError(
    `${word} requires at least two arguments, but only one was provided. Destination could not be determined`,
    undefined,
    { of: "arguments" },
  );
}

function readPaths(node: Node): Pick<Transfer, "sources" | "contents" | "destination"> {
  const destination = node.args.at(-1) ?? "";
  if (findHeredocMark(destination))
    throw new LineError(`${node.word.toUpperCase()} cannot accept a heredoc as a destination`, undefined, { of: "last argument" });
  const sources: string[] = [];
  const contents: InlineFile[] = [];
  for (const word of node.args.slice(0, -1)) {
    const mark = findHeredocMark(word);
    if (!mark) {
      sources.push(word);
      continue;
    }
    // By name: of two heredocs with one name, BuildKit takes the last one's content for both.
    const content = node.heredocs.findLast(({ name }) => name === mark.name)?.content ?? "";
    contents.push({ name: mark.name, content: heredocBody({ ...mark, content }), expand: mark.expand });
  }
  return { sources, contents, destination };
}

function refuseVariables(from: string, token: Escape): void {
  if (expandWord(from, { get: () => undefined, escape: token }) === from) return;
  throw new LineError(
    "variable expansion is not supported for --from, define a new stage with FROM using ARG from global scope as a workaround",
    undefined,
    flagValue("--from", from),
  );
}
