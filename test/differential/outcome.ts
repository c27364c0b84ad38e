// What a builder made of a program: an image, read from its OCI layout, or a failure.

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";

/** Of a layer; the keys are those of describe.py. */
export type LayerNode = Readonly<Record<string, unknown>> & { readonly p: string; readonly t: string; readonly at?: number | string };

export interface HistoryLine {
  readonly created_by?: string;
  readonly comment?: string;
  readonly author?: string;
  readonly empty_layer?: boolean;
}

export interface BuiltImage {
  readonly fails: false;
  /** Those above the base's. */
  readonly layers: readonly (readonly LayerNode[])[];
  readonly config: Readonly<Record<string, unknown>>;
  readonly history: readonly HistoryLine[];
}

export interface Failed {
  readonly fails: true;
  /** Of the Dockerfile; 0 where the message has none. */
  readonly line: number;
  readonly message: string;
}

export type Outcome = BuiltImage | Failed;

interface ImageConfig {
  readonly config?: Readonly<Record<string, unknown>>;
  readonly created?: string;
  readonly rootfs: { readonly diff_ids: readonly string[] | null };
  /** Null where there is none. */
  readonly history?: readonly (HistoryLine & { readonly created?: string })[] | null;
}

export interface ReadOptions {
  /** Folder for unpacked layers. */
  readonly work: string;
  /** diffIds of the bases, whose layers are not told. */
  readonly known: ReadonlySet<string>;
  /** Times from here on were made by the build, in seconds: they are told as "now". */
  readonly start: number;
}

const jsonOf = (path: string) => JSON.parse(readFileSync(path, "utf8"));

export function readLayout(layout: string, { work, known, start }: ReadOptions): BuiltImage {
  const blob = (digest: string) => join(layout, "blobs", digest.replace(":", "/"));
  const index = jsonOf(join(layout, "index.json"));
  const { layers: listed, config: described } = jsonOf(blob(index.manifests[0].digest));
  const manifest: { readonly digest: string }[] = listed ?? [];
  const { config = {}, rootfs, history: given, created: _, ...top }: ImageConfig = jsonOf(blob(described.digest));
  const [history, diffIds] = [given ?? [], rootfs.diff_ids ?? []];
  const told = history.filter(({ empty_layer }) => empty_layer !== true).length;
  if (told !== diffIds.length || manifest.length !== told)
    throw new Error(`${manifest.length} layers, ${diffIds.length} diffIds, ${told} in the history`);
  const files: string[] = [];
  for (const [at, diffId] of diffIds.entries()) {
    if (known.has(diffId)) continue;
    const plain = gunzipSync(readFileSync(blob(manifest[at]?.digest ?? "")));
    const measured = `sha256:${createHash("sha256").update(plain).digest("hex")}`;
    if (measured !== diffId) throw new Error(`Layer ${at + 1} is ${measured}: its diffId says ${diffId}`);
    const file = join(work, `layer-${at}.tar`);
    writeFileSync(file, plain);
    files.push(file);
  }
  const layers = describeLayers(files).map((nodes) => nodes.map((node) => withoutNow(node, start)));
  const lines = history.map(({ created, ...line }) => line);
  return { fails: false, layers, config: { ...config, ...top }, history: lines };
}

function describeLayers(files: readonly string[]): LayerNode[][] {
  if (files.length === 0) return [];
  const script = fileURLToPath(new URL("describe.py", import.meta.url));
  return JSON.parse(execFileSync("python3", [script, ...files], { encoding: "utf8", maxBuffer: 1 << 28 }));
}

function withoutNow(node: LayerNode, start: number): LayerNode {
  return typeof node.at === "number" && node.at >= start ? { ...node, at: "now" } : node;
}
