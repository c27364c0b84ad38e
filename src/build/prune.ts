// Makes stores of cached layers and the caches of a state directory smaller, each on its own.

import type { PruneLimits, PruneResult } from "../cache/cache.ts";
import { openHelper } from "../helper/helper.ts";
import { openRegistry, type RegistryOptions } from "../registry/registry.ts";
import { type PrunedCaches, pruneCaches } from "../sandbox/sandbox.ts";
import { openStore } from "./build-cache.ts";
import { BuildFailure, hintOf } from "./failure.ts";
import type { CacheStore } from "./request.ts";
import type { BuildTools } from "./result.ts";

export interface PruneRequest {
  readonly stores: readonly CacheStore[];
  /** Whose caches of RUN are pruned as well; absolute. */
  readonly stateDir: string | undefined;
  /** Of the CI's cache service, the part that is pruned. */
  readonly scope: string;
  readonly limits: PruneLimits;
  readonly registry: RegistryOptions;
}

/** What became of one store; where it failed, what is gone is not known. */
export interface Pruned {
  /** As messages call it. */
  readonly store: string;
  readonly outcome: PruneResult | PrunedCaches | BuildFailure;
}

/** Removes what the limits say from every store, in their order; the failure of one does not stop the others. */
export async function prune(request: PruneRequest, tools: BuildTools): Promise<readonly Pruned[]> {
  const registry = openRegistry(request.registry, tools);
  try {
    const pruned: Pruned[] = [];
    const attempt = <T>(work: Promise<T>) =>
      work.catch((error: unknown) => {
        tools.signal.throwIfAborted();
        if (!(error instanceof Error)) throw error;
        return new BuildFailure(error.message, { phase: "pruning cache", hint: hintOf(error), cause: error });
      });
    for (const one of request.stores) {
      const store = openStore(one, request.scope, { ...tools, registry });
      pruned.push({ store: store.name, outcome: await attempt(store.prune(request.limits, tools.signal)) });
    }
    const { stateDir } = request;
    if (stateDir !== undefined)
      pruned.push({ store: `caches in ${stateDir}`, outcome: await attempt(pruneState(stateDir, request, tools)) });
    return pruned;
  } finally {
    await registry.close();
  }
}

async function pruneState(stateDir: string, { limits }: PruneRequest, { signal }: BuildTools): Promise<PrunedCaches> {
  const helper = await openHelper();
  if (helper === undefined) throw new Error(`Cannot prune the caches in "${stateDir}": there is no helper program for this processor`);
  return pruneCaches(stateDir, limits, { helper, signal });
}
