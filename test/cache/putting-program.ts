// Puts records until it is killed: `KIND PLACE SEED`. Says "ready" when it begins, and the number of the record that is in the store.

import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openDirectoryStore } from "../../src/cache/directory-store.ts";
import { openOciStore } from "../../src/cache/oci-store.ts";
import { openRegistryStore } from "../../src/cache/registry-store.ts";
import type { Store } from "../../src/cache/store.ts";
import { parseReference } from "../../src/image/reference.ts";
import { defaultRegistryOptions, openRegistry } from "../../src/registry/registry.ts";
import { layerOf, makeBytes } from "../support/registry-image.ts";
import { fileBlob, recordWith } from "./records.ts";

const [kind = "", place = "", seed = ""] = process.argv.slice(2);
const report = { emit() {}, mask() {} };

function open(): Store {
  if (kind === "directory") return openDirectoryStore(place, { report, maxBytes: 400_000 });
  if (kind === "oci") return openOciStore(place, { report });
  return openRegistryStore(parseReference(place), { registry: openRegistry(defaultRegistryOptions, { report }), report });
}

const folder = mkdtempSync(join(tmpdir(), "slipway-test-"));
process.stdout.write(`ready ${folder}\n`);
for (let turn = 0; ; turn++) {
  const store = open();
  const names = [0, 1, 2].map((i) => `crash ${(Number(seed) * 7 + turn * 3 + i) % 40}`);
  const own = await fileBlob(folder, makeBytes(20_000, turn));
  await Promise.all(
    names.map((name, i) => store.put(recordWith(name, [own, layerOf(makeBytes(30_000, (turn + i) % 9)), layerOf(makeBytes(10, turn))]))),
  );
  if (turn % 4 === 3) await store.prune({ maxBytes: 300_000, dryRun: false });
  await store.close();
  process.stdout.write(`${turn}\n`);
}
