// Opens a build context: finds its files, its Dockerfile and its ignore file, and shows it as a tree of files.

import { readFile, realpath, rm, stat } from "node:fs/promises";
import { basename, dirname, join, relative } from "node:path";
import { resolvePath } from "../filesystem/filesystem.ts";
import { redactText } from "../http/http.ts";
import { type RawPath, toRaw } from "../layer/entry.ts";
import { openDirectory } from "./directory.ts";
import { type DockerfileSource, findDockerfile, maxBytes } from "./dockerfile.ts";
import { beginDownload } from "./download.ts";
import { type Fetched, type FetchTools, fetchFiles, type RemoteSource, singleName } from "./fetch.ts";
import type { GitCredentials } from "./git.ts";
import type { GitSource } from "./git-reference.ts";
import { hidePath, type IgnorePatterns, noPatterns } from "./ignore.ts";
import { readIgnoreFile } from "./ignore-file.ts";
import { isAbsent, type Place, type Shelf, shelfInView, shelfOnDisk } from "./place.ts";
import { hideIgnored, type ShownView, viewBelow } from "./shown.ts";
import { ContextError, type ContextSource, type GitChoices, parseContextSource } from "./source.ts";

export { type ArchiveTools, isArchive, unpackArchive } from "./archive.ts";
export type { DockerfileSource } from "./dockerfile.ts";
export { beginDownload, type Download } from "./download.ts";
export type { FetchTools } from "./fetch.ts";
export { beginCheckout, type Checkout } from "./git.ts";
export { type GitSource, isGitSource, parseGitSource, readCommit } from "./git-reference.ts";
export { type IgnorePatterns, type IgnoreResult, readPatterns } from "./ignore.ts";
export type { ContextSource } from "./source.ts";

/** Files to COPY, as they will be in the image, without what an ignore file hides; of whole seconds. */
export interface Files extends ShownView {
  /** An absolute local directory, symlinks resolved, or an address without its secrets. */
  readonly location: string;
  /** Where they lie on disk, absolute: there are their extended attributes, which Node.js cannot read. */
  readonly directory?: string | undefined;
  /** Where in here the state directory lies, which is left out; undefined where it lies elsewhere. */
  readonly stateDir: RawPath | undefined;
  /** Files have the owners that their archive gives them; else all are owned by 0:0. */
  readonly keepsOwners: boolean;
  /** What SOURCE_DATE_EPOCH takes from it, in seconds since 1970: a commit's time, a host's, the newest file's of an archive. */
  readonly time: number | undefined;
  /** Of a repository. */
  readonly commit?: string | undefined;
  /** Removes what was fetched. */
  close(): Promise<void>;
}

/** The files a Dockerfile may COPY. */
export interface Context extends Files {
  readonly dockerfile: DockerfileSource;
  /** The ignore file brings paths back with `!`. */
  readonly hasExceptions: boolean;
}

/** What flags, environment and build arguments say of a context that is a git repository. */
export interface GitOptions extends GitChoices {
  readonly credentials: GitCredentials | undefined;
  readonly skipTlsVerify: boolean;
}

export interface ContextOptions {
  /** Below the context's root; "" is the root. */
  readonly subPath: string;
  /** As given: a path that is looked up from `workingDirectory` first, then from the context, or an address. */
  readonly dockerfile: string;
  /** Absolute. */
  readonly workingDirectory: string;
  /** Absolute; where it lies in the context it is no part of it, since it grows while the context is read. */
  readonly stateDir: string;
  readonly git: GitOptions;
  /** Of a repository: where its address does not say it. */
  readonly keepGitDir: boolean;
  readonly mtime: GitSource["mtime"];
}

/** Opens further files: of a directory under the `.dockerignore` in it, all others as they are; with `unpacks` what is in an archive of the web. Throws when they are not there. */
export async function openFiles(
  source: ContextSource,
  name: string,
  { stateDir, unpacks }: Pick<ContextOptions, "stateDir"> & { readonly unpacks: boolean },
  tools: FetchTools,
): Promise<Files> {
  if (source.kind !== "directory")
    return fetchFrom(source, { name, unpacks }, tools, async (fetched, found) => ({
      ...found,
      ...hideIgnored(fetched.view, noPatterns),
    }));
  const directory = await findDirectory(source.path, name);
  return showDirectory(directory, await readIgnoreFile([shelfOnDisk(directory)(".dockerignore")]), stateDir);
}

