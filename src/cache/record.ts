// What a record says: the layers that a stage has after a step, each with the blobs that hold it.

import { createHmac, timingSafeEqual } from "node:crypto";
import { type Digest, isDigest } from "../image/digest.ts";
import type { Compression } from "../image/image.ts";
import type { Key } from "./store.ts";

const version = 1;

/** One way in which a layer has been compressed. */
export interface Variant {
  /** What compressed it: the same id gives the same bytes. */
  readonly compressor: string;
  readonly compression: Compression;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
}

export interface RecordedLayer {
  readonly diffId: Digest;
  /** At least one. */
  readonly variants: readonly Variant[];
  /** The blob that holds the layer's index. */
  readonly index: { readonly digest: Digest; readonly size: number };
  /** RFC 3339: when the step ran. */
  readonly created: string;
  /** How long it ran. */
  readonly seconds: number;
}

/** What a step came to. */
export interface ChainRecord {
  readonly kind: "chain";
  /** Those that the build has put on the base image, from the bottom; the last one is the step's own. */
  readonly layers: readonly RecordedLayer[];
  /** `full`, or the sandbox whose limits some command ran under. */
  readonly fidelity: string;
}

/** The index of a layer that comes from elsewhere. */
export interface IndexRecord {
  readonly kind: "index";
  readonly diffId: Digest;
  readonly index: { readonly digest: Digest; readonly size: number };
}

/** Any small value. */
export interface NoteRecord {
  readonly kind: "note";
  readonly value: unknown;
}

/** What the last build of a name left: chains for all steps of a stage, of which each step's is a beginning. */
export interface LastRecord {
  readonly kind: "last";
  readonly value: unknown;
  readonly chains: readonly StageRecord[];
}

export interface StageRecord {
  /** Of the stage after each of its steps. */
  readonly keys: readonly Key[];
  readonly layers: readonly RecordedLayer[];
  readonly fidelity: string;
}

export type CacheRecord = ChainRecord | IndexRecord | NoteRecord | LastRecord;

/** JSON that says what it is for; with a secret also who wrote it. */
export function encodeRecord(key: Key, record: CacheRecord, secret: string | undefined): Buffer {
  const body = JSON.stringify({ version, key, ...record });
  return Buffer.from(secret === undefined ? body : `${body}\n${signatureOf(body, secret)}`);
}

/** Throws with what is wrong about it. */
export function decodeRecord(key: Key, bytes: Uint8Array, secret: string | undefined): CacheRecord {
  const [body = "", signature = ""] = Buffer.from(bytes).toString("utf8").split("\n");
  if (secret !== undefined && !isSame(signature, signatureOf(body, secret)))
    throw new Error(signature === "" ? "it is not signed" : "its signature does not fit the secret of --cache-key-secret");
  const value: unknown = JSON.parse(body);
  if (!isObject(value) || value.version !== version) throw new Error("it is of another version");
  if (value.key !== key) throw new Error("it belongs to another key");
  if (value.kind === "note") return { kind: "note", value: value.value };
  if (value.kind === "last" && Array.isArray(value.chains) && value.chains.every(isStage))
    return { kind: "last", value: value.value, chains: value.chains };
  if (value.kind === "index" && isDigestOf(value.diffId) && isBlob(value.index))
    return { kind: "index", diffId: value.diffId, index: value.index };
  if (value.kind === "chain" && typeof value.fidelity === "string" && Array.isArray(value.layers) && value.layers.every(isLayer))
    return { kind: "chain", layers: value.layers, fidelity: value.fidelity };
  throw new Error("it is no record");
}

function signatureOf(body: string, secret: string): string {
  return createHmac("sha256", secret).update(body).digest("hex");
}

function isSame(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function isDigestOf(value: unknown): value is Digest {
  return typeof value === "string" && isDigest(value);
}

function isBlob(value: unknown): value is IndexRecord["index"] {
  return isObject(value) && isDigestOf(value.digest) && Number.isSafeInteger(value.size);
}

function isStage(value: unknown): value is StageRecord {
  if (!isObject(value) || typeof value.fidelity !== "string" || !Array.isArray(value.layers) || !Array.isArray(value.keys)) return false;
  return value.layers.every(isLayer) && value.keys.length <= value.layers.length && value.keys.every((key) => typeof key === "string");
}

function isLayer(value: unknown): value is RecordedLayer {
  if (!isObject(value) || !isDigestOf(value.diffId) || !isBlob(value.index)) return false;
  const { variants, created, seconds } = value;
  const isTimed = typeof created === "string" && !Number.isNaN(Date.parse(created)) && typeof seconds === "number";
  return isTimed && Array.isArray(variants) && variants.length > 0 && variants.every(isVariant);
}

function isVariant(value: unknown): value is Variant {
  const isKnown = isObject(value) && typeof value.compressor === "string";
  return isKnown && (value.compression === "gzip" || value.compression === "zstd") && isBlob(value);
}
