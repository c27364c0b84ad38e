// Annotations as `docker buildx build` spells them: --annotation=[LEVEL[,...]:]KEY=VALUE and `annotation[-LEVEL].KEY=VALUE` in --output.

import { type Annotation, annotationLevels } from "../image/annotation.ts";
import { formatPlatform, type Platform, parsePlatform } from "../image/platform.ts";
import type { FileOutputs } from "../output/output.ts";
import { UsageError } from "./usage.ts";
import type { Value } from "./values.ts";

/** An annotation and the value it was read from, for errors; no level where none was written. */
export type GivenAnnotation = Omit<Annotation, "level"> & { readonly level?: Annotation["level"]; readonly given: Value };

const levelPattern = /^([a-z-]+)(?:\[([^\]]*)\])?$/;

/** One for each level that the value names. Throws a UsageError that quotes the value. */
export function readAnnotation(given: Value): GivenAnnotation[] {
  const equals = given.text.indexOf("=");
  const [name, value] = [given.text.slice(0, equals), given.text.slice(equals + 1)];
  const colon = name.indexOf(":");
  const key = name.slice(colon + 1);
  if (equals < 0 || !/^\S+$/.test(key)) throw fail(given, "must be [LEVEL:]KEY=VALUE");
  if (colon < 0) return [{ key, value, given }];
  return name
    .slice(0, colon)
    .split(",")
    .map((part) => {
      const [, level, platform] = levelPattern.exec(part) ?? [];
      return { ...readPlace(level ?? part, platform, given), key, value, given };
    });
}

/** A field of --output; undefined where it is none of an annotation. Throws a UsageError. */
export function readAnnotationField(name: string, value: string, given: Value): GivenAnnotation | undefined {
  if (!/^annotation[-.[]/.test(name)) return undefined;
  const [, level, platform, key] = /^annotation(?:-([a-z-]+))?(?:\[([^\]]*)\])?\.(\S+)$/.exec(name) ?? [];
  if (key === undefined) throw fail(given, `"${name}" must be annotation[-LEVEL].KEY`);
  return { ...readPlace(level ?? "manifest", platform, given), key, value, given };
}

function readPlace(name: string, platform: string | undefined, given: Value): Pick<Annotation, "level" | "platform"> {
  const level = annotationLevels.find((one) => one === name);
  if (level === undefined) throw fail(given, `unknown level "${name}"; it must be one of ${annotationLevels.join(", ")}`);
  if (platform === undefined) return { level };
  if (level.startsWith("index")) throw fail(given, `${level} is of all platforms; only manifests are of one`);
  try {
    return { level, platform: parsePlatform(platform) };
  } catch (cause) {
    throw fail(given, `invalid platform "${platform}": it must be os/architecture[/variant]`, cause);
  }
}

/** Those of a build for `platforms`: a place that its image does not have is refused. Throws a UsageError. */
export function placeAnnotations(all: readonly GivenAnnotation[], platforms: readonly Platform[], isDocker: boolean): Annotation[] {
  const built = platforms.map(formatPlatform);
  return all.map(({ given, level = "manifest", ...rest }) => {
    if (level.startsWith("index") && built.length === 1)
      throw fail(given, "index annotations are not supported for a single platform, whose image has no index; annotate its manifest");
    if (isDocker && level !== "manifest")
      throw fail(given, "cannot be used with --image-format=docker; only OCI's indexes have annotations");
    if (rest.platform !== undefined && !built.includes(formatPlatform(rest.platform)))
      throw fail(given, `no platform ${formatPlatform(rest.platform)} is built, only ${built.join(", ")}`);
    return { level, ...rest };
  });
}

/** A notice for each that nothing written will show. */
export function listLostAnnotations(all: readonly Annotation[], isIndex: boolean, outputs: FileOutputs): string[] {
  if (outputs.ociLayoutPath !== undefined || outputs.ociTarPath !== undefined) return [];
  const lost = all.filter(({ level }) => level === "index-descriptor" || (level === "manifest-descriptor" && !isIndex));
  return lost.map(({ level, key }) => `The annotation ${level}:${key} has no effect: nothing describes the image but an OCI layout`);
}

/** Those of an index of images that exist already: bare ones are the index's. Throws a UsageError. */
export function placeMergeAnnotations(all: readonly GivenAnnotation[]): Annotation[] {
  return all.map(({ given, level = "index", ...rest }) => {
    if (level === "manifest")
      throw fail(given, "the images keep their digests; write manifest-descriptor, or annotate them when they are built");
    if (level === "index-descriptor") throw fail(given, "nothing in a registry describes an index");
    return { level, ...rest };
  });
}

function fail({ text, source }: Value, why: string, cause?: unknown): UsageError {
  return new UsageError(`invalid argument ${JSON.stringify(text)} for ${source}: ${why}`, { cause });
}
