// Carries a plan out: a fold over each stage's steps, with the stages side by side.

import type { Cache, CachedLayer, Chain } from "../cache/cache.ts";
import type { LateRuleName } from "../dockerfile/dockerfile.ts";
import { emptyTree, type LayerFiles, type Tree } from "../filesystem/filesystem.ts";
import type { Helper } from "../helper/helper.ts";
import type { Digest } from "../image/digest.ts";
import type { Image, Layer } from "../image/image.ts";
import type { LayerItem, RawPath } from "../layer/entry.ts";
import { announceItems, type Blobs, writeLayer } from "../layer/layer.ts";
import type { LayerSummary, Report, StepName } from "../report/report.ts";
import type { RunResult, Sandbox } from "../sandbox/sandbox.ts";
import type { BaseImage } from "./bases.ts";
import type { Downloads } from "./downloads.ts";
import { BuildFailure, blaming, hintOf, type Place, type PlaceOf } from "./failure.ts";
import { fidelityOf, lesserFidelity } from "./fidelity.ts";
import { type GrowingFiles, StackedFiles, UnwrittenFiles, WholeFiles } from "./growing.ts";
import { withoutIgnored } from "./ignored-paths.ts";
import type { Layers } from "./layers.ts";
import type { Origin, Plan, RunStep, StagePlan, Step } from "./plan.ts";
import { allSteps, type CachePolicy, type Hit, type Resumption } from "./resume.ts";
import type { DigestedView } from "./selection.ts";
import { type Contexts, filesOf } from "./sources.ts";
import { StageCache, type StateKeys } from "./stage-cache.ts";
import { StageFiles, StageRoot } from "./stage-files.ts";
import { copyFiles, makeWorkdir } from "./step-copy.ts";
import { fingerprint, identifyFiles, type KeyTools } from "./step-keys.ts";
import { type MountOrigin, resolveMounts } from "./step-mounts.ts";
import { runCommand } from "./step-run.ts";

export interface ExecuteTools {
  readonly report: Report;
  readonly signal: AbortSignal;
  readonly contexts: Contexts;
  readonly downloads: Downloads;
  readonly blobs: Blobs;
  readonly files: LayerFiles;
  /** A directory of this build's own, made when it is needed. */
  readonly scratch: string;
  readonly helper: Helper | undefined;
  readonly layers: Layers;
  readonly secrets: ReadonlyMap<string, Uint8Array>;
  /** Sockets of agents by id. */
  readonly ssh: ReadonlyMap<string, string>;
  /** The image behind an origin of kind `image`. */
  image(origin: Origin & { readonly kind: "image" }): Promise<BaseImage>;
  /** Opened at the first RUN, shared by all stages. */
  sandbox(): Promise<Sandbox>;
  readonly compression: "gzip" | "zstd";
  readonly compressionLevel: number | undefined;
  /** Lowers the times of new layers to 1970 and leaves the clock out of the image. */
  readonly reproducible: boolean;
  /** The same to SOURCE_DATE_EPOCH, where that is given; the clock stays out of the image then anyway. */
  readonly rewriteTimestamp: boolean;
  /** What new layers leave out; undefined: nothing. */
  readonly ignores: ((path: RawPath) => boolean) | undefined;
  /** `RULE LINE` for each build check that is to say nothing there. */
  readonly silenced: ReadonlySet<string>;
  readonly place: PlaceOf;
  /** undefined: every step is done. */
  readonly resumption: ResumptionTools | undefined;
  /** Called with each layer of the target as soon as it is known, from the bottom to the top of each stage. */
  onLayer(layer: Layer): void;
  /** The same for those that the cache has had. */
  onCached(layer: CachedLayer): void;
}

/** Where stages go on, and where what they come to is kept. */
export interface ResumptionTools extends Resumption {
  readonly cache: Cache;
  readonly policy: CachePolicy;
  /** The keys to keep things under: those of `keys`, but of stages that are built without the cache. */
  readonly kept: Resumption["keys"];
  readonly identify: KeyTools["identify"];
  readonly context: KeyTools["context"];
  accepts(chain: Chain): Promise<boolean>;
}

