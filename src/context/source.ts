// Where a build context is: kaniko's forms of --context, and BuildKit's addresses.

import path from "node:path";
import { redactText } from "../http/http.ts";
import type { Digest } from "../image/digest.ts";
import { type GitSource, isGitSource, parseGitSource } from "./git-reference.ts";

export type ContextSource =
  /** Absolute. */
  | { readonly kind: "directory"; readonly path: string }
  | { readonly kind: "git"; readonly source: GitSource }
  /** An archive, or a Dockerfile. */
  | { readonly kind: "web"; readonly url: string; readonly checksum?: Digest | undefined }
  /** An archive: a file, by its absolute path, or standard input. */
  | { readonly kind: "archive"; readonly path: string | undefined };

/** What kaniko's flags and environment say of git contexts. */
export interface GitChoices {
  /** `--git branch=`: a branch or tag, whatever the address says. */
  readonly branch: string | undefined;
  /** `--git recurse-submodules=`; undefined: as the form of the address has it. */
  readonly submodules: boolean | undefined;
  /** What kaniko's git:// addresses stand for. */
  readonly protocol: "https" | "http";
}

/** What is wrong with a context; secrets of its address are left out. */
export class ContextError extends Error {
  readonly hint: string | undefined;
  constructor(source: string, why: string, { hint, cause }: { readonly hint?: string; readonly cause?: unknown } = {}) {
    super(`Cannot open context "${redactText(source)}": ${why}`, { cause });
    this.hint = hint;
  }
}

const schemes = ["gs://", "dir://", "tar://", "s3://", "git://", "https://"];
/** How to get what cannot be fetched here: a command that writes the archive to standard output. */
const stores: Readonly<Record<string, string>> = { "s3://": "aws s3 cp URL -", "gs://": "gcloud storage cat URL" };
const azure = /^https:\/\/[^/]+\.blob\.core\.(?:windows\.net|chinacloudapi\.cn|cloudapi\.de|usgovcloudapi\.net)\//i;

/** Reads a value of --context. Throws for what is none, and for what is not yet supported. */
export function parseContextSource(text: string, workingDirectory: string, choices: GitChoices): ContextSource {
  const fail = (why: string, details = {}) => new ContextError(text, why, details);
  const locate = (file: string) => path.resolve(workingDirectory, file);
  if (text === "") throw fail("it is empty");
  const scheme = /^[^/]*?:\/\//.exec(text)?.[0] ?? "";
  const rest = text.slice(scheme.length);
  try {
    if (scheme === "git://") return { kind: "git", source: parseKanikoGit(text, choices) };
    if (isGitSource(text)) return { kind: "git", source: choose(parseGitSource(text), choices) };
  } catch (cause) {
    throw cause instanceof SyntaxError ? fail(cause.message, { cause }) : cause;
  }
  if (scheme === "" || scheme === "dir://") return { kind: "directory", path: locate(rest) };
  if (scheme === "tar://") return { kind: "archive", path: rest === "stdin" ? undefined : locate(rest) };
  if (azure.test(text) && !new URL(text).searchParams.has("sig"))
    throw fail("Azure's storage keys are not yet supported", {
      hint: "give an address with a shared access signature, or pipe the archive into --context tar://stdin",
    });
  if (/^https?:\/\/$/i.test(scheme)) return { kind: "web", url: text };
  const store = stores[scheme];
  if (store !== undefined)
    throw fail(`${scheme} is not yet supported`, {
      hint: `pipe the archive in: ${store.replace("URL", text)} | slipway --context tar://stdin`,
    });
  throw fail(`unknown build context prefix provided, please use one of the following: ${schemes.join(", ")}`);
}

/**
 * kaniko's `git://HOST/PATH[#REF][#COMMIT]`, which is spoken to over HTTPS; the commit counts. Submodules are left out unless they are
 * asked for.
 */
function parseKanikoGit(text: string, choices: GitChoices): GitSource {
  const [address = "", ref = "", commit = ""] = text.split("#");
  const parsed = parseGitSource(ref === "" ? address : `${address}#${ref}`);
  const submodules = /[?&]submodules\b/.test(address) && parsed.submodules;
  const remote = `${choices.protocol}://${parsed.remote.slice("git://".length)}`;
  return { ...choose({ ...parsed, remote, submodules }, choices), ...(commit === "" ? {} : { ref: commit }) };
}

function choose(source: GitSource, { branch, submodules }: GitChoices): GitSource {
  return { ...source, ...(branch === undefined ? {} : { ref: branch }), submodules: submodules ?? source.submodules };
}
