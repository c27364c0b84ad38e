// The command `slipway prune`: from its flags to a request, and from what became of each store to lines.

import { resolve } from "node:path";
import type { Pruned, PruneRequest } from "../build/build.ts";
import { neutralizeLine } from "../report/neutral.ts";
import { formatSize } from "../report/quantity.ts";
import { readSize, readStores } from "./cache-flags.ts";
import { checkSupport, type ParsedFlags, refusePositional } from "./parse-flags.ts";
import { readRegistryOptions } from "./registry-options.ts";
import { readDestination } from "./request.ts";
import type { Surroundings } from "./surroundings.ts";
import { UsageError } from "./usage.ts";
import { parseDuration } from "./value.ts";
import { valuesOf } from "./values.ts";

const taken = ["cache", "cache-repo", "cache-store", "cache-scope", "destination", "unused-for", "max-size", "dry-run", "state-dir"];

/** Throws a UsageError where no store or no limit is given, and for flags that say nothing here. */
export function readPruneRequest(parsed: ParsedFlags, surroundings: Surroundings): PruneRequest {
  const { given } = parsed;
  refusePositional(parsed);
  const foreign = given.find(({ flag }) => !taken.includes(flag.name) && flag.group !== "Registries and TLS" && flag.group !== "Log");
  if (foreign !== undefined) throw new UsageError(`flag ${foreign.spelling} has no meaning for slipway prune`);
  checkSupport(given);
  const values = valuesOf(given);
  const stores = readStores(values, values.list("destination").map(readDestination), surroundings);
  const stateDir = values.text("state-dir");
  if (stores.length === 0 && stateDir === "") throw new UsageError("name what to prune with --cache-repo or --cache-store, or --state-dir");
  const duration = values.text("unused-for");
  const unusedFor = duration === "" ? undefined : (parseDuration(duration) ?? 0) / 1000;
  if (unusedFor !== undefined && unusedFor < 0)
    throw new UsageError(`invalid argument ${JSON.stringify(duration)} for --unused-for: must be 0 or more`);
  const maxBytes = readSize(values, "max-size");
  if (unusedFor === undefined && maxBytes === undefined)
    throw new UsageError("say what is to go with --unused-for=DURATION, --max-size=SIZE or both; --max-size=0 removes everything");
  return {
    stores,
    stateDir: stateDir === "" ? undefined : resolve(surroundings.directory, stateDir),
    scope: values.text("cache-scope"),
    limits: {
      ...(unusedFor === undefined ? {} : { unusedFor }),
      ...(maxBytes === undefined ? {} : { maxBytes }),
      dryRun: values.isSet("dry-run"),
    },
    registry: readRegistryOptions(values, surroundings),
  };
}

/** A line for each store, and for the caches, that could be pruned. */
export function showPruned(pruned: readonly Pruned[], dryRun: boolean): string {
  const [removed, freed] = dryRun ? ["would remove", "would free"] : ["removed", "freed"];
  return pruned
    .flatMap(({ store, outcome }) => {
      if (outcome instanceof Error) return [];
      if ("removedCaches" in outcome) {
        const { removedCaches, freedBytes, keptCaches, keptBytes } = outcome;
        const stay = `${count(keptCaches, "cache")} with ${formatSize(keptBytes)} ${keptCaches === 1 ? "stays" : "stay"}`;
        return [`${store}: ${removed} ${count(removedCaches, "cache")}, ${freed} ${formatSize(freedBytes)}; ${stay}`];
      }
      const { removedRecords, removedBlobs, freedBytes, keptRecords, keptBytes } = outcome;
      const gone = `${removed} ${count(removedRecords, "record")} and ${count(removedBlobs.length, "blob")}, ${freed} ${formatSize(freedBytes)}`;
      return [`${store}: ${gone}; ${count(keptRecords, "record")} with ${formatSize(keptBytes)} ${keptRecords === 1 ? "stays" : "stay"}`];
    })
    .map((line) => `${neutralizeLine(line, false)}\n`)
    .join("");
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}
