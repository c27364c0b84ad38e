// Run in a mount namespace of its own by bad-stores.test.ts: `KIND TROUBLE FOLDER`.

import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { assertBearable } from "./store-builds.ts";

const [kind = "", trouble = "", folder = ""] = process.argv.slice(2);
const cleanUps: (() => unknown)[] = [];
const owner = { after: (work: () => unknown) => cleanUps.push(work) };
execFileSync("mount", ["-t", "tmpfs", "-o", "size=2m", "tmpfs", folder]);
const filler = join(folder, "filler");
const remount = (how: string) => execFileSync("mount", ["-o", `remount,${how}`, folder]);

function begin(): () => void {
  if (trouble === "read-only") {
    remount("ro");
    return () => remount("rw");
  }
  execFileSync("sh", ["-c", `dd if=/dev/zero of=${filler} bs=4k 2>/dev/null || true`]);
  return () => rmSync(filler);
}

const path = join(folder, "store");
const store = kind === "layout" ? ({ kind: "layout", path } as const) : ({ kind: "directory", path, maxBytes: undefined } as const);
await assertBearable(owner as never, store, { says: /^Cannot write to the cache in .*(?:read-only file system|no space left)/, begin });
for (const work of cleanUps.toReversed()) await work();
