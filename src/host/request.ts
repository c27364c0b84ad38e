// Turns flags and environment into the Request that the core builds.

import { join, resolve } from "node:path";
import type { Request } from "../build/build.ts";
import { formatPlatform, hostPlatform, type Platform, parsePlatform } from "../image/platform.ts";
import { parseReference, type Reference, withDefaultTag } from "../image/reference.ts";
import type { SandboxChoice } from "../sandbox/sandbox.ts";
import { listLostAnnotations, placeAnnotations, readAnnotation } from "./annotation-flag.ts";
import { readBaseFolder, readCache } from "./cache-flags.ts";
import { readBuildContexts, readContext } from "./context-flag.ts";
import { listNotices, parseVariable } from "./environment.ts";
import { readGitOptions } from "./git.ts";
import { readOutputFlags } from "./output-flag.ts";
import { checkSupport, type GivenFlag } from "./parse-flags.ts";
import { readRegistryOptions } from "./registry-options.ts";
import { readAgents, readSecrets } from "./secrets.ts";
import type { Environment, Surroundings } from "./surroundings.ts";
import { UsageError } from "./usage.ts";
import { parseBoolean, parseInteger, parsePair } from "./value.ts";
import { type Value, type Values, valuesOf } from "./values.ts";

/** Throws a UsageError for what cannot be; makes the private state directory, as the last thing, where none was given. */
export function readRequest(
  given: readonly GivenFlag[],
  surroundings: Surroundings,
  command: "build" | "check" | "explain" = "build",
): Request {
  const { env, directory } = surroundings;
  const notices = [...checkSupport(given), ...listNotices(env)];
  const values = valuesOf(given);
  const [checkOnly, explainOnly] = [command === "check", command === "explain"];
  const push = !(parseVariable(env, "KANIKO_NO_PUSH") ?? values.isSet("no-push"));
  const choice = readOutputFlags(values.list("output"));
  const named = (names: readonly string[]) => names.map((text) => readDestination({ text, source: "--output" }));
  const flagged = [...values.list("destination").map(readDestination), ...named(choice.pushed)];
  const destinations = [...flagged, ...(flagged.length === 0 ? named(choice.named) : [])];
  const outputs = { ...readOutputs(values, directory), ...mapValues(choice.files, (file) => resolve(directory, file)) };
  const isElsewhere = values.list("output").length > 0 && flagged.length === 0;
  const dryRun = values.isSet("dryrun");
  if (dryRun && explainOnly) throw new UsageError("flag --dryrun has no meaning for slipway explain, which builds nothing");
  if (push && destinations.length === 0 && !dryRun && !checkOnly && !explainOnly && !isElsewhere)
    throw new UsageError("you must provide --destination, or use --no-push");
  if (destinations.length === 0 && outputs.imageNameWithDigestFile !== undefined)
    throw new UsageError("you must provide --destination if setting ImageNameDigestFile");
  if (destinations.length === 0 && outputs.imageNameTagWithDigestFile !== undefined)
    throw new UsageError("you must provide --destination if setting ImageNameTagDigestFile");
  const compression = (choice.compression ?? values.text("compression")) === "zstd" ? "zstd" : "gzip";
  const imageFormat = choice.ociTypes ? "oci" : values.text("image-format");
  if (imageFormat === "docker" && compression === "zstd")
    throw new UsageError("--image-format=docker cannot be used with --compression=zstd");
  if (imageFormat === "oci" && outputs.tarPath !== undefined)
    throw new UsageError("--image-format=oci cannot be used with --tar-path: its tar is for docker load");
  if (compression === "zstd" && outputs.tarPath !== undefined)
    throw new UsageError("--tar-path cannot be used with --compression=zstd: docker load takes gzip layers");
  const platforms = readPlatforms(values);
  const givenAnnotations = [...values.list("annotation").flatMap(readAnnotation), ...choice.annotations];
  const annotations = placeAnnotations(givenAnnotations, platforms, imageFormat === "docker");
  const { context, notices: contextNotices } = readContext(values.text("context"), surroundings);
  const { git, notices: gitNotices } = readGitOptions(values.list("git"), env, context);
  const request = {
    context,
    git,
    contextSubPath: values.text("context-sub-path"),
    dockerfile: values.text("dockerfile"),
    workingDirectory: directory,
    buildArgs: readBuildArgs(values.list("build-arg"), env),
    buildContexts: readBuildContexts(values.list("build-context"), directory),
    labels: new Map(values.list("label").map(({ text, source }) => parsePair(text, source))),
    targets: readTargets(values),
    secrets: readSecrets(values.list("secret"), surroundings),
    ssh: readAgents(values.list("ssh"), surroundings),
    ...readRights(values),
    platforms,
    uncached: readUncached(values),
    destinations,
    push: push && flagged.length > 0 && !explainOnly,
    checkPushPermission: !values.isSet("skip-push-permission-check"),
    outputs,
    registry: readRegistryOptions(values, surroundings),
    reproducible: values.isSet("reproducible"),
    ignoredPaths: values.list("ignore-path").map(({ text }) => text),
    rewriteTimestamp: choice.rewriteTimestamp ?? values.isSet("rewrite-timestamp"),
    annotations,
    imageFormat: imageFormat === "docker" || imageFormat === "oci" ? imageFormat : undefined,
    compression,
    compressionLevel: readLevel(choice.compressionLevel ?? values.text("compression-level"), compression === "zstd" ? 22 : 9),
    sandbox: values.text("sandbox") as SandboxChoice,
    sudo: readSudo(values, surroundings),
    baseFolder: readBaseFolder(values, directory),
    cache: readCache(values, flagged, { push: push && flagged.length > 0, explainOnly }, surroundings),
    checkOnly,
    dryRun,
    notices: [...notices, ...contextNotices, ...gitNotices, ...listLostAnnotations(annotations, platforms.length > 1, outputs)],
  } as const;
  return { ...request, ...readStateDir(values, surroundings) };
}

