// The file `index.json` of an image layout that others may use too: which records it names, and what else.

import { mediaTypes } from "../image/encode.ts";
import { type NamedBlob, readNamedBlobs } from "./record-file.ts";
import { keyOfTag, tagOf } from "./record-manifest.ts";
import type { Key } from "./store.ts";

export interface OciIndex {
  /** The manifest of each record. */
  readonly records: ReadonlyMap<Key, NamedBlob>;
  /** What else it names, as it stands there. */
  readonly others: readonly unknown[];
  /** The document without its list. */
  readonly rest: Readonly<Record<string, unknown>>;
}

const refName = "org.opencontainers.image.ref.name";

export const emptyIndex: OciIndex = { records: new Map(), others: [], rest: { schemaVersion: 2, mediaType: mediaTypes.oci.index } };

/** Throws a SyntaxError where a file is damaged, and an Error where it is the file of somebody else. */
export function decodeIndex(text: string): OciIndex {
  const value = JSON.parse(text) as { manifests?: unknown } | null;
  if (value === null || typeof value !== "object" || !Array.isArray(value.manifests)) throw new Error("it is no index of an image layout");
  const { manifests, ...rest } = value as { manifests: unknown[] };
  const records = new Map<Key, NamedBlob>();
  const others: unknown[] = [];
  for (const item of manifests) {
    const { annotations } = (item ?? {}) as { annotations?: Record<string, unknown> };
    const key = keyOfTag(String(annotations?.[refName]));
    const [manifest] = key === undefined ? [] : readNamedBlobs([item]);
    if (key === undefined || manifest === undefined) others.push(item);
    else records.set(key, manifest);
  }
  return { records, others, rest };
}

export function encodeIndex({ records, others, rest }: OciIndex): Buffer {
  const own = [...records].map(([key, { digest, size }]) => ({
    mediaType: mediaTypes.oci.manifest,
    digest,
    size,
    annotations: { [refName]: tagOf(key) },
  }));
  return Buffer.from(JSON.stringify({ ...rest, manifests: [...others, ...own] }));
}

/** What a document of any kind names, as far as it can be read. */
export function namedIn(bytes: Uint8Array): readonly NamedBlob[] {
  try {
    const { config, layers, manifests, blobs } = JSON.parse(Buffer.from(bytes).toString("utf8")) as Record<string, unknown>;
    return [[config], layers, manifests, blobs].flatMap((list) => (Array.isArray(list) ? list : [])).flatMap(tryDescriptor);
  } catch {
    return [];
  }
}

export function tryDescriptor(value: unknown): readonly NamedBlob[] {
  try {
    return readNamedBlobs([value]);
  } catch {
    return [];
  }
}
