// Makes directories with their parents, and comes to an end wherever that is asked for.

import { mkdir, rmdir, stat } from "node:fs/promises";
import path from "node:path";

/**
 * Makes an absolute directory with its parents; gives those that were not there, deepest first. Leaves none when one cannot be made.
 * Not Node's `recursive`: that never ends where a file system answers a new name with ENOENT, as /proc does.
 */
export async function makeDirectories(directory: string, mode: number): Promise<readonly string[]> {
  if (await isDirectory(directory)) return [];
  const above = await makeDirectories(path.dirname(directory), mode);
  try {
    await mkdir(directory, mode);
  } catch (error) {
    // Somebody else may have been quicker.
    if (await isDirectory(directory)) return above;
    for (const made of above) await rmdir(made).catch(() => {});
    throw error;
  }
  return [directory, ...above];
}

async function isDirectory(place: string): Promise<boolean> {
  try {
    return (await stat(place)).isDirectory();
  } catch {
    return false;
  }
}
