// Run in a mount namespace of its own by directory-store.test.ts: `PIECE FOLDER`.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { openDirectoryStore } from "../../src/cache/directory-store.ts";
import { openOciStore } from "../../src/cache/oci-store.ts";
import { makeBytes } from "../support/registry-image.ts";
import { listen } from "./places.ts";
import { fileBlob, keyOf, readWhole, recordOf, recordWith } from "./records.ts";

const [piece = "", folder = ""] = process.argv.slice(2);
const { texts, report } = listen();
const kinds = {
  directory: (maxBytes?: number) => openDirectoryStore(join(folder, "directory"), { report, maxBytes }),
  layout: () => openOciStore(join(folder, "layout"), { report }),
};
for (const name of Object.keys(kinds)) {
  mkdirSync(join(folder, name));
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=4m", "tmpfs", join(folder, name)]);
}

const pieces: Record<string, () => Promise<void>> = {
  async "read-only"() {
    for (const [name, open] of Object.entries(kinds)) {
      const store = open();
      await store.put(recordOf("a"));
      await store.close();
      execFileSync("mount", ["-o", "remount,ro", join(folder, name)]);
      const reader = open(10);
      assert.deepEqual(await readWhole(reader, [keyOf("a"), keyOf("b")]), ["a"]);
      await assert.rejects(reader.put(recordOf("b", 2)), /^Error: Cannot keep a record in .*: read-only file system/);
      await assert.rejects(reader.prune({ maxBytes: 0, dryRun: false }), /^Error: Cannot prune .*: read-only file system/);
      await reader.close();
      assert.deepEqual(await readWhole(open(), [keyOf("a")]), ["a"]);
    }
  },
  async full() {
    for (const [name, open] of Object.entries(kinds)) {
      const store = open();
      await store.put(recordOf("a"));
      await assert.rejects(store.put(recordOf("b", 2, 6_000_000)), /^Error: Cannot keep a record in .*: no space left on device/);
      const filler = await fileBlob(join(folder, name), Buffer.alloc(0));
      execFileSync("sh", ["-c", `dd if=/dev/zero of=${filler.file} bs=4k 2>/dev/null || true`]);
      await assert.rejects(store.put(recordOf("c", 3, 200_000)), /no space left on device/);
      assert.deepEqual(await readWhole(store, ["a", "b", "c"].map(keyOf)), ["a"]);
      await rm(filler.file);
      await store.put(recordOf("c", 3, 200_000));
      assert.deepEqual(await readWhole(store, ["a", "b", "c"].map(keyOf)), ["a", "c"]);
      await store.close();
    }
  },
  async foreign() {
    for (const open of Object.values(kinds)) {
      const store = open();
      await store.put(recordOf("a"));
      await store.close();
    }
    execFileSync("chmod", ["-R", "a+rX,a-w", folder]);
    process.setgroups?.([]);
    process.setgid?.(65534);
    process.setuid?.(65534);
    for (const open of Object.values(kinds)) {
      const store = open(10);
      assert.deepEqual(await readWhole(store, [keyOf("a"), keyOf("b")]), ["a"]);
      await assert.rejects(store.put(recordOf("b", 2)), /^Error: Cannot keep a record in .*: permission denied/);
      await store.close();
      assert.deepEqual(await readWhole(open(), [keyOf("a")]), ["a"]);
    }
  },
  async other() {
    const blob = await fileBlob(folder, makeBytes(100_000));
    for (const [name, open] of Object.entries(kinds)) {
      const store = open();
      await store.put(recordWith("a", [blob]));
      await store.close();
      assert.deepEqual(await readWhole(open(), [keyOf("a")]), ["a"]);
      const unfinished = join(folder, name, name === "layout" ? ".slipway" : "v1", "unfinished");
      assert.deepEqual(await readdir(unfinished), []);
    }
  },
};

await pieces[piece]?.();
assert.deepEqual(texts, []);
