// Small things that stores on a disk have in common: what a failure is called, files that appear whole, and when they were last used.

import { randomUUID } from "node:crypto";
import { lstat, readdir, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import path from "node:path";
import { getSystemErrorMap } from "node:util";

export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

/** What the file system says to those who may only read. */
export function isReadOnly(error: unknown): boolean {
  return ["EROFS", "EACCES", "EPERM"].includes(codeOf(error) ?? codeOf(error instanceof Error ? error.cause : undefined) ?? "");
}

/** An error for people; `action` is ready to follow "Cannot". Whatever is no failure of the file system stays as it is. */
export function diskFailure(action: string, cause: unknown): unknown {
  if (!(cause instanceof Error) || !("syscall" in cause)) return cause;
  const errno = "errno" in cause && typeof cause.errno === "number" ? cause.errno : 0;
  const words = getSystemErrorMap().get(errno)?.[1] ?? cause.message;
  const place = "path" in cause && typeof cause.path === "string" ? ` ("${cause.path}")` : "";
  return new Error(`Cannot ${action}: ${words}${place}`, { cause });
}

/** Undefined for what is not there, or is no regular file. */
export async function regularFile(
  file: string,
): Promise<{ readonly size: number; readonly mtimeMs: number; readonly ino: number } | undefined> {
  const found = await lstat(file).catch((error: unknown) => {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  });
  return found?.isFile() ? found : undefined;
}

/** The files of a directory; none where it is missing. */
export async function listFiles(directory: string): Promise<readonly string[]> {
  const entries = await readdir(directory, { withFileTypes: true }).catch((error: unknown) => {
    if (codeOf(error) === "ENOENT") return [];
    throw error;
  });
  return entries.filter((entry) => entry.isFile()).map(({ name }) => name);
}

/** False where nothing is there yet; throws where something else is, or nobody may look. */
export async function directoryExists(directory: string): Promise<boolean> {
  const found = await stat(directory).catch((error: unknown) => {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  });
  if (found?.isDirectory() === false) throw new Error(`"${directory}" is no directory`);
  return found !== undefined;
}

/** Writes beside, and renames; both places are on one file system. */
export async function writeWhole(file: string, bytes: Uint8Array, unfinished: string): Promise<void> {
  const temporary = path.join(unfinished, randomUUID());
  try {
    await writeFile(temporary, bytes, { flag: "wx" });
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** Notes that a file is in use; true where that could be done. */
export async function touch(file: string): Promise<boolean> {
  const now = new Date();
  return utimes(file, now, now).then(
    () => true,
    () => false,
  );
}

/** Removes a file; true where this call has. Others may have been faster. */
export async function removeFile(file: string): Promise<boolean> {
  try {
    await rm(file);
    return true;
  } catch (error) {
    if (codeOf(error) === "ENOENT") return false;
    throw error;
  }
}
