// Makes stores of cached layers smaller, each on its own.

import type { PruneLimits, PruneResult } from "../cache/cache.ts";
import { openRegistry, type RegistryOptions } from "../registry/registry.ts";
import { openStore } from "./build-cache.ts";
import { BuildFailure, hintOf } from "./failure.ts";
import type { CacheStore } from "./request.ts";
import type { BuildTools } from "./result.ts";

export interface PruneRequest {
  readonly stores: readonly CacheStore[];
  /** Of the CI's cache service, the part that is pruned. */
  readonly scope: string;
  readonly limits: PruneLimits;
  readonly registry: RegistryOptions;
}

/** What became of one store; where it failed, what is gone is not known. */
export interface Pruned {
  /** As messages call it. */
  readonly store: string;
  readonly outcome: PruneResult | BuildFailure;
}

/** Removes what the limits say from every store, in their order; the failure of one does not stop the others. */
export async function prune(request: PruneRequest, tools: BuildTools): Promise<readonly Pruned[]> {
  const registry = openRegistry(request.registry, tools);
  try {
    const pruned: Pruned[] = [];
    for (const one of request.stores) {
      const store = openStore(one, request.scope, { ...tools, registry });
      const outcome = await store.prune(request.limits, tools.signal).catch((error: unknown) => {
        tools.signal.throwIfAborted();
        if (!(error instanceof Error)) throw error;
        return new BuildFailure(error.message, { phase: "pruning cache", hint: hintOf(error), cause: error });
      });
      pruned.push({ store: store.name, outcome });
    }
    return pruned;
  } finally {
    await registry.close();
  }
}
