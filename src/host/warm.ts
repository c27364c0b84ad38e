// The command `slipway warm`, which is kaniko's warmer: its flags, the request that they make, and what became of each image as lines.

import { resolve } from "node:path";
import type { Warmed, WarmRequest } from "../build/build.ts";
import { hostPlatform } from "../image/platform.ts";
import { neutralizeLine } from "../report/neutral.ts";
import { readMaxAge } from "./cache-flags.ts";
import { type Flag, flags } from "./flags.ts";
import { checkSupport, type ParsedFlags, refusePositional } from "./parse-flags.ts";
import { readRegistryOptions } from "./registry-options.ts";
import { readBuildArgs, readImage, readPlatform } from "./request.ts";
import type { Surroundings } from "./surroundings.ts";
import { UsageError } from "./usage.ts";
import { valuesOf } from "./values.ts";

const shared = [
  "build-arg",
  "custom-platform",
  "insecure-pull",
  "insecure-registry",
  "skip-tls-verify-pull",
  "skip-tls-verify-registry",
  "registry-certificate",
  "registry-client-cert",
  "registry-mirror",
  "registry-map",
  "skip-default-registry-fallback",
  "image-download-retry",
  "verbosity",
  "log-format",
  "log-timestamp",
];

/** The short names are the warmer's, and not those of `slipway build`. */
export const warmFlags: readonly Flag[] = [
  {
    name: "image",
    short: "i",
    type: "multi",
    value: "IMAGE",
    help: "image to put into --cache-dir; may be repeated",
    group: "Inputs",
    status: "works",
  },
  {
    name: "dockerfile",
    short: "d",
    type: "string",
    value: "PATH",
    help: "Dockerfile whose FROM lines name further images, or its https:// URL",
    group: "Inputs",
    status: "works",
  },
  {
    name: "cache-dir",
    short: "c",
    type: "string",
    value: "PATH",
    default: "/cache",
    help: "directory for the images, made where it is missing",
    group: "Cache",
    status: "works",
  },
  { name: "force", short: "f", type: "boolean", help: "pull also what is there already", group: "Cache", status: "works" },
  {
    name: "cache-ttl",
    type: "duration",
    value: "DURATION",
    default: "336h",
    help: "how long an image that is there counts",
    group: "Cache",
    status: "works",
  },
  ...flags.filter(({ name }) => shared.includes(name)),
];

/** Throws a UsageError where no image is named. Gives notices for deprecated spellings besides. */
export function readWarmRequest(
  parsed: ParsedFlags,
  surroundings: Surroundings,
): { readonly request: WarmRequest; readonly notices: readonly string[] } {
  refusePositional(parsed);
  const notices = checkSupport(parsed.given);
  const values = valuesOf(parsed.given, warmFlags);
  const images = values.list("image").map(readImage);
  const dockerfile = values.text("dockerfile");
  const platform = values.text("custom-platform");
  if (images.length === 0 && dockerfile === "") throw new UsageError("name what to warm with --image or --dockerfile");
  const request = {
    images,
    dockerfile: dockerfile === "" ? undefined : dockerfile,
    workingDirectory: surroundings.directory,
    buildArgs: readBuildArgs(values.list("build-arg"), surroundings.env),
    platform: platform === "" ? hostPlatform() : readPlatform({ text: platform, source: "--custom-platform" }),
    directory: resolve(surroundings.directory, values.text("cache-dir")),
    maxAge: readMaxAge(values),
    force: values.isSet("force"),
    registry: readRegistryOptions(values, surroundings),
  };
  return { request, notices };
}

/** A line for each image that is there now. */
export function showWarmed(warmed: readonly Warmed[]): string {
  return warmed
    .flatMap(({ image, outcome }) => {
      if (outcome instanceof Error) return [];
      return [`${image}: ${outcome.digest} ${outcome.isNew ? "was put there" : "is there already"}`];
    })
    .map((line) => `${neutralizeLine(line, false)}\n`)
    .join("");
}
