// A build from request to result: the architecture in one function.

import { randomUUID } from "node:crypto";
import { isAbsolute, join, relative } from "node:path";
import type { Cache, CachedLayer } from "../cache/cache.ts";
import { type Context, openContext } from "../context/context.ts";
import { DockerfileError, parseDockerfile } from "../dockerfile/dockerfile.ts";
import { openLayerFiles, removeTree } from "../filesystem/filesystem.ts";
import { openHelper } from "../helper/helper.ts";
import { annotationsOfImage, annotationsOfIndex, needsOciTypes } from "../image/annotation.ts";
import { type EncodedImage, encodeImage, encodeRelease } from "../image/encode.ts";
import type { Layer } from "../image/image.ts";
import { formatPlatform } from "../image/platform.ts";
import { withDefaultTag } from "../image/reference.ts";
import { checkCompression, openBlobs } from "../layer/layer.ts";
import { checkOutputs } from "../output/output.ts";
import { type BaseFolder, openBaseFolder, openRegistry, type Registry } from "../registry/registry.ts";
import { type CacheKeeper, openSandbox, type Sandbox } from "../sandbox/sandbox.ts";
import { type AgentTools, openAgents } from "./agents.ts";
import { assembleImage } from "./assemble.ts";
import { type Bases, baseKey, openBases } from "./bases.ts";
import { explain, lastKey, leaveLast, openBuildCache, openKeeper, resume, retrying, settleContexts, timeOf } from "./build-cache.ts";
import { type Checked, checkBeforeBuild, checkOnly, joinChecked, reportChecked } from "./check.ts";
import { deliver } from "./deliver.ts";
import { beginDownloads, type Downloads } from "./downloads.ts";
import { findEmulators } from "./emulation.ts";
import { findEpochSource, resolveEpoch } from "./epoch.ts";
import { execute } from "./execute.ts";
import { BuildFailure, during, hintOf, type PlaceOf, placesIn } from "./failure.ts";
import { contextOptions, fetchTools, makeStateDirectory, secretsOf } from "./fetching.ts";
import { openIgnored } from "./ignored-paths.ts";
import { joinPlans } from "./join-plans.ts";
import { openLayers } from "./layers.ts";
import { makePlan, type PlanRequest, type Wanted } from "./make-plan.ts";
import type { Base, Origin, Plan } from "./plan.ts";
import type { CacheRequest, Request } from "./request.ts";
import type { BuildResult, BuildTools } from "./result.ts";
import { rootItems } from "./root-items.ts";
import { openShipping, type Shipping } from "./shipping.ts";
import { showPlan } from "./show.ts";
import { type Contexts, checkSources, type NamedFiles, openContexts, openNamedFiles } from "./sources.ts";
import { summarize } from "./summary.ts";
import { freshCaches } from "./uncached.ts";
import { withXattrs } from "./xattrs.ts";

export type { Checked } from "./check.ts";
export { type Diagnosis, type DoctorRequest, diagnose } from "./doctor.ts";
export type { ExplainedStage, ExplainedStep } from "./explain-plan.ts";
export { BuildFailure, type Phase, type Place } from "./failure.ts";
export { type MergeRequest, mergeImages } from "./merge.ts";
export { type Pruned, type PruneRequest, prune } from "./prune.ts";
export type { CacheRequest, CacheStore, Request } from "./request.ts";
export type { BuildResult, BuildTools } from "./result.ts";
export { type Warmed, type WarmRequest, warm } from "./warm.ts";

/** Builds one image; throws a BuildFailure, or the signal's reason when it was aborted. */
export async function build(request: Request, tools: BuildTools): Promise<BuildResult> {
  for (const secret of secretsOf(request)) tools.report.mask(secret);
  for (const text of request.notices) tools.report.emit({ kind: "notice", text });
  const agents = await during("building image", openAgents(request));
  const registry = openRegistry(request.registry, tools);
  try {
    return await buildWith(registry, request, { ...tools, ssh: agents.sockets });
  } finally {
    await registry.close();
    await agents.close();
  }
}