/** What a stage came to. */
export interface BuiltStage {
  readonly files: StageFiles;
  /** What lies below the layers that the build has made. */
  readonly root: StageFiles;
  readonly family: Image["family"];
  /** The layers that its steps and those of the stages it is built FROM made, from the bottom. */
  readonly made: readonly MadeLayer[];
  readonly fidelity: string;
  readonly keys: StateKeys | undefined;
}

/** When a layer was made, and how long it took. */
export interface MadeLayer {
  /** RFC 3339. */
  readonly created: string;
  readonly seconds: number;
  /** The layer as the cache has or is to have it; of one that cannot be written it comes to nothing. */
  readonly kept: Promise<CachedLayer | undefined> | undefined;
}

/**
 * Builds the stages of the plan that something is needed of, and gives them in its order; the first failure stops the others and is thrown
 * when they have stopped.
 */
export async function execute(plan: Plan, tools: ExecuteTools): Promise<readonly (BuiltStage | undefined)[]> {
  const failed = new AbortController();
  const signal = AbortSignal.any([tools.signal, failed.signal]);
  const shipped = new Set(plan.targets.flatMap((target) => [...stagesBelow(plan, target)]));
  const { hits, needed } = tools.resumption ?? allSteps(plan);
  const unpacked = basesBelowRuns(plan, hits);
  // Then the image is likely to be where it is to go, and nobody need ask for each of its layers.
  const isWhole = plan.targets.every(
    (target) => (hits[target]?.last ?? -1) + 1 === plan.stages[target]?.steps.length && hits[target] !== undefined,
  );
  const stages: (Promise<BuiltStage> | undefined)[] = [];
  for (const [number, stage] of plan.stages.entries()) {
    if (!needed.has(number)) {
      stages.push(undefined);
      continue;
    }
    const isPassedOn = shipped.has(number) && !isWhole;
    const { onLayer, onCached } = isPassedOn ? tools : { onLayer() {}, onCached() {} };
    const siblings = { plan, number, stages, unpacked, hit: hits[number] };
    const fail = (error: unknown) => failed.abort(error);
    const building = new StageBuild(stage, siblings, { ...tools, signal, onLayer, onCached, fail }).build();
    building.catch(fail);
    stages.push(building);
  }
  const settled = await Promise.allSettled(stages);
  tools.signal.throwIfAborted();
  if (failed.signal.aborted) throw failed.signal.reason;
  return settled.map((outcome) => (outcome.status === "fulfilled" ? outcome.value : undefined));
}

/** A stage and those that it is built FROM: their layers are the image's. */
function stagesBelow(plan: Plan, target: number): ReadonlySet<number> {
  const found = new Set<number>();
  for (let at: number | undefined = target; at !== undefined; ) {
    found.add(at);
    const base: Origin | undefined = plan.stages[at]?.base;
    at = base?.kind === "stage" ? base.stage : undefined;
  }
  return found;
}

/** The images whose layers have to be unpacked, since a command runs on top of them. */
function basesBelowRuns(plan: Plan, hits: Resumption["hits"]): ReadonlySet<Digest> {
  const found = new Set<Digest>();
  for (const [number, stage] of plan.stages.entries()) {
    if (!hasRun(stage, (hits[number]?.last ?? -1) + 1)) continue;
    let base: Origin | undefined = stage.base;
    while (base?.kind === "stage") base = plan.stages[base.stage]?.base;
    if (base?.kind === "image") found.add(base.digest);
  }
  return found;
}

/** Whether some step from number `from` on is a command. */
function hasRun(stage: StagePlan, from: number): boolean {
  return stage.steps.slice(from).some(({ kind }) => kind === "run");
}

/** What a stage knows of the others. */
interface Siblings {
  readonly plan: Plan;
  /** Its own place among them. */
  readonly number: number;
  readonly stages: readonly (Promise<BuiltStage> | undefined)[];
  /** Images that some stage unpacks. */
  readonly unpacked: ReadonlySet<Digest>;
  /** What the cache has of the stage. */
  readonly hit: Hit | undefined;
}

interface StageTools extends ExecuteTools {
  /** Stops all stages. */
  fail(error: unknown): void;
}

