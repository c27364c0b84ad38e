// What a COPY or ADD comes to: its words expanded and checked, as a step.

import { type GitSource, isGitSource, parseGitSource, readCommit, readPatterns } from "../context/context.ts";
import {
  type Escape,
  exactFlag,
  expandBody,
  expandWord,
  flagValue,
  type Instruction,
  LineError,
  type Part,
  type Variables,
  within,
} from "../dockerfile/dockerfile.ts";
import { isOwnerNumber } from "../filesystem/filesystem.ts";
import { type Digest, isDigest } from "../image/digest.ts";
import { type RawPath, toRaw } from "../layer/entry.ts";
import { namesDirectory } from "./copy.ts";
import { readModeChange } from "./mode.ts";
import type { CopyOperand, CopyStep, Origin, Source } from "./plan.ts";
import { cleanPath } from "./select.ts";

export type Transfer = Extract<Instruction, { kind: "copy" | "add" }>;

interface Surroundings {
  readonly variables: Variables & { readonly escape: Escape };
  /** Absolute. */
  readonly workdir: string;
  readonly source: Source;
  readonly from: Origin;
  /** Nothing lies below: the stage is from scratch and has no step yet. */
  readonly hasNoLayer: boolean;
}

/** Throws a LineError, in BuildKit's words where it has some. */
export function evaluateCopy(instruction: Transfer, { variables, workdir, source, from, hasNoLayer }: Surroundings): CopyStep {
  const expand = (word: string | undefined, part: Part) =>
    word === undefined ? undefined : within(part, () => expandWord(word, variables)) || undefined;
  const word = instruction.kind === "add" ? "ADD" : "COPY";
  const parents = instruction.kind === "copy" && instruction.parents;
  const chown = expand(instruction.chown, flagValue("--chown", instruction.chown));
  const chmod = expand(instruction.chmod, flagValue("--chmod", instruction.chmod));
  const paths = instruction.sources.map((path, index) => expand(path, { of: "source", index }) ?? "");
  const checksum = instruction.kind === "add" ? expand(instruction.checksum, flagValue("--checksum", instruction.checksum)) : undefined;
  if (checksum !== undefined && paths.length !== 1)
    throw new LineError("checksum can't be specified for multiple sources", undefined, checksumFlag);
  const files = instruction.contents.map((file) => ({
    kind: "inline" as const,
    name: toRaw(file.name),
    text: file.expand ? within({ of: "heredoc", text: file.name }, () => expandBody(file.content, variables)) : file.content,
  }));
  const destination = expand(instruction.destination, { of: "last argument" }) ?? "";
  const flags = instruction.kind === "add" ? instruction : { unpack: undefined, keepGitDir: undefined };
  const sources = paths.map((path, index) =>
    within({ of: "source", index }, () => readSource(path, { word, checksum, unpack: flags.unpack, keepGitDir: flags.keepGitDir })),
  );
  const operands = [...sources, ...files];
  const exclude = readExcludes(instruction.exclude);
  const words = [
    word,
    ...(parents ? ["--parents"] : []),
    ...(chown ? [`--chown=${chown}`] : []),
    ...(chmod ? [`--chmod=${chmod}`] : []),
    ...paths,
    ...instruction.contents.map((file) => `<<${file.name}`),
    destination,
  ];
  const link = instruction.link && chmod === undefined;
  if (chown !== undefined && (link || hasNoLayer))
    within(flagValue("--chown", instruction.chown), () => refuseNames(chown, link ? "with --link" : "where there are no files yet"));
  return {
    kind: "copy",
    source,
    from,
    sources: operands,
    parents,
    link,
    exclude,
    destination: joinDestination(workdir, destination),
    chown,
    chmod: chmod === undefined ? undefined : within(flagValue("--chmod", instruction.chmod), () => readModeChange(chmod)),
    createdBy: `${words.join(" ")} # buildkit`,
  };
}

/** What has nothing below it has no accounts to find names in. */
function refuseNames(chown: string, where: string): void {
  const [user = "", group = ""] = chown.split(/:(.*)/s);
  const isName = (text: string) => text !== "" && !isOwnerNumber(text);
  const kind = isName(user) ? "user" : isName(group) ? "group" : undefined;
  if (kind !== undefined)
    throw new LineError(`invalid ${kind} index: -1: --chown=${chown} names nobody ${where}`, `${where}, write owners as numbers`);
}

