// What a build has left in the layers of an OCI layout, read by code that shares nothing with the builder's.

import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import type { FlatTree } from "../conformance/case.ts";
import { flattenLayers } from "../conformance/pushed-image.ts";
import type { Left } from "./battery.ts";

/** The merged tree of a layout's layers but the `skipped` lowest. */
export async function readLayers(layout: string, skipped: number): Promise<FlatTree> {
  const blob = (digest: string) => readFileSync(join(layout, "blobs", digest.replace(":", "/")));
  const index = JSON.parse(readFileSync(join(layout, "index.json"), "utf8"));
  const manifest: { layers: { digest: string }[] } = JSON.parse(blob(index.manifests[0].digest).toString());
  const folder = mkdtempSync(`${layout}-layers-`);
  try {
    const files = manifest.layers.slice(skipped).map(({ digest }, i) => {
      const file = join(folder, String(i));
      writeFileSync(file, gunzipSync(blob(digest)));
      return file;
    });
    return await flattenLayers(files);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The first path that is not in the layers as it should be. */
export function findMissing(leaves: Readonly<Record<string, Left>>, tree: FlatTree): string | undefined {
  for (const [path, { capability, ...wanted }] of Object.entries(leaves)) {
    const found = tree[path];
    if (found === undefined) return `${path} is in no layer`;
    const shown = new Map<string, unknown>(Object.entries(found));
    for (const [field, value] of Object.entries(wanted))
      if (shown.get(field) !== value) return `${path} has ${field} ${shown.get(field)} in its layer, not ${value}`;
    if (capability !== undefined && found.x?.["security.capability"] !== hashOf(capability))
      return `${path} has another capability in its layer than ${capability}`;
  }
  return undefined;
}

/** As flatten.py writes it. */
const hashOf = (hex: string): string => createHash("sha256").update(Buffer.from(hex, "hex")).digest("hex").slice(0, 12);
