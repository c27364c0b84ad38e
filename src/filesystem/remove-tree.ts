// Removes directory trees that commands have written to.

import { execFile } from "node:child_process";
import { lstatSync, readdirSync, rmdirSync } from "node:fs";
import { rm } from "node:fs/promises";
import { promisify } from "node:util";
import { type Helper, order } from "../helper/helper.ts";

/**
 * Removes a tree and never leaves its file system, whatever is mounted in it. Names need not be UTF-8, which Node's own `rm` stumbles
 * over; rm(1) is also five times as fast. What a foreign helper has made, it removes.
 */
export async function removeTree(directory: string, helper?: Helper): Promise<void> {
  if (helper?.isForeign) return order(helper, ["remove", directory]);
  try {
    if (removeEmpty(directory)) return;
    await run("rm", "-rf", "--one-file-system", "--", directory).catch(async () => {
      // Who is not root may be locked out of what commands have made in his name.
      await run("chmod", "-R", "u+rwx", "--", directory).catch(() => {});
      await run("rm", "-rf", "--one-file-system", "--", directory);
    });
  } catch {
    await rm(directory, { recursive: true, force: true, maxRetries: 3 });
  }
}

const run = (program: string, ...args: string[]) => promisify(execFile)(program, args);

/** So many directories are no more work than a process. */
const fewDirectories = 32;

/** Does it at once where there is nothing, or nothing but a few directories, as after a build of which every step was cached. */
function removeEmpty(directory: string): boolean {
  const root = lstatSync(directory, { throwIfNoEntry: false });
  if (root === undefined) return true;
  const found = [directory];
  for (const path of found) {
    const { dev } = lstatSync(path);
    const entries = readdirSync(path, { withFileTypes: true });
    if (dev !== root.dev || found.length + entries.length > fewDirectories || !entries.every((entry) => entry.isDirectory())) return false;
    for (const { name } of entries) found.push(`${path}/${name}`);
  }
  for (const path of found.reverse()) rmdirSync(path);
  return true;
}