async function buildWith(registry: Registry, request: Request, tools: AgentTools): Promise<BuildResult> {
  const { report, signal } = tools;
  const fetching = fetchTools(request, registry, tools);
  const context = await during("building image", openContext(request.context, contextOptions(request), fetching));
  const named = openNamedFiles(request, fetching);
  const cache = request.cache && openBuildCache(request.cache, { ...request, ...tools, registry });
  let permission: ReturnType<typeof askPermission> = Promise.resolve(undefined);
  try {
    const { path, text: source } = context.dockerfile;
    if (context.commit !== undefined) report.emit({ kind: "notice", text: `Context ${context.location} is at commit ${context.commit}` });
    if (context.stateDir !== undefined)
      report.emit({ kind: "notice", text: `The state directory "${request.stateDir}" lies in the context and is no part of it` });
    const file = displayPath(path, request.workingDirectory);
    const place = placesIn(file, source);
    // Where nothing is built, nobody wants to know.
    const last = request.dryRun || request.checkOnly ? Promise.resolve() : (cache?.findLast(lastKey(request)) ?? Promise.resolve());
    const folder = request.baseFolder && openBaseFolder(request.baseFolder.directory, { ...request.baseFolder, report });
    const bases = openBases(registry, { signal, cache, folder });
    const emulators = await findEmulators();
    const [target, ...others] = request.targets;
    const requestsFor = (name: string | undefined) =>
      request.platforms.map((platform) => ({ ...request, target: name, platform, emulators }));
    if (request.checkOnly) {
      const requests = [...requestsFor(target), ...others.flatMap(requestsFor)];
      const checked = Promise.all(requests.map((one) => checkOnly(file, one, context, bases, report)));
      return { written: [], checked: joinChecked(await during("building image", checked)) };
    }
    const planned = [requestsFor(target), others.flatMap(requestsFor)].map((group) =>
      Promise.all(group.map((one) => planBuild(one, { context, named, bases, place }))),
    );
    permission = askPermission(registry, request, signal);
    const [wanted = [], besides = []] = await during("building image", Promise.all(planned));
    const plan = joinPlans(
      wanted.map((one) => one.plan),
      besides.map((one) => one.plan),
    );
    for (const { text, line } of plan.warnings) report.emit({ kind: "warning", text, ...(line === undefined ? {} : { line, file }) });
    const checked = joinChecked([...wanted, ...besides].map((one) => one.checked));
    reportChecked(checked, report);
    if (request.dryRun) return { written: [], plan: showPlan(plan) };
    const contexts = await during("building image", openContexts(plan, context, named, place));
    checkSources(plan, contexts, place);
    await during("building image", checkCompression(request.compression, request.compressionLevel));
    await during("writing outputs", checkOutputs(request.outputs));
    const refusal = await permission;
    if (refusal !== undefined) await during("checking push permissions", Promise.reject(refusal.reason));
    return await carryOut(plan, { contexts, bases, place, registry, folder, cache, last, silenced: checked.silenced }, request, tools);
  } finally {
    await permission;
    await cache?.close();
    await named.close();
    await context.close();
  }
}

/** Asks while bases are looked up; that the answer is no is told when it counts. */
async function askPermission(registry: Registry, request: Request, signal: AbortSignal): Promise<{ readonly reason: unknown } | undefined> {
  if (!request.push || !request.checkPushPermission || request.dryRun) return undefined;
  return registry.checkPush(request.destinations.map(withDefaultTag), signal).then(
    () => undefined,
    (reason: unknown) => ({ reason }),
  );
}

interface Planned {
  readonly plan: Plan;
  readonly checked: Checked;
}

