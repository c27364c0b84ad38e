// Names of records: hashes of framed parts, so that no two different lists of parts run together.

import { createHash } from "node:crypto";
import type { Key } from "./store.ts";

/** Stands in every key: raise it when what a record means changes. */
const version = "slipway-cache-1";

/** The key of a list of parts. `domain` says what the list is; each part counts with its length. Strings are hashed as UTF-8. */
export function keyOf(domain: string, parts: Iterable<string | Uint8Array>): Key {
  const hash = createHash("sha256");
  const add = (part: string | Uint8Array) => {
    hash.update(`${typeof part === "string" ? Buffer.byteLength(part) : part.length}:`);
    hash.update(part);
  };
  add(version);
  add(domain);
  for (const part of parts) add(part);
  return hash.digest("hex");
}