function readExcludes(patterns: readonly string[]): RawPath[] {
  for (const pattern of patterns) {
    try {
      readPatterns([toRaw(pattern)]);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      const part = { ...exactFlag("--exclude", pattern), inner: pattern };
      throw new LineError(`invalid excludepatterns: [${patterns.join(" ")}]: ${error.message}`, undefined, part);
    }
  }
  return patterns.map(toRaw);
}

/** The destination of an instruction below a working directory, as BuildKit joins them: nothing, or a slash or dot at the end, stands for a directory. */
export function joinDestination(workdir: string, destination: string): RawPath {
  const joined = toRaw(destination.startsWith("/") ? destination : `${workdir}/${destination}`);
  return namesDirectory(joined) ? `${cleanPath(joined)}/` : cleanPath(joined);
}

/** How the flags of an ADD shape what it takes from elsewhere; all undefined for COPY. */
interface SourceFlags {
  readonly word: "ADD" | "COPY";
  readonly checksum: string | undefined;
  readonly unpack: boolean | undefined;
  readonly keepGitDir: boolean | undefined;
}

function readSource(text: string, flags: SourceFlags): CopyOperand {
  const { word, checksum, unpack } = flags;
  if (isGitSource(text)) {
    if (word === "COPY") throw new LineError("source can't be a git ref for COPY", "use ADD");
    return { kind: "git", source: readGitSource(text, flags) };
  }
  if (/^https?:\/\//.test(text)) {
    if (word === "COPY") throw new LineError("source can't be a URL for COPY", "use ADD");
    if (!URL.canParse(text)) throw new LineError(`invalid URL: ${text}`);
    const digest = checksum === undefined ? undefined : readChecksum(checksum);
    return { kind: "url", url: text, name: toRaw(nameOfUrl(text)), checksum: digest, unpack: unpack ?? false };
  }
  if (checksum !== undefined) throw new LineError("checksum requires HTTP(S) or Git sources", undefined, checksumFlag);
  return { kind: "path", path: toRaw(text), unpack: unpack ?? word === "ADD" };
}

const checksumFlag: Part = { of: "flag", text: "--checksum" };

function readFlagCommit(text: string): string {
  try {
    return readCommit(text);
  } catch (error) {
    throw error instanceof SyntaxError ? new LineError(error.message, undefined, checksumFlag) : error;
  }
}

function readGitSource(text: string, { checksum, keepGitDir }: SourceFlags): GitSource {
  try {
    const source = parseGitSource(text);
    if (keepGitDir !== undefined && /[?&]keep-git-dir/.test(text) && keepGitDir !== source.keepGitDir)
      throw new LineError("inconsistent keep-git-dir configuration", undefined, { of: "flag", text: "--keep-git-dir" });
    const wanted = checksum === undefined ? source.checksum : readFlagCommit(checksum);
    if (source.checksum !== undefined && wanted !== source.checksum)
      throw new LineError(`checksum mismatch ${JSON.stringify(wanted)} != ${JSON.stringify(source.checksum)}`, undefined, checksumFlag);
    return { ...source, ...(wanted === undefined ? {} : { checksum: wanted }), keepGitDir: keepGitDir ?? source.keepGitDir };
  } catch (error) {
    throw error instanceof SyntaxError && !(error instanceof LineError) ? new LineError(error.message) : error;
  }
}

/** The last part of the path, without what follows it; some hosts' addresses have none. */
function nameOfUrl(url: string): string {
  const path = url.replace(/^https?:\/\/[^/?#]*/, "").replace(/[?#].*$/s, "");
  const last = path.split("/").findLast((part) => part !== "");
  if (last === undefined) return "__unnamed__";
  try {
    return (
      decodeURIComponent(last)
        .split("/")
        .findLast((part) => part !== "" && part !== "." && part !== "..") ?? "__unnamed__"
    );
  } catch {
    throw new LineError(`invalid URL escape in ${url}`);
  }
}

/** In the words of github.com/opencontainers/go-digest. */
function readChecksum(text: string): Digest {
  if (isDigest(text)) return text;
  const [, algorithm, hex = ""] = /^([a-z0-9]+(?:[.+_-][a-z0-9]+)*):([a-zA-Z0-9=_-]+)$/.exec(text) ?? [];
  const hint = "write sha256: and 64 hex digits";
  if (algorithm === undefined) throw new LineError(`invalid checksum digest format: --checksum=${text}`, hint, checksumFlag);
  if (algorithm !== "sha256") throw new LineError(`unsupported digest algorithm: --checksum=${text}`, hint, checksumFlag);
  throw new LineError(`invalid checksum digest ${hex.length === 64 ? "format" : "length"}: --checksum=${text}`, hint, checksumFlag);
}
