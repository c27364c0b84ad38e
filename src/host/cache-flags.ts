// What the flags say about the layer cache.

import { resolve } from "node:path";
import type { CacheRequest, CacheStore, Request } from "../build/build.ts";
import { parseReference, type Reference } from "../image/reference.ts";
import { ciAccessFrom } from "./ci-access.ts";
import { readSecrets } from "./secrets.ts";
import type { Surroundings } from "./surroundings.ts";
import { UsageError } from "./usage.ts";
import { parseDuration, parseSize } from "./value.ts";
import type { Values } from "./values.ts";

const noStore = "slipway explain has no cache to look into: give --cache-store, or --cache with --cache-repo or --destination";

/** undefined where no cache is wanted. Throws a UsageError. */
export function readCache(
  values: Values,
  destinations: readonly Reference[],
  { push, explainOnly }: { readonly push: boolean; readonly explainOnly: boolean },
  surroundings: Surroundings,
): CacheRequest | undefined {
  const named = readNamed(values, readSize(values, "cache-store-limit"), surroundings);
  const isWanted = values.isSet("cache");
  if (!explainOnly && !isWanted && named.length === 0) return undefined;
  const readOnly = values.isSet("no-push-cache");
  const repositoryName = values.text("cache-repo");
  if (isWanted && !push && repositoryName === "" && named.length === 0 && !readOnly && !explainOnly)
    throw new UsageError("if using cache with --no-push, specify cache repo with --cache-repo");
  const repository = isWanted ? readRepositories(repositoryName, named, destinations, surroundings) : [];
  const stores = [...named, ...repository];
  if (explainOnly && stores.length === 0) throw new UsageError(noStore);
  return {
    stores,
    readOnly,
    explainOnly,
    maxAge: readMaxAge(values),
    runLayers: values.isSet("cache-run-layers"),
    copyLayers: values.isSet("cache-copy-layers"),
    mounts: values.isSet("cache-mounts"),
    mountsLimit: readSize(values, "cache-mounts-limit") ?? 0,
    secret: readKeySecret(values.text("cache-key-secret"), surroundings),
    scope: values.text("cache-scope"),
  };
}

/** The usual one only where a cache is wanted, as in kaniko. */
export function readBaseFolder(values: Values, directory: string): Request["baseFolder"] {
  if (!values.isSet("cache") && values.list("cache-dir").length === 0) return undefined;
  return { directory: resolve(directory, values.text("cache-dir")), maxAge: readMaxAge(values) };
}

/** What `slipway prune` is to look after: with a name a repository needs no --cache. */
export function readStores(values: Values, destinations: readonly Reference[], surroundings: Surroundings): readonly CacheStore[] {
  const named = readNamed(values, undefined, surroundings);
  const repositoryName = values.text("cache-repo");
  const isWanted = values.isSet("cache") || repositoryName !== "";
  return [...named, ...(isWanted ? readRepositories(repositoryName, named, destinations, surroundings) : [])];
}

function readNamed(values: Values, maxBytes: number | undefined, surroundings: Surroundings): readonly CacheStore[] {
  return values.list("cache-store").map(({ text }) => readStore(text, maxBytes, surroundings));
}

/** The one that is named; where no store is, the first destination's. */
function readRepositories(
  name: string,
  named: readonly CacheStore[],
  [first]: readonly Reference[],
  { directory }: Surroundings,
): readonly CacheStore[] {
  if (name !== "") return [readRepository(name, directory)];
  return named.length === 0 && first !== undefined ? [besides(first)] : [];
}

/** `ci` is the cache service of the CI; a directory of this name is `./ci`. */
function readStore(text: string, maxBytes: number | undefined, { env, directory }: Surroundings): CacheStore {
  if (text !== "ci") return { kind: "directory", path: resolve(directory, text), maxBytes };
  const access = ciAccessFrom(env);
  if (access === undefined)
    throw new UsageError("--cache-store=ci: there is no cache service here: ACTIONS_RUNTIME_TOKEN and ACTIONS_RESULTS_URL are not set");
  return { kind: "ci", access, maxBytes: maxBytes ?? usualCiBytes };
}

/** A fifth of what GitHub keeps for a repository: there are other caches in it. */
const usualCiBytes = 2e9;

function besides({ registry, repository }: Reference): CacheStore {
  return { kind: "repository", reference: { registry, repository: `${repository}/cache` } };
}

function readRepository(text: string, directory: string): CacheStore {
  const layout = /^oci:(?:\/\/)?(.+)$/s.exec(text)?.[1];
  if (layout !== undefined) return { kind: "layout", path: resolve(directory, layout) };
  try {
    const reference = parseReference(text);
    if (reference.tag === undefined && reference.digest === undefined) return { kind: "repository", reference };
  } catch (cause) {
    throw new UsageError(`invalid argument ${JSON.stringify(text)} for --cache-repo: ${cause instanceof Error ? cause.message : cause}`, {
      cause,
    });
  }
  throw new UsageError(`invalid argument ${JSON.stringify(text)} for --cache-repo: must be a repository without a tag`);
}

/** `--cache-ttl` in seconds. */
export function readMaxAge(values: Values): number {
  return (parseDuration(values.text("cache-ttl")) ?? 0) / 1000;
}

/** Bytes; undefined where the flag is not given. */
export function readSize(values: Values, name: string): number | undefined {
  const text = values.text(name);
  if (text === "") return undefined;
  const size = parseSize(text);
  if (size === undefined) throw new UsageError(`invalid argument ${JSON.stringify(text)} for --${name}: must be a size, as 10GB`);
  return size;
}

function readKeySecret(text: string, surroundings: Surroundings): string | undefined {
  if (text === "") return undefined;
  const bytes = readSecrets([{ text: `id=cache-key,${text}`, source: "--cache-key-secret" }], surroundings).get("cache-key");
  if (bytes === undefined || bytes.length === 0) throw new UsageError(`--cache-key-secret=${text}: it is empty`);
  return Buffer.from(bytes).toString("latin1");
}
