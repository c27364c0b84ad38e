// Finds the folder of conformance data, environments and benchmark inputs that lies beside the project where there is one.

import { existsSync } from "node:fs";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";

const shared = fileURLToPath(new URL("../../../shared/", import.meta.url));

/** The folder's path; undefined after the test was marked as skipped. Where CI is set its absence is a failure. */
export function sharedFolder(test: TestContext, name: string): string | undefined {
  const path = `${shared}${name}`;
  if (existsSync(path)) return path;
  if (process.env.CI) throw new Error(`Test data is missing: ../shared/${name}`);
  test.skip(`test data is not here: ../shared/${name}`);
  return undefined;
}
