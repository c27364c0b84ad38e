// Records of other builds that fill a cache, as the stores themselves write them.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { mapBounded } from "../../src/cache/bounded.ts";
import { keyOf, openDirectoryStore, openOciStore, openRegistryStore, type Store } from "../../src/cache/cache.ts";
import { defaultRegistryOptions, openRegistry } from "../../src/registry/registry.ts";
import type { Report } from "../../src/report/report.ts";
import { startLocalRegistry } from "../support/local-registry.ts";
import { copyStorage } from "./storage.ts";

const report: Report = { emit() {}, mask() {} };
const together = 50;

async function fill(store: Store, count: number): Promise<void> {
  const numbers = Array.from({ length: count }, (_, index) => index);
  await mapBounded(numbers, together, async (number) => {
    const bytes = Buffer.from(JSON.stringify({ number, text: "x".repeat(500) }));
    await store.put({ key: keyOf("bench", [String(number)]), bytes, blobs: [] });
  });
  await store.close();
}

export const addDirectoryRecords = (directory: string, count: number): Promise<void> =>
  fill(openDirectoryStore(directory, { report }), count);

export const addLayoutRecords = (directory: string, count: number): Promise<void> => fill(openOciStore(directory, { report }), count);

/** `from` is a registry's folder; gives that of another which has the records too, below `folder`. */
export async function addRepositoryRecords(from: string, folder: string, repository: string, count: number): Promise<string> {
  const [own, filled] = [join(folder, "registry"), join(folder, "filled")];
  mkdirSync(own);
  copyStorage(from, join(own, "storage"));
  await using local = await startLocalRegistry(own);
  const registry = openRegistry({ ...defaultRegistryOptions, insecureRegistries: [local.host] }, { report });
  await fill(openRegistryStore({ registry: local.host, repository }, { registry, report }), count);
  await registry.close();
  copyStorage(join(own, "storage"), filled);
  return filled;
}
