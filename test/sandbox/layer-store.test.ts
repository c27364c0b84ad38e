// That the layers of a build are unpacked once each, however many stages ask for them.

import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { openLayerFiles } from "../../src/filesystem/filesystem.ts";
import { openHelper } from "../../src/helper/helper.ts";
import { LayerStore } from "../../src/sandbox/layer-store.ts";
import { needsRoot } from "./root.ts";
import { openBase } from "./stage.ts";

test("a layer that several stages add at the same moment is read and unpacked once", async (t) => {
  const base = needsRoot(t) ? openBase(t) : undefined;
  const helper = await openHelper();
  if (base === undefined || helper === undefined) return;
  const folder = mkdtempSync(join(tmpdir(), "slipway-layers-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  let opened = 0;
  const layer = Promise.resolve({
    ...base,
    open() {
      opened += 1;
      return base.open();
    },
  });
  const tools = { helper, deputy: { workDir: join(folder, "work"), ids: "" }, marks: "trusted", recordsOwners: false } as const;
  const store = new LayerStore(join(folder, "layers"), { ...tools, files: openLayerFiles(join(folder, "spool")) });
  const levels = [1, 2, 3].map(() => store.add(layer, undefined, undefined));
  const directories = new Set(await Promise.all(levels.map((level) => level.directory)));
  await store.close();
  assert.deepEqual([opened, directories.size, readdirSync(join(folder, "layers")).length], [1, 1, 1]);
});
