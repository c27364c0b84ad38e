// The values of --output, as `docker buildx build` takes them: a line of CSV that says what to write and where.

import { type GivenAnnotation, readAnnotationField } from "./annotation-flag.ts";
import { UsageError } from "./usage.ts";
import { parseBoolean, splitFields } from "./value.ts";
import type { Value } from "./values.ts";

/** What the --output flags of a build ask for together; later ones win where only one can be. */
export interface OutputChoice {
  /** Names of `type=image`, to be pushed. */
  readonly pushed: readonly string[];
  /** Names of `type=image` without push: names in tars and layouts. */
  readonly named: readonly string[];
  readonly files: { readonly [key in "tarPath" | "ociTarPath" | "ociLayoutPath" | "rootTarPath" | "rootPath"]?: string };
  readonly annotations: readonly GivenAnnotation[];
  readonly rewriteTimestamp?: boolean;
  readonly ociTypes?: boolean;
  readonly compression?: string;
  readonly compressionLevel?: string;
}

type Draft = { -readonly [key in keyof OutputChoice]: OutputChoice[key] } & {
  pushed: string[];
  named: string[];
  annotations: GivenAnnotation[];
};

const types = ["image", "registry", "oci", "docker", "local", "tar"];

/** Throws a UsageError that quotes the value. */
export function readOutputFlags(given: readonly Value[]): OutputChoice {
  const choice: Draft = { pushed: [], named: [], files: {}, annotations: [] };
  for (const value of given) readOne(value, choice);
  return choice;
}

function readOne(given: Value, choice: Draft): void {
  const { text, source } = given;
  const fail = (why: string) => new UsageError(`invalid argument ${JSON.stringify(text)} for ${source}: ${why}`);
  const fields = text.includes("=") ? splitFields(text) : [["type", "local"] as const, ["dest", text] as const];
  if (fields === undefined) throw fail("must be type=NAME,KEY=VALUE");
  const values = new Map(fields);
  const type = values.get("type") ?? "";
  if (!types.includes(type)) throw fail(`type must be one of ${types.join(", ")}`);
  const dest = values.get("dest");
  const isSet = (key: string, fallback: boolean) => (values.has(key) ? parseBoolean(values.get(key) ?? "") === true : fallback);
  const isImage = type === "image" || type === "registry";
  if (dest === "-") throw fail("writing to standard output is not supported; give a file");
  if (!isImage && !dest) throw fail("dest is missing");
  const names = (values.get("name") ?? "").split(",").filter((name) => name !== "");
  if (isImage && isSet("push", type === "registry")) {
    if (names.length === 0) throw fail("name is missing");
    choice.pushed.push(...names);
  } else choice.named.push(...names);
  if (dest !== undefined && !isImage) choice.files = { ...choice.files, [fileOf(type, isSet("tar", true))]: dest };
  for (const [key, value] of fields) {
    const annotation = readAnnotationField(key, value, given);
    if (annotation === undefined) readOption(key, value, type, choice, fail);
    else choice.annotations.push(annotation);
  }
}

function fileOf(type: string, isTar: boolean): keyof OutputChoice["files"] {
  if (type === "docker") return "tarPath";
  if (type === "oci") return isTar ? "ociTarPath" : "ociLayoutPath";
  return type === "tar" ? "rootTarPath" : "rootPath";
}

function readOption(key: string, value: string, type: string, choice: Draft, fail: (why: string) => UsageError): void {
  if (key === "rewrite-timestamp") choice.rewriteTimestamp = parseBoolean(value) === true;
  else if (key === "oci-mediatypes") choice.ociTypes = parseBoolean(value) === true;
  else if (key === "compression" && (value === "gzip" || value === "zstd")) choice.compression = value;
  else if (key === "compression") throw fail(`compression "${value}" is not yet supported; use gzip or zstd`);
  else if (key === "compression-level") choice.compressionLevel = value;
  else if (key === "tar" && (type === "oci" || type === "docker")) {
    if (type === "docker" && parseBoolean(value) !== true) throw fail("type=docker is always a tar");
  } else if (!["type", "dest", "name", "push"].includes(key)) throw fail(`"${key}" is not yet supported`);
}