/** Reads the Dockerfile, and as many base images' configurations as the plan turns out to need. */
async function planBuild(
  request: Request & PlanRequest,
  sources: { readonly context: Context; readonly named: NamedFiles; readonly bases: Bases; readonly place: PlaceOf },
): Promise<Planned> {
  const { context, bases, place } = sources;
  const known = new Map<string, Base>();
  const find = async ({ reference, platform, source, part, hint }: Wanted) => {
    try {
      known.set(baseKey(reference, platform), await bases.base(reference, platform));
    } catch (error) {
      if (!(error instanceof Error) || error.name === "AbortError") throw error;
      throw new BuildFailure(error.message, { place: place(source, part), hint: hint ?? hintOf(error), cause: error });
    }
  };
  try {
    const dockerfile = parseDockerfile(context.dockerfile.text, displayPath(context.dockerfile.path, request.workingDirectory));
    const epoch = findEpochSource(dockerfile, request);
    const settled = epoch === undefined ? request : { ...request, epoch: { seconds: await resolveEpoch(epoch, dockerfile, sources) } };
    for (;;) {
      const made = makePlan(dockerfile, known, settled);
      if ("plan" in made) return { plan: made.plan, checked: checkBeforeBuild(dockerfile, known, settled, context) };
      await Promise.all(made.wanted.map(find));
    }
  } catch (error) {
    if (!(error instanceof DockerfileError)) throw error;
    const { start, end } = error.instruction;
    const lines = place({ line: start.line, endLine: end.line });
    // Its message has the place and the hint in it, which stand beside the reason here.
    throw new BuildFailure(error.reason, { place: { ...lines, exact: error.range }, hint: error.hint, cause: error.cause });
  }
}

/** As short as the user would write it. */
function displayPath(path: string, workingDirectory: string): string {
  if (!isAbsolute(path)) return path;
  const short = relative(workingDirectory, path);
  return short.startsWith("..") ? path : short;
}

