// A file that is written now and shows up later, whole or not at all.

import { randomBytes } from "node:crypto";
import { access, chmod, constants, type FileHandle, lstat, open, realpath, rename, rmdir, stat, unlink } from "node:fs/promises";
import path from "node:path";
import { getSystemErrorMap } from "node:util";
import { makeDirectories } from "../filesystem/filesystem.ts";
import { writePipe } from "./pipe.ts";

/** An output between being prepared and being seen. */
export interface Pending {
  /** As the user gave it. */
  readonly target: string;
  /** Written to where it is: a device, a pipe, a mount point. Such a commit cannot be taken back. */
  readonly isInPlace: boolean;
  commit(): Promise<void>;
  /** Leaves things as they were, as far as can be; also after a commit. */
  discard(): Promise<void>;
}

export interface FileOptions {
  readonly mode: number;
  /** Of the directories that must be made. */
  readonly directoryMode: number;
  /** Ends the waiting for the reader of a pipe. */
  readonly signal?: AbortSignal | undefined;
}

/** Bytes to write; called again where they go to a pipe only at the end. */
export type Bytes = () => AsyncIterable<Uint8Array>;

/**
 * Writes a file beside its target, so that a commit is only a rename. What cannot be replaced is checked now and written by the
 * commit: devices, pipes, mount points, whatever lies in /dev or /proc, files in a directory that is not writable.
 */
export async function prepareFile(target: string, bytes: Bytes, options: FileOptions): Promise<Pending> {
  const created = await makeDirectory(path.dirname(target), options.directoryMode, target);
  try {
    const place = await inspect(target);
    if (place.isReplaceable) {
      const written = await writeBeside(place.path, bytes, { ...options, mode: place.mode ?? options.mode }, target);
      if (written !== undefined) return replacement(target, place, written, created);
      if (place.mode === undefined) throw failure(target, await reasonOf(access(path.dirname(place.path), constants.W_OK)));
    }
    await access(place.path, constants.W_OK).catch((cause) => {
      if (place.mode !== undefined) throw failure(target, cause);
    });
    return place.isPipe ? intoPipe(target, bytes, options, created) : inPlace(target, bytes, options, created);
  } catch (error) {
    await removeDirectories(created);
    throw error;
  }
}

/** Finds out, without writing anything, whether a file may be written; `target` stands in the error. */
export async function checkFile(file: string, target = file): Promise<void> {
  const directory = await existingParent(file);
  if (!(await stat(directory)).isDirectory()) throw failure(target, undefined, `"${directory}" is no directory`);
  const place = await inspect(file);
  const parent = await accessOf(await existingParent(place.path));
  if (parent === undefined || (place.mode === undefined && !place.isReplaceable)) return;
  if (place.mode === undefined) throw failure(target, parent);
  const own = await accessOf(place.path);
  if (own !== undefined) throw failure(target, own);
}

/** Why nothing may be written there, if so. */
function accessOf(place: string): Promise<unknown> {
  return reasonOf(access(place, constants.W_OK));
}

async function existingParent(file: string): Promise<string> {
  const parent = path.dirname(path.resolve(file));
  return (await reasonOf(access(parent))) === undefined ? parent : existingParent(parent);
}

interface Place {
  /** Without symlinks where it is to be replaced. */
  readonly path: string;
  readonly isReplaceable: boolean;
  /** Permissions of what is there; undefined where nothing is. */
  readonly mode: number | undefined;
  readonly isPipe: boolean;
}

async function inspect(target: string): Promise<Place> {
  const found = await stat(target).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === "ENOENT") return undefined;
    throw failure(target, cause);
  });
  if (found === undefined) {
    const isDangling = await lstat(target).then(
      () => true,
      () => false,
    );
    return { path: target, isReplaceable: !isDangling, mode: undefined, isPipe: false };
  }
  if (found.isDirectory()) throw failure(target, undefined, "it is a directory");
  const mode = found.mode & 0o777;
  if (!found.isFile() || /^\/(dev|proc)\//.test(target)) return { path: target, isReplaceable: false, mode, isPipe: found.isFIFO() };
  const real = await realpath(target);
  const parent = await stat(path.dirname(real));
  return { path: real, isReplaceable: parent.dev === found.dev, mode, isPipe: false };
}

