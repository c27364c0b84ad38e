// How many layer bytes went to and from a registry, told by the requests that it answered.

import { closeSync, openSync, readSync, statSync } from "node:fs";
import type { AnsweredRequest, LocalRegistry } from "../support/local-registry.ts";

export interface Transferred {
  readonly downloaded: number;
  readonly uploaded: number;
}

export function countLayerBytes(requests: readonly AnsweredRequest[], registry: Pick<LocalRegistry, "blobPath">): Transferred {
  let [downloaded, uploaded] = [0, 0];
  for (const { method, uri, status, written } of requests) {
    if (status < 200 || status > 299) continue;
    const [, read] = /\/blobs\/(sha256:[0-9a-f]{64})$/.exec(uri) ?? [];
    if (method === "GET" && read !== undefined && isLayer(registry.blobPath(read))) downloaded += written;
    // The request that ends an upload names the blob; whatever its parts, the registry took its bytes once.
    const [, finished] = /\/blobs\/uploads\/.*[?&]digest=(sha256(?::|%3A)[0-9a-f]{64})/i.exec(uri) ?? [];
    if ((method === "PUT" || method === "POST") && status === 201 && finished !== undefined) {
      const path = registry.blobPath(decodeURIComponent(finished));
      if (isLayer(path)) uploaded += statSync(path).size;
    }
  }
  return { downloaded, uploaded };
}

/** Image configs are JSON objects; no layer, compressed or not, begins so. */
function isLayer(path: string): boolean {
  const file = openSync(path, "r");
  try {
    const first = Buffer.alloc(1);
    readSync(file, first);
    return first.toString() !== "{";
  } finally {
    closeSync(file);
  }
}
