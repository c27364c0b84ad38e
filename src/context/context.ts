// Opens a build context: finds its directory, its Dockerfile and its ignore file, and shows it as a tree of files.

import { realpath } from "node:fs/promises";
import { basename, dirname, join, relative } from "node:path";
import type { FileView } from "../filesystem/filesystem.ts";
import { type Content, type RawPath, toRaw } from "../layer/entry.ts";
import { openDirectory } from "./directory.ts";
import { type DockerfileSource, findDockerfile, isAbsent } from "./dockerfile.ts";
import { hidePath, type IgnorePatterns } from "./ignore.ts";
import { readIgnoreFile } from "./ignore-file.ts";
import { locateContext } from "./source.ts";

export type { DockerfileSource } from "./dockerfile.ts";
export { beginDownload, type Download } from "./download.ts";
export { beginCheckout, type Checkout } from "./git.ts";
export { type GitSource, isGitSource, parseGitSource, readCommit } from "./git-reference.ts";
export { type IgnorePatterns, type IgnoreResult, readPatterns } from "./ignore.ts";

/** Files to COPY, as they will be in the image, without what an ignore file hides. */
export interface Files extends FileView {
  /** Absolute local directory, symlinks resolved. */
  readonly directory: string;
  /** Where the bytes of a regular file are; throws for what is no file. */
  content(path: RawPath): Content;
  /** Whether the ignore file hides a path, be there such a file or not. Directories with re-included files below count as hidden. */
  isIgnored(path: RawPath): boolean;
  /** Where in here the state directory lies, which is left out; undefined where it lies elsewhere. */
  readonly stateDir: RawPath | undefined;
}

/**
 * The files a Dockerfile may COPY, as they will be in the image: owned by 0:0, whole seconds, without what the ignore file hides.
 * Extended attributes are left out: Node.js cannot read them.
 */
export interface Context extends Files {
  /** As the user gave it. */
  readonly name: string;
  readonly dockerfile: DockerfileSource;
  /** The ignore file brings paths back with `!`. */
  readonly hasExceptions: boolean;
  close(): Promise<void>;
}

export interface ContextOptions {
  /** Below the context's directory; "" is its root. */
  readonly subPath: string;
  /** As given: a path that is looked up from `workingDirectory` first, then from the context. */
  readonly dockerfile: string;
  /** Absolute. */
  readonly workingDirectory: string;
  /** Absolute; where it lies in the context it is no part of it, since it grows while the context is read. */
  readonly stateDir: string;
}

/** Opens a further directory, under the `.dockerignore` in it. Throws when it is not there. */
export async function openFiles(path: string, { stateDir }: Pick<ContextOptions, "stateDir">): Promise<Files> {
  const directory = await locateContext(path, { subPath: "", workingDirectory: "/" });
  return showFiles(directory, await readIgnoreFile(undefined, directory), stateDir);
}

async function showFiles(directory: string, ignore: IgnorePatterns, stateDir: string): Promise<Files> {
  const below = relative(directory, await resolveLinks(stateDir));
  const isInside = below !== "" && below !== ".." && !below.startsWith("../");
  const hidden = isInside ? toRaw(below) : undefined;
  const view = openDirectory(directory, hidden === undefined ? ignore : hidePath(ignore, hidden));
  return { directory, stateDir: hidden, ...view };
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

/**
 * Opens a context after kaniko's `--context` forms: a path or `dir://path`. Throws with the place that is missing, or "not yet
 * supported" for the other schemes.
 */
export async function openContext(source: string, options: ContextOptions): Promise<Context> {
  const directory = await locateContext(source, options);
  const dockerfile = await findDockerfile(options.dockerfile, [options.workingDirectory, directory]);
  const ignore = await readIgnoreFile(dockerfile.path, directory);
  const { hasExceptions } = ignore;
  return { name: source, dockerfile, hasExceptions, ...(await showFiles(directory, ignore, options.stateDir)), async close() {} };
}