function mapValues<K extends string>(values: { readonly [key in K]?: string }, change: (value: string) => string): { [key in K]?: string } {
  return Object.fromEntries(
    Object.entries<string | undefined>(values).map(([key, value]) => [key, value === undefined ? value : change(value)]),
  ) as { [key in K]?: string };
}

/** A name alone takes the value of the environment variable, and without one counts as not given. */
export function readBuildArgs(given: readonly Value[], env: Environment): Map<string, string> {
  const args = new Map<string, string>();
  for (const { text, source } of given) {
    if (text.includes("=")) {
      const [name, value] = parsePair(text, source);
      args.set(name, value);
    } else {
      const value = text === "" ? undefined : env[text];
      if (value !== undefined) args.set(text, value);
    }
  }
  return args;
}

/** Whether sudo may be asked. */
export function readSudo(values: Values, { env }: Surroundings): boolean {
  const text = values.text("no-sudo") || env.SLIPWAY_NO_SUDO || "false";
  const isRefused = parseBoolean(text);
  if (isRefused === undefined) throw new UsageError(`invalid value ${JSON.stringify(text)} of SLIPWAY_NO_SUDO: must be true or false`);
  return !isRefused;
}

function readRights(values: Values): Pick<Request, "network" | "allowed"> {
  const allowed = values.list("allow").flatMap(({ text }) => text.split(","));
  const unknown = allowed.find((name) => name !== "network.host");
  if (unknown !== undefined)
    throw new UsageError(`invalid argument ${JSON.stringify(unknown)} for --allow: must be network.host; no sandbox can give more`);
  const network = values.text("network") as Request["network"];
  if (network === "host" && !allowed.includes("network.host")) throw new UsageError("--network=host needs --allow=network.host");
  return { network, allowed };
}

