// Remembers from which sources the committed helper binaries were built; a test compares, so that neither changes alone.

import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = fileURLToPath(new URL("../", import.meta.url));

/** Name below the repository → sha256, for all that goes into the binaries and for the binaries. */
export type NativeLock = Record<string, string>;

export function describeNative(): NativeLock {
  const sources = readdirSync(`${root}native`).filter((name) => /\.[ch]$/.test(name));
  const binaries = readdirSync(`${root}dist`).filter((name) => name.startsWith("slipway-helper-"));
  const names = [...sources.map((name) => `native/${name}`), "scripts/native.ts", ...binaries.map((name) => `dist/${name}`)];
  return Object.fromEntries(
    names.sort().map((name) => [
      name,
      createHash("sha256")
        .update(readFileSync(root + name))
        .digest("hex"),
    ]),
  );
}

export function readNativeLock(): NativeLock {
  return JSON.parse(readFileSync(`${root}native/lock.json`, "utf8"));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  writeFileSync(`${root}native/lock.json`, `${JSON.stringify(describeNative(), undefined, 2)}\n`);
}
