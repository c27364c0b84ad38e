// A record as an image manifest: its bytes are an annotation, so that one request finds it, and its blobs are layers, so that they live as long as it does.

import { digestOf, type EncodedBlob, mediaTypes } from "../image/encode.ts";
import type { Descriptor } from "../image/image.ts";
import { checkRecordSize, type KeptRecord, type NamedBlob, readNamedBlobs } from "./record-file.ts";
import type { Key, NewRecord } from "./store.ts";

const annotations = { key: "slipway.cache.key", record: "slipway.cache.record.v1", created: "org.opencontainers.image.created" };

export interface RecordManifest {
  readonly manifest: EncodedBlob;
  /** The documents that the manifest names, to be stored before it. */
  readonly documents: readonly EncodedBlob[];
}

/** The tag of a record; kaniko's tags in the same repository are bare digits. */
export function tagOf(key: Key): string {
  return `slipway-${key}`;
}

/** The key that a tag names; undefined for the tags of others. */
export function keyOfTag(tag: string): Key | undefined {
  return /^slipway-([0-9a-f]{64})$/.exec(tag)?.[1];
}

/**
 * Registries have been seen to refuse what is no ordinary image: unknown media types, manifests without layers, configurations with
 * another number of layers. So this is one, and its configuration depends on nothing but that number.
 */
export function encodeRecordManifest({ key, bytes, blobs }: NewRecord, now: number): RecordManifest {
  checkRecordSize(bytes);
  const stands = blobs.length === 0 ? [nothing] : [];
  const layers = [...blobs.map(({ descriptor }) => layerOf(descriptor)), ...stands.map(({ descriptor }) => descriptor)];
  const config = encodeConfig(layers.length);
  const document = {
    schemaVersion: 2,
    mediaType: mediaTypes.oci.manifest,
    config: config.descriptor,
    layers,
    annotations: {
      [annotations.created]: new Date(now).toISOString(),
      [annotations.key]: key,
      [annotations.record]: Buffer.from(bytes).toString("base64"),
    },
  };
  return { manifest: encodeDocument(mediaTypes.oci.manifest, document), documents: [config, ...stands] };
}

/** The manifest of a record as if it were put now. Throws where the bytes are none. */
export function renewRecordManifest(bytes: Uint8Array, now: number): EncodedBlob {
  const document = parse(bytes) as { annotations?: object };
  const created = { [annotations.created]: new Date(now).toISOString() };
  return encodeDocument(mediaTypes.oci.manifest, { ...document, annotations: { ...document.annotations, ...created } });
}

export interface FoundManifest extends KeptRecord {
  /** Milliseconds since 1970; 0 where it does not say. */
  readonly createdAt: number;
  /** Everything that the manifest keeps alive. */
  readonly named: readonly NamedBlob[];
}

/** Throws an Error that says in a few words why this is no record of the key. */
export function decodeRecordManifest(bytes: Uint8Array, key: Key): FoundManifest {
  const {
    config,
    layers,
    annotations: notes,
  } = parse(bytes) as { config?: unknown; layers?: unknown; annotations?: Record<string, unknown> };
  const text = notes?.[annotations.record];
  if (typeof text !== "string") throw new Error("it is no record");
  if (notes?.[annotations.key] !== key) throw new Error("it is the record of another key");
  const blobs = readNamedBlobs(layers);
  const created = Date.parse(String(notes[annotations.created]));
  return {
    bytes: Buffer.from(text, "base64"),
    blobs: blobs.filter(({ digest }) => digest !== nothing.descriptor.digest),
    named: [...readNamedBlobs([config]), ...blobs],
    createdAt: Number.isNaN(created) ? 0 : created,
  };
}

function parse(bytes: Uint8Array): object {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes).toString("utf8"));
  } catch (cause) {
    throw new Error("it is damaged", { cause });
  }
  if (value === null || typeof value !== "object") throw new Error("it is no record");
  return value;
}

/** Stands for the layers of a record that needs none. */
const nothing: EncodedBlob = encodeDocument(mediaTypes.oci.layer.none, {});

function layerOf({ mediaType, digest, size }: Descriptor): Descriptor {
  const compression = /zstd$/.test(mediaType) ? "zstd" : /gzip$/.test(mediaType) ? "gzip" : "none";
  return { mediaType: mediaTypes.oci.layer[compression], digest, size };
}

function encodeConfig(layers: number): EncodedBlob {
  const each = <T>(value: T) => Array.from({ length: layers }, () => value);
  return encodeDocument(mediaTypes.oci.config, {
    architecture: "unknown",
    config: {},
    history: each({ created_by: "slipway cache" }),
    os: "unknown",
    rootfs: { type: "layers", diff_ids: each(digestOf(new Uint8Array())) },
  });
}

function encodeDocument(mediaType: string, value: object): EncodedBlob {
  const bytes = Buffer.from(JSON.stringify(value));
  return { bytes, descriptor: { mediaType, digest: digestOf(bytes), size: bytes.length } };
}
