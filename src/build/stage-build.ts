// One stage: a fold over its steps, from what it is built FROM to the files that they leave.

import type { CachedLayer } from "../cache/cache.ts";
import type { LateRuleName } from "../dockerfile/dockerfile.ts";
import { emptyTree, type Tree } from "../filesystem/filesystem.ts";
import type { Layer } from "../image/image.ts";
import type { LayerItem } from "../layer/entry.ts";
import { announceItems, writeLayer } from "../layer/layer.ts";
import type { LayerSummary, StepName } from "../report/report.ts";
import type { RunResult } from "../sandbox/sandbox.ts";
import type { BuiltStage, MadeLayer, ResumptionTools, Siblings, StageTools } from "./built-stage.ts";
import { BuildFailure, blaming, hintOf, type Place } from "./failure.ts";
import { fidelityOf, lesserFidelity } from "./fidelity.ts";
import { type GrowingFiles, StackedFiles, UnwrittenFiles, WholeFiles } from "./growing.ts";
import { withoutIgnored } from "./ignored-paths.ts";
import type { RunStep, StagePlan, Step } from "./plan.ts";
import type { Hit } from "./resume.ts";
import type { DigestedView } from "./selection.ts";
import { StageCache, type StateKeys } from "./stage-cache.ts";
import { StageFiles, StageRoot } from "./stage-files.ts";
import { StageOrigins } from "./stage-origins.ts";
import { copyFiles, makeWorkdir } from "./step-copy.ts";
import { fingerprint, identifyFiles } from "./step-keys.ts";
import { resolveMounts } from "./step-mounts.ts";
import { runCommand } from "./step-run.ts";

export class StageBuild {
  readonly #stage: StagePlan;
  readonly #siblings: Siblings;
  readonly #epoch: number | undefined;
  readonly #tools: StageTools;
  readonly #origins: StageOrigins;
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
    this.#origins = new StageOrigins(stage, siblings, { ...tools, unpack: (layers) => this.#unpack(layers) });
  }

  async build(): Promise<BuiltStage> {
    const { report, onLayer } = this.#tools;
    const { steps, name, baseText } = this.#stage;
    const { hit } = this.#siblings;
    const base = await this.#origins.base(hit);
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
    return this.#origins.filesOf(layers, () => (isUnpacked ? this.#unpack(layers) : this.#tools.layers.tree(layers)));
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
        const { files } = await this.#origins.open(origin);
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
    const reach = await resolveMounts(step, { ...this.#tools, open: (origin) => this.#origins.source(origin) });
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
        : await copyFiles(step, below, await this.#origins.source(step.from), tools);
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

  /** Layers that a command needs on disk are read once, for their files and for their tree. */
  async #unpack(layers: readonly Layer[]): Promise<Tree> {
    // That there is no sandbox is the error of the first RUN.
    const sandbox = await this.#tools.sandbox().catch(() => undefined);
    const isWorthIt = sandbox !== undefined && (sandbox.stacksLayers || hasRun(this.#stage, this.#next));
    return isWorthIt ? this.#root.unpack(layers) : this.#tools.layers.tree(layers);
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

/** Whether some step from number `from` on is a command. */
export function hasRun(stage: StagePlan, from: number): boolean {
  return stage.steps.slice(from).some(({ kind }) => kind === "run");
}