/** The temporary file's name; undefined where its directory may not be written to. */
async function writeBeside(place: string, bytes: Bytes, options: FileOptions, target: string): Promise<string | undefined> {
  const temporary = path.join(path.dirname(place), `.slipway-${randomBytes(8).toString("hex")}.tmp`);
  let handle: FileHandle;
  try {
    handle = await open(temporary, "wx", options.mode);
  } catch (cause) {
    if (codeOf(cause) === "EACCES" || codeOf(cause) === "EPERM" || codeOf(cause) === "EROFS") return undefined;
    throw failure(target, cause);
  }
  try {
    await writeAndClose(handle, bytes(), target);
    return temporary;
  } catch (error) {
    await unlink(temporary).catch(() => {});
    throw error;
  }
}

function replacement(target: string, place: Place, temporary: string, created: readonly string[]): Pending {
  let isCommitted = false;
  return {
    target,
    isInPlace: false,
    async commit() {
      try {
        if (place.mode !== undefined) await chmod(temporary, place.mode);
        await rename(temporary, place.path);
        isCommitted = true;
      } catch (cause) {
        // A mount point of the same file system shows itself only now.
        if (codeOf(cause) !== "EBUSY") throw failure(target, cause);
        const source = await open(temporary, "r");
        await overwrite(target, source.createReadStream());
        await unlink(temporary);
      }
    },
    async discard() {
      if (!isCommitted) await unlink(temporary).catch(() => {});
      else if (place.mode === undefined) await unlink(place.path).catch(() => {});
      await removeDirectories(created);
    },
  };
}

function intoPipe(target: string, bytes: Bytes, { signal }: FileOptions, created: readonly string[]): Pending {
  return {
    target,
    isInPlace: true,
    async commit() {
      await writePipe(target, bytes(), signal).catch((cause) => {
        throw signal?.aborted ? cause : failure(target, cause);
      });
    },
    discard: () => removeDirectories(created),
  };
}

function inPlace(target: string, bytes: Bytes, options: FileOptions, created: readonly string[]): Pending {
  return {
    target,
    isInPlace: true,
    commit: () => overwrite(target, bytes(), options.mode),
    discard: () => removeDirectories(created),
  };
}

/** A standard stream that leads to a file goes on where others write; everything else starts anew. */
async function overwrite(target: string, bytes: AsyncIterable<Uint8Array>, mode?: number): Promise<void> {
  const isStream = /^\/(proc\/|dev\/(fd\/|std(out|err)$))/.test(target);
  const flags = constants.O_WRONLY | constants.O_CREAT | (isStream ? constants.O_APPEND : constants.O_TRUNC);
  const handle = await open(target, flags, mode).catch((cause) => {
    throw failure(target, cause);
  });
  await writeAndClose(handle, bytes, target);
}

/** Errors of the bytes' own source go through as they are. */
async function writeAndClose(handle: FileHandle, bytes: AsyncIterable<Uint8Array>, target: string): Promise<void> {
  const rephrase = (cause: unknown) => {
    throw failure(target, cause);
  };
  try {
    for await (const chunk of bytes) await handle.writeFile(chunk).catch(rephrase);
  } catch (error) {
    await handle.close().catch(() => {});
    throw error;
  }
  await handle.close().catch(rephrase);
}

/** Makes a directory with its parents; gives those that were not there, deepest first. */
export async function makeDirectory(directory: string, mode: number, target: string): Promise<readonly string[]> {
  try {
    return await makeDirectories(path.resolve(directory), mode);
  } catch (cause) {
    const at = cause instanceof Error && "path" in cause ? cause.path : directory;
    throw failure(target, cause, codeOf(cause) === "EEXIST" ? `"${at}" is no directory` : undefined);
  }
}

/** Those that are empty. */
export async function removeDirectories(created: readonly string[]): Promise<void> {
  for (const directory of created) await rmdir(directory).catch(() => {});
}

/** What the file system said, in words. */
export function failure(target: string, cause: unknown, state?: string): Error {
  const errno = cause instanceof Error && "errno" in cause && typeof cause.errno === "number" ? cause.errno : 0;
  const words = state ?? getSystemErrorMap().get(errno)?.[1] ?? (cause instanceof Error ? cause.message : String(cause));
  return new Error(`Cannot write "${target}": ${words}`, { cause });
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}

function reasonOf(attempt: Promise<void>): Promise<unknown> {
  return attempt.then(
    () => undefined,
    (cause) => cause,
  );
}