/** Opens what kaniko's and BuildKit's forms of a context name. Throws with the place that is missing, or with what is not yet supported. */
export async function openContext(text: string, options: ContextOptions, tools: FetchTools): Promise<Context> {
  const source = parseContextSource(text, options.workingDirectory, options.git);
  const { workingDirectory, subPath, stateDir } = options;
  const onDisk = shelfOnDisk(workingDirectory);
  if (source.kind === "directory") {
    const directory = await findDirectory(join(source.path, subPath), text);
    const shelf = shelfOnDisk(directory);
    const { dockerfile, beside } = await readDockerfile(options.dockerfile, [onDisk, shelf], tools);
    const ignore = await readIgnoreFile([...beside, shelf(".dockerignore")]);
    return { dockerfile, hasExceptions: ignore.hasExceptions, ...(await showDirectory(directory, ignore, stateDir)) };
  }
  const { credentials, skipTlsVerify } = options.git;
  return fetchFrom(
    withDefaults(source, options),
    { name: text, unpacks: true },
    { ...tools, credentials, skipTlsVerify },
    async (fetched, found) => {
      const root = resolvePath(fetched.view, toRaw(subPath));
      if (root.node?.attributes.type !== "directory") throw new ContextError(text, `there is no directory "${subPath}" in it`);
      const view = viewBelow(fetched.view, root.path);
      const shelf = shelfInView(view, found.location);
      const isItself = fetched.isSingle && options.dockerfile === "Dockerfile";
      const { dockerfile, beside } = isItself
        ? await readDockerfile(singleName, [shelf], tools)
        : await readDockerfile(options.dockerfile, [onDisk, shelf], tools);
      const ignore = await readIgnoreFile([...beside, shelf(".dockerignore")]);
      return { ...found, dockerfile, hasExceptions: ignore.hasExceptions, ...hideIgnored(view, ignore) };
    },
  );
}

function withDefaults(source: RemoteSource, { keepGitDir, mtime }: ContextOptions): RemoteSource {
  if (source.kind !== "git") return source;
  const { source: git } = source;
  return { kind: "git", source: { ...git, keepGitDir: keepGitDir || git.keepGitDir, mtime: git.mtime === "checkout" ? mtime : git.mtime } };
}

/** Fetches files into a directory of their own, which goes when they are closed, or cannot be used. */
async function fetchFrom<T>(
  source: RemoteSource,
  { name, unpacks }: { readonly name: string; readonly unpacks: boolean },
  tools: FetchTools,
  open: (fetched: Fetched, found: Omit<Files, keyof ShownView>) => Promise<T>,
): Promise<T> {
  const directory = await tools.makeDirectory();
  const close = () => rm(directory, { recursive: true, force: true });
  try {
    const fetched = await fetchFiles(source, { name, directory, unpacks }, tools);
    const { keepsOwners, time, commit } = fetched;
    return await open(fetched, { location: redactText(name), stateDir: undefined, keepsOwners, time, commit, close });
  } catch (error) {
    await close();
    throw error;
  }
}

/** What an address needs. */
export type DockerfileTools = Pick<FetchTools, "http" | "secrets" | "signal" | "makeDirectory">;

/** The Dockerfile alone: a path from a directory, or an address. */
export async function openDockerfile(name: string, directory: string, tools: DockerfileTools): Promise<DockerfileSource> {
  return (await readDockerfile(name, [shelfOnDisk(directory)], tools)).dockerfile;
}

async function readDockerfile(
  name: string,
  shelves: readonly Shelf[],
  tools: DockerfileTools,
): Promise<{ readonly dockerfile: DockerfileSource; readonly beside: readonly Place[] }> {
  if (!/^https?:\/\//i.test(name)) {
    const { dockerfile, beside } = await findDockerfile(name, shelves);
    return { dockerfile, beside: [beside] };
  }
  const directory = await tools.makeDirectory();
  try {
    const download = await (await beginDownload(name, undefined, { ...tools, directory })).finished;
    const { size } = download;
    if (size > maxBytes) throw new Error(`Cannot read Dockerfile "${redactText(name)}": it has ${size} bytes; ${maxBytes} are the limit`);
    return { dockerfile: { path: redactText(name), text: await readFile(download.path, "utf8") }, beside: [] };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Absolute and without symlinks. */
async function findDirectory(directory: string, name: string): Promise<string> {
  const fail = (why: string, cause?: unknown) => new ContextError(name, why, { cause });
  let real: string;
  try {
    real = await realpath(directory);
  } catch (cause) {
    throw fail(`directory "${directory}" ${isMissing(cause) ? "does not exist" : "cannot be reached"}`, cause);
  }
  if (!(await stat(real)).isDirectory()) throw fail(`"${directory}" is no directory`);
  return real;
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}

async function showDirectory(directory: string, ignore: IgnorePatterns, stateDir: string): Promise<Files> {
  const below = relative(directory, await resolveLinks(stateDir));
  const isInside = below !== "" && below !== ".." && !below.startsWith("../");
  const hidden = isInside ? toRaw(below) : undefined;
  const view = openDirectory(directory, hidden === undefined ? ignore : hidePath(ignore, hidden));
  return { location: directory, directory, stateDir: hidden, keepsOwners: false, time: undefined, ...view, async close() {} };
}

/** A path without symlinks, as far as it is there. */
async function resolveLinks(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if (!isAbsent(error) || path === dirname(path)) throw error;
    return join(await resolveLinks(dirname(path)), basename(path));
  }
}