class StageBuild {
  readonly #stage: StagePlan;
  readonly #siblings: Siblings;
  readonly #epoch: number | undefined;
  readonly #tools: StageTools;
  #root: StageRoot;
  /** Settles when nothing is written any more beside the steps. */
  #behind: Promise<unknown> = Promise.resolve();
  /** Everything above the base image. */
  #made: readonly MadeLayer[] = [];
  #fidelity = "full";
  #cache: StageCache | undefined;
  /** Steps before this one are done. */
  #next = 0;

  constructor(stage: StagePlan, siblings: Siblings, tools: StageTools) {
    this.#stage = stage;
    this.#siblings = siblings;
    this.#epoch = siblings.plan.epoch;
    this.#tools = tools;
    this.#root = new StageRoot(tools.sandbox, tools.layers);
  }

  async build(): Promise<BuiltStage> {
    const { report, onLayer } = this.#tools;
    const { steps, name, baseText } = this.#stage;
    const { hit } = this.#siblings;
    const base = await this.#openBase(hit);
    report.emit({ kind: "stage", stage: name, base: baseText, steps: steps.length + 1 });
    this.#made = base.made;
    this.#fidelity = base.fidelity;
    this.#cache = this.#openCache(base.keys);
    for (const layer of base.root.layers) onLayer(layer);
    try {
      let files: GrowingFiles = new WholeFiles(hit === undefined ? base.files : await this.#take(hit, base.root, base.files));
      if (hit !== undefined) this.#cache?.skip();
      while (this.#next < steps.length) {
        this.#tools.signal.throwIfAborted();
        files = await this.#goOn(files, base.root);
      }
      const { family, root } = base;
      const keys = this.#cache?.keys(steps.length);
      return { files: await files.whole, root, family, made: this.#made, fidelity: this.#fidelity, keys };
    } finally {
      await this.#behind;
      await this.#root.close();
    }
  }

  /** The next step, or as many as the cache has. */
  async #goOn(files: GrowingFiles, root: StageFiles): Promise<GrowingFiles> {
    const i = this.#next;
    const step = this.#stage.steps[i];
    if (step === undefined) return files;
    const hit = this.#cache?.mayLookAhead(i) ? await this.#cache.lookAhead(i) : undefined;
    if (hit !== undefined) return new WholeFiles(await this.#take(hit, root, await files.whole));
    const own = this.#cache?.ownLayer(i);
    const next =
      own === undefined ? await this.#takeStep(step, i, files) : new WholeFiles(this.#takeLayer(step, i, await files.whole, own));
    this.#next = i + 1;
    const fidelity = this.#fidelity;
    const kept = this.#made.map((one) => one.kept);
    if (this.#cache !== undefined && !kept.includes(undefined)) {
      const chain = Promise.all(kept).then((known) => {
        const layers = known.filter((layer) => layer !== undefined);
        return layers.length < known.length ? undefined : { layers, fidelity };
      });
      await this.#cache.advance(i, step, chain);
    }
    return next;
  }

  /** Goes on behind what the cache has; layers of this build that are not among them are dropped. */
  async #take({ last, chain }: Hit, root: StageFiles, files: StageFiles): Promise<StageFiles> {
    const before = files.layers.map(({ diffId }) => diffId);
    for (const [i, step] of this.#stage.steps.entries()) {
      if (i < this.#next || i > last) continue;
      const { layer } = chain.layers[chain.layers.length - 1 - last + i] ?? {};
      this.#tellCached(step, i, layer);
    }
    this.#next = last + 1;
    this.#made = chain.layers.map((one) => ({ created: one.created, seconds: one.seconds, kept: Promise.resolve(one) }));
    this.#fidelity = chain.fidelity;
    const layers = [...root.layers, ...chain.layers.map(({ layer }) => layer)];
    for (const one of chain.layers) this.#tools.onCached(one);
    if (before.some((diffId, i) => layers[i]?.diffId !== diffId)) {
      await this.#root.close();
      this.#root = new StageRoot(this.#tools.sandbox, this.#tools.layers);
    }
    const isUnpacked = hasRun(this.#stage, this.#next);
    return this.#filesOf(layers, () => (isUnpacked ? this.#unpack(layers) : this.#tools.layers.tree(layers)));
  }

  #takeLayer(step: Step, i: number, files: StageFiles, cached: CachedLayer): StageFiles {
    const { layer, created, seconds } = cached;
    this.#tellCached(step, i, layer);
    this.#made = [...this.#made, { created, seconds, kept: Promise.resolve(cached) }];
    this.#tools.onCached(cached);
    const levels = [...files.levels, { layer }];
    const layers = levels.map((level) => level.layer);
    return new StageFiles(levels, this.#tools.layers, () => this.#tools.layers.tree(layers));
  }

  #tellCached(step: Step, i: number, layer: Layer | undefined): void {
    const name = this.#nameOf(step, i);
    this.#tools.report.emit({ kind: "step-start", step: name });
    this.#tools.report.emit({ kind: "step-end", step: name, outcome: "cached", ...summaryOf(layer) });
  }

  #openCache(below: StateKeys | undefined): StageCache | undefined {
    const { resumption } = this.#tools;
    const { number } = this.#siblings;
    const [look, keep] = [resumption?.keys[number], resumption?.kept[number]];
    if (resumption === undefined || look === undefined || keep === undefined) return undefined;
    return new StageCache(this.#stage, { ...resumption, look, keep, mark: (step) => this.#markOf(step, resumption) }, below);
  }

  /** Stages by what is taken from them, which is known once they are built. */
  #markOf(step: Step, { identify, context }: ResumptionTools): Promise<string | undefined> {
    let isKnown = true;
    const mark = fingerprint(
      step,
      async (origin, taken) => {
        if (origin.kind !== "stage") return identifyFiles(origin, taken, { context });
        const { files } = await this.#openOrigin(origin);
        const tree = await files.tree();
        const digested: DigestedView = { view: tree, keepsOwners: true, digest: async (path) => tree.lstat(path)?.sha256 };
        const digest = await taken(digested);
        isKnown &&= digest !== undefined;
        return `result ${digest}`;
      },
      { identify },
    );
    return mark.then((known) => (isKnown ? known : undefined));
  }

  async #takeStep(step: Step, i: number, files: GrowingFiles): Promise<GrowingFiles> {
    const { report } = this.#tools;
    const name = this.#nameOf(step, i);
    const started = performance.now();
    report.emit({ kind: "step-start", step: name });
    try {
      const next = await (step.kind === "run" ? this.#run(step, files, name, started) : this.#apply(step, files, started));
      if (next.top !== undefined) report.emit({ kind: "step-end", step: name, outcome: "done", ...summaryOf(next.top) });
      return next;
    } catch (error) {
      // What was done before is kept.
      await this.#behind;
      throw this.#failed(step, name, error);
    }
  }

  /** Notes that a step has failed, unless the build was stopped before. */
  #failed(step: Step, name: StepName, error: unknown): unknown {
    if (this.#tools.signal.aborted) return error;
    this.#tools.report.emit({ kind: "step-end", step: name, outcome: "failed" });
    return placed(error, this.#tools.place(step.source, error instanceof BuildFailure ? error.part : undefined));
  }

  #nameOf({ source }: Step, i: number): StepName {
    const [number, total] = [i + 2, this.#stage.steps.length + 1];
    const id = `${this.#stage.name} ${number}/${total}`;
    return { id, stage: this.#stage.name, number, total, text: source.text, line: source.line };
  }

  async #run(step: RunStep, files: GrowingFiles, name: StepName, started: number): Promise<GrowingFiles> {
    const root = await this.#root.holding(files.levels);
    const tree = await files.tree();
    const reach = await resolveMounts(step, { ...this.#tools, open: (origin) => this.#openSource(origin) });
    const digested = files.digested();
    const result = await runCommand({ ...step, env: reach.env }, reach.mounts, root, { tree, digested }, { ...this.#tools, name });
    const below = await files.whole;
    this.#root.skip();
    const sandbox = await this.#tools.sandbox();
    this.#fidelity = lesserFidelity(this.#fidelity, fidelityOf(sandbox.name));
    // What is left out is gone before the next command starts.
    const mayGoOn = sandbox.stacksLayers && this.#tools.ignores === undefined;
    if (mayGoOn && hasRun(this.#stage, this.#next + 1) && sizeOf(result.changes) > waitedSize)
      return this.#writeBehind(result, below, { step, name, started });
    const written = await this.#write(result.changes);
    const next = await below.with(written.layer, written.index);
    await result.publish(written.layer, await next.tree());
    return new WholeFiles(this.#finish(next, written, started));
  }

  /** The next command may start: nothing changes any more where the contents of the layer lie. */
  async #writeBehind(
    { changes, publish }: RunResult,
    below: StageFiles,
    { step, name, started }: { readonly step: RunStep; readonly name: StepName; readonly started: number },
  ): Promise<GrowingFiles> {
    const { tree, settle } = (await below.tree()).withUnread(announceItems(changes, { clampMtime: this.#latest }));
    const times = timesSince(started);
    const fail = (error: unknown) => {
      const failure = this.#failed(step, name, error);
      this.#tools.fail(failure);
      throw failure;
    };
    const written = this.#write(changes).catch(fail);
    const layer = written.then(({ layer, index }) => {
      settle(index);
      this.#tools.onLayer(layer);
      this.#tools.report.emit({ kind: "step-end", step: name, outcome: "done", seconds: times.seconds, ...summaryOf(layer) });
      return layer;
    });
    this.#note(times, written);
    const files = new UnwrittenFiles(below, { layer, tree, publish: (...known) => publish(...known).catch(fail) });
    this.#behind = files.whole.catch(() => {});
    return files;
  }

  async #apply(step: Exclude<Step, RunStep>, files: GrowingFiles, started: number): Promise<GrowingFiles> {
    const now = this.#epoch ?? Math.floor(Date.now() / 1000);
    const { file, line } = this.#tools.place(step.source);
    const warn = (rule: LateRuleName, text: string) => {
      if (this.#tools.silenced.has(`${rule} ${line}`)) return;
      this.#tools.report.emit({ kind: "warning", text: `${rule}: ${text}`, file, line });
    };
    const { scratch, downloads, signal } = this.#tools;
    const tools = { now, warn, scratch, downloads, signal, digested: () => files.digested() };
    const below = step.kind === "copy" && step.link ? emptyTree : await files.tree();
    const items =
      step.kind === "workdir"
        ? await blaming({ of: "arguments" }, () => makeWorkdir(step, below, tools))
        : await copyFiles(step, below, await this.#openSource(step.from), tools);
    const written = await this.#write(items);
    if (files.isWhole) return new WholeFiles(this.#finish(await (await files.whole).with(written.layer, written.index), written, started));
    const { layer, index } = written;
    const next = new StackedFiles(files, layer, (await files.tree()).with(index));
    this.#note(timesSince(started), Promise.resolve(written));
    // After those below it.
    const tell = () => this.#tools.onLayer(layer);
    files.digested().then(tell, () => {});
    this.#behind = next.whole.catch(() => {});
    return next;
  }

  get #latest(): number | undefined {
    return this.#tools.reproducible ? 0 : this.#tools.rewriteTimestamp ? this.#epoch : undefined;
  }

  #write(items: Iterable<LayerItem> | AsyncIterable<LayerItem>): Promise<Written> {
    const { blobs, compression, compressionLevel, helper, ignores, signal } = this.#tools;
    return writeLayer(ignores === undefined ? items : withoutIgnored(items, ignores), {
      blobs,
      compression,
      helper,
      signal,
      level: compressionLevel,
      clampMtime: this.#latest,
    });
  }

  /** The files with the step's layer on top, which is now known. */
  #finish(files: StageFiles, written: Written, started: number): StageFiles {
    this.#note(timesSince(started), Promise.resolve(written));
    this.#tools.onLayer(written.layer);
    return files;
  }

  #note(times: Pick<MadeLayer, "created" | "seconds">, written: Promise<Written>): void {
    const cache = this.#tools.resumption?.cache;
    const keep = async ({ layer, index, compressor }: Written): Promise<CachedLayer | undefined> =>
      cache && { layer, compressor, ...times, index: await cache.indexBlob(index) };
    const kept = cache && written.then(keep, () => undefined);
    kept?.catch(() => {});
    this.#made = [...this.#made, { ...times, kept }];
  }

  /** What the stage starts with. With a hit, of the stages that it is built FROM only the image at their bottom is opened. */
  async #openBase(hit: Hit | undefined): Promise<BuiltStage> {
    let origin = this.#stage.base;
    if (hit !== undefined) while (origin.kind === "stage") origin = this.#siblings.plan.stages[origin.stage]?.base ?? { kind: "scratch" };
    const opened = await this.#openOrigin(origin);
    return "root" in opened ? opened : { ...opened, root: opened.files, made: [], fidelity: "full", keys: undefined };
  }

  async #openOrigin(origin: Origin): Promise<BuiltStage | Pick<BuiltStage, "files" | "family">> {
    switch (origin.kind) {
      case "scratch":
        return { files: this.#filesOf([], () => this.#tools.layers.tree([])), family: "oci" };
      case "stage": {
        const stage = this.#siblings.stages[origin.stage];
        if (stage === undefined) throw new Error(`Cannot use stage ${origin.stage}: it is not built before this one`);
        return stage;
      }
      case "image": {
        const image = await this.#tools.image(origin);
        const isUnpacked = origin === this.#stage.base && this.#siblings.unpacked.has(origin.digest);
        const read = () => (isUnpacked ? this.#unpack(image.layers) : this.#tools.layers.tree(image.layers));
        return { files: this.#filesOf(image.layers, read), family: image.family };
      }
      case "context":
        throw new Error("Cannot use the build context as an image");
    }
  }

  #filesOf(layers: readonly Layer[], read: () => Promise<Tree>): StageFiles {
    return new StageFiles(
      layers.map((layer) => ({ layer })),
      this.#tools.layers,
      read,
    );
  }

  /** Layers that a command needs on disk are read once, for their files and for their tree. */
  async #unpack(layers: readonly Layer[]): Promise<Tree> {
    // That there is no sandbox is the error of the first RUN.
    const sandbox = await this.#tools.sandbox().catch(() => undefined);
    const isWorthIt = sandbox !== undefined && (sandbox.stacksLayers || hasRun(this.#stage, this.#next));
    return isWorthIt ? this.#root.unpack(layers) : this.#tools.layers.tree(layers);
  }

  async #openSource(origin: Origin): Promise<MountOrigin> {
    if (origin.kind === "context") {
      const files = filesOf(this.#tools.contexts, origin);
      return {
        key: `context ${origin.name ?? ""}`,
        view: files,
        keepsOwners: files.keepsOwners,
        locate: async () => files.content,
        xattrs: files.xattrs,
      };
    }
    const { files } = await this.#openOrigin(origin);
    return {
      key: files.layers.map(({ diffId }) => diffId).join(" "),
      view: await files.tree(),
      keepsOwners: true,
      locate: async (paths) => {
        const contents = await files.contents(paths, this.#tools.files);
        return (path) => contents.get(path);
      },
    };
  }
}

/** A layer of fewer bytes is written in some milliseconds, and the log is easier to read where a step ends before the next begins. */
const waitedSize = 1 << 20;

function sizeOf(items: readonly LayerItem[]): number {
  return items.reduce((sum, { entry }) => sum + entry.size, 0);
}

type Written = Awaited<ReturnType<typeof writeLayer>>;

function timesSince(started: number): Pick<MadeLayer, "created" | "seconds"> {
  return { created: new Date().toISOString(), seconds: (performance.now() - started) / 1000 };
}

function summaryOf(layer: Layer | undefined): { readonly layer?: LayerSummary } {
  return layer === undefined ? {} : { layer: { diffId: layer.diffId, digest: layer.descriptor.digest, size: layer.descriptor.size } };
}

/** Says which instruction an error belongs to, unless it says so itself. */
function placed(error: unknown, place: Place): BuildFailure {
  if (error instanceof BuildFailure) return error.place === undefined ? new BuildFailure(error.message, { ...error, place }) : error;
  return new BuildFailure(error instanceof Error ? error.message : String(error), { place, hint: hintOf(error), cause: error });
}