/** Both lists and repeated flags; the two exclude each other, as in docker buildx. */
function readUncached(values: Values): Request["uncached"] {
  const all = values.isSet("no-cache");
  const stages = values.list("no-cache-filter").flatMap(({ text }) => text.split(",").filter((name) => name !== ""));
  if (all && stages.length > 0) throw new UsageError("--no-cache and --no-cache-filter cannot be used together");
  return { all, stages };
}

/** kaniko takes lists; the first target is the image. */
function readTargets(values: Values): readonly string[] {
  const names = values.list("target").flatMap(({ text }) => text.split(","));
  return [...new Set(names.filter((name) => name !== ""))];
}

/** Both flags take lists; a platform that is named twice counts once. */
function readPlatforms(values: Values): Request["platforms"] {
  const platforms = new Map<string, Platform>();
  for (const { text, source } of [...values.list("platform"), ...values.list("custom-platform")])
    for (const name of text.split(",").filter((part) => part !== "")) {
      const platform = readPlatform({ text: name, source });
      platforms.set(formatPlatform(platform), platform);
    }
  return platforms.size === 0 ? [hostPlatform()] : [...platforms.values()];
}

/** Throws a UsageError. */
export function readPlatform({ text, source }: Value): Platform {
  try {
    return parsePlatform(text);
  } catch (cause) {
    throw new UsageError(`invalid argument ${JSON.stringify(text)} for ${source}: must be os/architecture[/variant]`, { cause });
  }
}

/** Throws a UsageError. */
export function readImage({ text, source }: Value): Reference {
  try {
    return parseReference(text);
  } catch (cause) {
    throw new UsageError(`${source}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

/** Throws a UsageError; gives the tag `latest` where there is none. */
export function readDestination({ text, source }: Value): Reference {
  const reference = readImage({ text, source });
  if (reference.digest !== undefined)
    throw new UsageError(`invalid argument ${JSON.stringify(text)} for ${source}: must be a tag, for the digest is known after the build`);
  return withDefaultTag(reference);
}

/** The files that flags of their own name, absolute. */
export function readOutputs(values: Values, directory: string): Request["outputs"] {
  const file = (name: string) => (values.text(name) === "" ? undefined : resolve(directory, values.text(name)));
  const target = (name: string) => (/^https:\/\//i.test(values.text(name)) ? values.text(name) : file(name));
  const outputs = {
    tarPath: file("tar-path"),
    ociLayoutPath: file("oci-layout-path"),
    digestFile: target("digest-file"),
    imageNameWithDigestFile: target("image-name-with-digest-file"),
    imageNameTagWithDigestFile: target("image-name-tag-with-digest-file"),
  };
  return Object.fromEntries(Object.entries(outputs).filter(([, path]) => path !== undefined));
}

function readLevel(text: string, most: number): number | undefined {
  const level = parseInteger(text) ?? -1;
  if (level === 0 || level === -1) return undefined;
  if (level < 0 || level > most)
    throw new UsageError(`invalid argument ${JSON.stringify(text)} for --compression-level: must be 1 to ${most}, or -1 for the usual one`);
  return level;
}

/** Given, or a new one of this process alone. */
export function readStateDir(
  values: Values,
  { env, directory, fileExists, makeDirectory }: Surroundings,
): Pick<Request, "stateDir" | "stateIsPrivate"> {
  const given = values.text("state-dir") || env.SLIPWAY_HOME;
  if (given) return { stateDir: resolve(directory, given), stateIsPrivate: false };
  // The executor image has no /tmp unless something is mounted there, which then is the better place, or a RUN is or was in its root.
  const usual = fileExists("/kaniko") && (!fileExists("/tmp") || fileExists("/kaniko/in-place/journal")) ? "/kaniko" : "/tmp";
  const parent = resolve(directory, values.text("kaniko-dir") || env.KANIKO_DIR || env.TMPDIR || usual);
  try {
    return { stateDir: makeDirectory(join(parent, "slipway-")), stateIsPrivate: true };
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new UsageError(`Cannot make a state directory in ${JSON.stringify(parent)}: ${why}; give another with --state-dir`, { cause });
  }
}
