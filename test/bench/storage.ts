// What a registry holds when a build begins: copies of its files, so that each build finds the same.

import { copyFileSync, linkSync, mkdirSync, readdirSync } from "node:fs";
import { basename, join } from "node:path";

/** Copies a registry's folder, on the same file system. The bytes of blobs, which a registry never changes, are linked. */
export function copyStorage(from: string, to: string): void {
  mkdirSync(to, { recursive: true });
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) copyStorage(source, target);
    else if (basename(entry.name) === "data") linkSync(source, target);
    else copyFileSync(source, target);
  }
}
