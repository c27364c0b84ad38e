// The command `slipway doctor`: what of this machine and its environment a build would use, as lines or as JSON.

import { release } from "node:os";
import type { CacheStore, Diagnosis } from "../build/build.ts";
import { formatReference } from "../image/reference.ts";
import type { DockerConfigSource } from "../registry/registry.ts";
import { neutralizeLine } from "../report/neutral.ts";
import { formatSize } from "../report/quantity.ts";
import { readStores } from "./cache-flags.ts";
import { printJson } from "./check.ts";
import { ciAccessFrom } from "./ci-access.ts";
import { checkSupport, type ParsedFlags, refusePositional } from "./parse-flags.ts";
import { readDestination } from "./request.ts";
import type { Surroundings } from "./surroundings.ts";
import { UsageError } from "./usage.ts";
import { valuesOf } from "./values.ts";
import { version } from "./version.ts";

const taken = ["state-dir", "no-sudo", "kaniko-dir", "format", "cache", "cache-repo", "cache-store", "destination"];

/** Throws a UsageError for flags that say nothing here. */
export function checkDoctorFlags(parsed: ParsedFlags): void {
  const { given } = parsed;
  refusePositional(parsed);
  const foreign = given.find(({ flag }) => !taken.includes(flag.name) && flag.group !== "Registries and TLS" && flag.group !== "Log");
  if (foreign !== undefined) throw new UsageError(`flag ${foreign.spelling} has no meaning for slipway doctor`);
  checkSupport(given);
  if (valuesOf(given).text("format") === "sarif")
    throw new UsageError("--format=sarif is of slipway check alone: doctor has text and json");
}

/** Names alone: nothing of what is found is a secret. */
export interface Findings {
  readonly stateDir: string;
  readonly stateIsPrivate: boolean;
  readonly credentials: readonly Credentials[];
  readonly cacheStores: readonly string[];
}

interface Credentials {
  /** The file, or the variable. */
  readonly source: string;
  readonly registries: readonly string[];
  /** Programs that are asked, with the registries they are asked for. */
  readonly helpers: readonly string[];
  readonly problem?: string;
}

/** Looks for what is not the machine's but the job's. */
export function findForDoctor(
  { given }: ParsedFlags,
  place: { readonly stateDir: string; readonly stateIsPrivate: boolean },
  source: DockerConfigSource,
  surroundings: Surroundings,
): Findings {
  const values = valuesOf(given);
  const stores = readStores(values, values.list("destination").map(readDestination), surroundings).map(nameStore);
  const hasCi = ciAccessFrom(surroundings.env) !== undefined && !stores.includes(ciName);
  const cacheStores = hasCi ? [...stores, `${ciName}, with --cache-store=ci`] : stores;
  const texts: readonly (readonly [string, string | undefined])[] = [
    ["DOCKER_AUTH_CONFIG", source.json],
    ...(source.file === undefined ? [] : [[source.file, surroundings.readFile(source.file) ?? ""] as const]),
  ];
  const credentials = texts.flatMap(([name, text]) => (text === undefined ? [] : [readCredentials(name, text)]));
  return { ...place, credentials, cacheStores };
}

const ciName = "the CI's cache service";

function nameStore(store: CacheStore): string {
  if (store.kind === "repository") return formatReference(store.reference);
  return store.kind === "ci" ? ciName : store.path;
}

function readCredentials(source: string, text: string): Credentials {
  try {
    const config: unknown = JSON.parse(text);
    const { auths, credHelpers, credsStore } = (config ?? {}) as Readonly<Record<string, unknown>>;
    const perRegistry = Object.entries(recordOf(credHelpers)).map(([registry, name]) => `docker-credential-${name} for ${registry}`);
    const helpers = [...perRegistry, ...(typeof credsStore === "string" && credsStore ? [`docker-credential-${credsStore}`] : [])];
    return { source, registries: Object.keys(recordOf(auths)), helpers };
  } catch {
    return { source, registries: [], helpers: [], problem: "it is not JSON" };
  }
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}

/** Ends in a line feed. Any format but json is text. */
export function showDiagnosis(diagnosis: Diagnosis, findings: Findings, format: string): string {
  const machine = {
    ...{ version, node: process.version, platform: `${process.platform}/${process.arch}`, kernel: release() },
    ...(process.geteuid === undefined ? {} : { uid: process.geteuid() }),
  };
  if (format === "json") return printJson({ ...machine, ...findings, ...diagnosis, chosen: chosenOf(diagnosis) ?? null });
  const { helper, fileSystem, freeBytes } = diagnosis;
  const kept = findings.stateIsPrivate ? "private, goes with the build" : "kept";
  return [
    `slipway ${version}, Node ${machine.node}, ${machine.platform}, kernel ${machine.kernel}, uid ${machine.uid}`,
    `helper: ${"path" in helper ? `${helper.path}, verified` : helper.problem}`,
    `state directory: ${findings.stateDir} (${kept}), ${fileSystem}, ${formatSize(freeBytes)} free`,
    "sandboxes, from the strongest to the weakest:",
    ...diagnosis.sandboxes.flatMap(showSandbox),
    `RUN: ${explainChoice(diagnosis)}`,
    `credentials: ${findings.credentials.length === 0 ? "none found" : findings.credentials.map(showCredentials).join("; ")}`,
    `cache stores: ${findings.cacheStores.length === 0 ? "none named, none offered by a CI" : findings.cacheStores.join("; ")}`,
  ]
    .map((line) => `${neutralizeLine(line, false)}\n`)
    .join("");
}

const nameWidth = 14;

function showSandbox({ name, works, why, message, change }: Diagnosis["sandboxes"][number]): string[] {
  const indent = " ".repeat(nameWidth);
  return [
    `  ${name.padEnd(nameWidth)}${works ? "works" : "does not work"}: ${why}`,
    ...(message === undefined ? [] : [`  ${indent}${message}`]),
    ...(change === undefined ? [] : [`  ${indent}${works ? "" : "what would help: "}${change}`]),
  ];
}

export function chosenOf({ sandboxes }: Diagnosis): string | undefined {
  return sandboxes.find(({ works }) => works)?.name;
}

function explainChoice(diagnosis: Diagnosis): string {
  const chosen = chosenOf(diagnosis);
  return chosen === undefined ? "cannot be run here; builds without RUN work" : `runs in ${chosen}`;
}

function showCredentials({ source, registries, helpers, problem }: Credentials): string {
  const found = [...registries, ...helpers];
  return `${source}: ${problem ?? (found.length === 0 ? "none" : found.join(", "))}`;
}
