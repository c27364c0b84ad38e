// Who is writing to a directory store right now: a file for each, touched from time to time, that a killed process leaves to grow old.

import { randomUUID } from "node:crypto";
import { mkdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { listFiles, regularFile, removeFile, touch } from "./disk.ts";

/** Between two signs of life. */
const beatMs = 60_000;
/** Who gave none for so long is gone. */
const silenceMs = 10 * beatMs;

export interface Writers {
  /** Says that this process writes, until `leave`. */
  enter(): Promise<void>;
  leave(): Promise<void>;
  /** Whether others write. */
  othersWrite(): Promise<boolean>;
}

export function openWriters(folder: string): Writers {
  const own = randomUUID();
  const file = path.join(folder, own);
  let timer: NodeJS.Timeout | undefined;
  return {
    async enter() {
      if (timer !== undefined) return;
      await mkdir(folder, { recursive: true });
      await writeFile(file, "");
      timer = setInterval(() => void touch(file), beatMs).unref();
    },
    async leave() {
      clearInterval(timer);
      timer = undefined;
      await rm(file, { force: true }).catch(() => {});
    },
    async othersWrite() {
      let isAnyAlive = false;
      for (const name of (await listFiles(folder)).filter((name) => name !== own)) {
        const place = path.join(folder, name);
        const age = Date.now() - ((await regularFile(place))?.mtimeMs ?? 0);
        // A clock that was ahead leaves a sign of life that does not grow old; from now on it does.
        if (age < 0) await touch(place);
        if (age <= silenceMs) isAnyAlive = true;
        else await removeFile(place).catch(() => false);
      }
      return isAnyAlive;
    },
  };
}
