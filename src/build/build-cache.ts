// The cache of one build: which stores it has, where its stages can go on, and what happens when a promised layer cannot be read.

import { randomUUID } from "node:crypto";
import { basename } from "node:path";
import {
  type Cache,
  type Chain,
  type Key,
  keyOf,
  openCache,
  openCiStore,
  openDirectoryStore,
  openOciStore,
  openRegistryStore,
  type Store,
} from "../cache/cache.ts";
import type { Helper } from "../helper/helper.ts";
import type { Digest } from "../image/digest.ts";
import { formatPlatform } from "../image/platform.ts";
import { repositoryName } from "../image/reference.ts";
import type { LayerItem } from "../layer/entry.ts";
import { type Blobs, checkLevel, writeLayer } from "../layer/layer.ts";
import type { Registry } from "../registry/registry.ts";
import type { Report } from "../report/report.ts";
import type { CacheKeeper, CacheMount, Sandbox } from "../sandbox/sandbox.ts";
import type { BuiltStage, ResumptionTools } from "./built-stage.ts";
import type { Downloads } from "./downloads.ts";
import { type Inputs, remember } from "./explain.ts";
import { describeMisses, type ExplainedStage, explainPlan } from "./explain-plan.ts";
import { suffices } from "./fidelity.ts";
import type { Plan } from "./plan.ts";
import type { CacheRequest, CacheStore, Request } from "./request.ts";
import { type CachePolicy, findResumption, isCounted } from "./resume.ts";
import { type SettledFiles, settleFiles } from "./selection.ts";
import type { Shipping } from "./shipping.ts";
import type { Contexts } from "./sources.ts";
import { computeKeys, type KeyTools, type StageKeys } from "./step-keys.ts";

interface StoreTools {
  readonly report: Report;
  readonly registry: Registry;
}

/** Which every build reads. */
const trustedScope = "";

/** Asks for nothing yet. */
export function openStore(store: CacheStore, scope: string, { report, registry }: StoreTools): Store {
  switch (store.kind) {
    case "repository":
      return openRegistryStore(store.reference, { registry, report });
    case "layout":
      return openOciStore(store.path, { report });
    case "directory":
      return openDirectoryStore(store.path, { report, maxBytes: store.maxBytes });
    case "ci":
      return openCiStore({ ...store, scope, readScopes: [trustedScope] }, { http: registry.http, report });
  }
}

export function openBuildCache(request: CacheRequest, tools: StoreTools & { readonly signal: AbortSignal }): Cache {
  const stores = request.stores.map((store) => openStore(store, request.scope, tools));
  return openCache({
    ...tools,
    ...request,
    stores,
    readOnly: request.readOnly || request.explainOnly,
    readScopes: [trustedScope],
  });
}

/** Contexts whose files count for keys, and must stay as they are. */
export function settleContexts(contexts: Contexts): ReadonlyMap<string, SettledFiles> {
  return new Map([...contexts].map(([name, files]) => [name, settleFiles(files)]));
}

export interface ResumeTools extends Pick<Request, "rewriteTimestamp" | "reproducible" | "ignoredPaths"> {
  readonly cache: Cache;
  readonly request: CacheRequest;
  readonly contexts: ReadonlyMap<string, SettledFiles>;
  readonly downloads: Pick<Downloads, "identify">;
  readonly report: Report;
  /** What the last build of the same name remembered of itself. */
  readonly last: Promise<unknown>;
  sandbox(): Promise<Pick<Sandbox, "name">>;
}

/** Names every step, and finds what earlier builds have left of them; says what is to be built, and why. */
export async function resume(plan: Plan, tools: ResumeTools): Promise<ResumptionTools> {
  const { resumption, explained } = await lookUp(plan, tools);
  for (const text of describeMisses(plan, explained, resumption.policy)) tools.report.emit({ kind: "notice", text });
  return resumption;
}

/** What `resume` would find; nothing is kept. */
export async function explain(plan: Plan, tools: ResumeTools): Promise<readonly ExplainedStage[]> {
  return (await lookUp(plan, tools)).explained;
}

async function lookUp(plan: Plan, tools: ResumeTools) {
  const { cache, request, contexts, downloads } = tools;
  const context: KeyTools["context"] = (name) => {
    const files = contexts.get(name);
    if (files === undefined) throw new Error(`Cannot name the files of context "${name}": it was not opened`);
    return { view: files, keepsOwners: files.keepsOwners, digest: (path) => files.digest(path), xattrs: files.xattrs };
  };
  const keyTools: KeyTools = { ...tools, epoch: plan.epoch, context, identify: (operand) => downloads.identify(operand) };
  const policy: CachePolicy = { ...request, isUncached: (stage) => stage.isUncached };
  const kept = await computeKeys(plan, keyTools);
  const salt = randomUUID();
  const keys = plan.stages.some(policy.isUncached)
    ? await computeKeys(plan, keyTools, (stage) => (stage.isUncached ? salt : undefined))
    : kept;
  const accepts = async ({ fidelity }: Chain) => {
    if (fidelity === "full") return true;
    // Where no command can run, what one left elsewhere is all there is.
    const name = await tools.sandbox().then(
      (sandbox) => sandbox.name,
      () => undefined,
    );
    return suffices(fidelity, name);
  };
  const last = await tools.last;
  const found = await findResumption(plan, keys, { cache, policy, accepts });
  const resumption: ResumptionTools = { ...found, cache, policy, kept, accepts, context, identify: keyTools.identify };
  return { resumption, explained: explainPlan(plan, { found, inputs: inputsOf(kept), policy, last }) };
}