async function carryOut(
  plan: Plan,
  parts: {
    readonly contexts: Contexts;
    readonly bases: Bases;
    readonly place: PlaceOf;
    readonly registry: Registry;
    readonly folder: BaseFolder | undefined;
    readonly cache: Cache | undefined;
    /** What the last build of the same name left. */
    readonly last: Promise<unknown>;
    readonly silenced: Checked["silenced"];
  },
  request: Request,
  tools: AgentTools,
): Promise<BuildResult> {
  const { registry, bases, cache } = parts;
  const { report, signal, ssh } = tools;
  const { stateDir } = request;
  const push = request.push ? registry.openPush(request.destinations.map(withDefaultTag), signal) : undefined;
  const opened: Promise<Sandbox>[] = [];
  let downloads: Downloads | undefined;
  let keeper: CacheKeeper | undefined;
  let shipping: Shipping | undefined;
  // Its own, since several builds may share the state directory.
  const scratch = join(stateDir, "work", randomUUID());
  try {
    await during("building image", makeStateDirectory(stateDir));
    const helper = await during("building image", openHelper());
    const shown = withXattrs(parts.contexts, { helper, signal });
    const blobs = await during("building image", openBlobs(stateDir));
    const files = openLayerFiles(scratch);
    const fresh = freshCaches(plan);
    const openOnce = () => {
      const sandbox =
        opened[0] ??
        openSandbox(request.sandbox, {
          ...request,
          keeps: directoriesOf(request.cache),
          freshCaches: fresh,
          blobs,
          files,
          helper,
          report,
          ignores,
          indexes: cache?.indexes,
          keeper,
        });
      opened[0] = sandbox;
      return sandbox;
    };
    downloads = await beginDownloads(plan, { ...request, ...parts, ssh, http: registry.http, registry: request.registry, scratch, signal });
    const ignores = await during("building image", openIgnored(request.ignoredPaths));
    const executeTools = {
      ...tools,
      ...request,
      ...parts,
      ssh,
      downloads,
      blobs,
      files,
      scratch,
      helper,
      ignores,
      image: (origin: Origin & { readonly kind: "image" }) => bases.image(origin.reference, origin.platform),
      sandbox: openOnce,
      // What goes wrong is thrown again by `finish`.
      onLayer: (layer: Layer) => void push?.layer(layer).catch(() => {}),
    };
    const cached = request.cache && cache && { request: request.cache, cache, last: parts.last };
    if (cached?.request.mounts) keeper = openKeeper(cached.cache, { ...executeTools, maxBytes: cached.request.mountsLimit });
    const attempt = async () => {
      const settled = settleContexts(shown);
      const looking = cached && { ...executeTools, ...cached, contexts: settled };
      if (looking?.request.explainOnly) return { written: [], explained: await during("building image", explain(plan, looking)) };
      const resumption = looking && (await during("building image", resume(plan, looking)));
      const contexts = cached === undefined ? shown : settled;
      const layers = openLayers({ ...parts, blobs, helper, signal });
      await shipping?.close();
      const ship = openShipping({ ...executeTools, cache, layers });
      shipping = ship;
      // What goes wrong is thrown again when all layers are asked for.
      const onCached = (one: CachedLayer) => void ship.layer(one).then(executeTools.onLayer, () => {});
      const stages = await execute(plan, { ...executeTools, contexts, layers, resumption, onCached });
      const shipped = await during("building image", Promise.all(plan.targets.map((target) => ship.stage(stages[target]))));
      if (cached !== undefined && resumption !== undefined)
        await leaveLast(plan, stages, { ...cached, request, resumption, shipping: ship });
      const imageFormat = needsOciTypes(request.annotations) ? "oci" : request.imageFormat;
      const images: EncodedImage[] = [];
      for (const [i, platform] of request.platforms.entries()) {
        const target = plan.targets[i];
        if (target === undefined) continue;
        const now = await timeOf(stages[target], cache);
        const image = assembleImage(plan, stages, target, { ...request, imageFormat, now, layers: shipped[i] ?? [] });
        images.push(encodeImage(image, annotationsOfImage(request.annotations, platform)));
      }
      const release = encodeRelease(images, annotationsOfIndex(request.annotations));
      const rootItemsOfAll = async function* () {
        for (const target of plan.targets) {
          const [stage, platform] = [stages[target], plan.stages[target]?.platform];
          if (stage === undefined || platform === undefined) continue;
          const prefix = images.length === 1 ? "" : formatPlatform(platform).replaceAll("/", "_");
          yield* rootItems(stage.files, files, prefix);
        }
      };
      const written = await deliver(release, request, push, { ...tools, rootItems: rootItemsOfAll });
      for (const [i, image] of images.entries()) {
        const isLast = i === images.length - 1;
        report.emit({ kind: "result", result: summarize(image, stages[plan.targets[i] ?? 0], isLast ? written : []) });
      }
      const { digest } = release.top.descriptor;
      if (images.length > 1) report.emit({ kind: "notice", text: `Index of ${images.length} images: ${digest}` });
      const [only, ...others] = images;
      return { digest, written, ...(only === undefined || others.length > 0 ? {} : { imageId: only.config.descriptor.digest }) };
    };
    return await retrying(cache, attempt, signal);
  } catch (error) {
    await push?.abort();
    throw error;
  } finally {
    await shipping?.close();
    await downloads?.close();
    for (const sandbox of await Promise.allSettled(opened))
      if (sandbox.status === "fulfilled" && !signal.aborted) await sandbox.value.saveCaches(signal).catch(() => {});
    await cache?.close();
    for (const sandbox of await Promise.allSettled(opened)) if (sandbox.status === "fulfilled") await sandbox.value.close();
    await removeTree(request.stateIsPrivate ? stateDir : scratch);
  }
}

/** The caches that lie in directories. */
function directoriesOf(cache: CacheRequest | undefined): readonly string[] {
  return (cache?.stores ?? []).flatMap((store) => ("path" in store ? [store.path] : []));
}