function inputsOf(keys: readonly StageKeys[]): readonly (readonly Inputs[])[] {
  return keys.map(({ steps }) => steps.map((step) => step.inputs));
}

/** Builds with the same name are compared with each other, to say what has changed. Those that compress in other ways have other layers. */
export function lastKey({ dockerfile, targets, platforms, destinations, compression, compressionLevel }: Request): Key {
  const [first] = destinations;
  return keyOf("last", [
    basename(dockerfile),
    ...targets,
    "",
    ...platforms.map(formatPlatform),
    "",
    first === undefined ? "" : repositoryName(first),
    `${compression} ${checkLevel(compression, compressionLevel)}`,
  ]);
}

/** Leaves to the next build of the same name what it can compare itself with, and where it can go on without asking. */
export async function leaveLast(
  plan: Plan,
  stages: readonly (BuiltStage | undefined)[],
  tools: { readonly cache: Cache; readonly request: Request; readonly resumption: ResumptionTools; readonly shipping: Shipping },
): Promise<void> {
  const { cache, request, resumption, shipping } = tools;
  const { kept, policy } = resumption;
  const chains = plan.stages.map(async ({ steps }, number) => {
    // What is not to be kept need not be named either.
    const count = steps.findLastIndex((step) => isCounted(step, policy)) + 1;
    const keys = (kept[number]?.steps ?? []).slice(0, count).map(({ state }) => state);
    const built = stages[number];
    const made = built?.made.slice(0, built.made.length - steps.length + count) ?? [];
    const layers = await Promise.all(
      made.map(async (one) => {
        const known = await one.kept;
        return known && shipping.kept(known);
      }),
    );
    const isWhole = built !== undefined && count > 0 && layers.every((layer) => layer !== undefined);
    const chain = isWhole ? { layers: layers.filter((layer) => layer !== undefined), fidelity: built.fidelity } : undefined;
    return { keys, chain };
  });
  cache.keepLast(lastKey(request), remember(plan, inputsOf(kept)), await Promise.all(chains));
}

/** Keeps in the cache what cache mounts hold. A cache that is as it was brought back is not written again. */
export function openKeeper(
  cache: Cache,
  tools: Pick<Request, "compression" | "compressionLevel" | "platforms"> & {
    readonly blobs: Blobs;
    readonly helper: Helper | undefined;
    readonly report: Report;
    readonly signal: AbortSignal;
    /** Bytes of files in one cache. */
    readonly maxBytes: number;
  },
): CacheKeeper {
  const brought = new Map<string, Digest>();
  const platforms = tools.platforms.map(formatPlatform).join();
  const keyOfMount = ({ id, owner }: CacheMount) => keyOf("mount", [platforms, id, JSON.stringify(owner)]);
  return {
    warn: (text) => tools.report.emit({ kind: "warning", text }),
    async restore(mount) {
      const layer = (await cache.find([keyOfMount(mount)])).get(keyOfMount(mount))?.layers[0]?.layer;
      if (layer !== undefined) brought.set(mount.key, layer.diffId);
      return layer;
    },
    async save(mount, items) {
      const started = performance.now();
      const listed: LayerItem[] = [];
      let size = 0;
      for await (const item of items) {
        listed.push(item);
        size += item.entry.size;
        if (size <= tools.maxBytes) continue;
        tools.report.emit({ kind: "notice", text: `The cache "${mount.id}" is not kept: it holds more than --cache-mounts-limit` });
        return;
      }
      const { layer, index, compressor } = await writeLayer(listed, { ...tools, level: tools.compressionLevel });
      if (brought.get(mount.key) === layer.diffId) return;
      const created = new Date().toISOString();
      const kept = { layer, compressor, created, seconds: (performance.now() - started) / 1000, index: await cache.indexBlob(index) };
      cache.keep([keyOfMount(mount)], { layers: [kept], fidelity: "full" });
    },
  };
}

/** Tries again where a layer that the cache promised could not be read: what depends on it is then built. */
export async function retrying<T>(cache: Cache | undefined, attempt: () => Promise<T>, signal: AbortSignal): Promise<T> {
  for (;;) {
    const before = cache?.blamed ?? 0;
    try {
      return await attempt();
    } catch (error) {
      if (signal.aborted || cache === undefined || cache.blamed === before) throw error;
    }
  }
}

/** When an image was made: of one without a layer of its own, when it was made first. */
export async function timeOf(stage: BuiltStage | undefined, cache: Cache | undefined): Promise<string> {
  const now = new Date().toISOString();
  if (cache === undefined || stage?.keys === undefined || stage.made.length > 0) return now;
  const key = keyOf("time", [stage.keys.made]);
  const known = await cache.findNote(key);
  if (typeof known === "string" && !Number.isNaN(Date.parse(known))) return known;
  cache.keepNote(key, now);
  return now;
}
