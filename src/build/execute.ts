// Carries a plan out: a fold over each stage's steps, with the stages side by side.

import type { LateRuleName } from "../dockerfile/dockerfile.ts";
import { emptyTree, type LayerFiles, type Tree } from "../filesystem/filesystem.ts";
import type { Helper } from "../helper/helper.ts";
import type { Digest } from "../image/digest.ts";
import type { Image, Layer } from "../image/image.ts";
import type { LayerItem } from "../layer/entry.ts";
import { type Blobs, writeLayer } from "../layer/layer.ts";
import type { ResolvedImage } from "../registry/registry.ts";
import type { Report, StepName } from "../report/report.ts";
import type { Sandbox } from "../sandbox/sandbox.ts";
import type { Downloads } from "./downloads.ts";
import { BuildFailure, hintOf, type Place } from "./failure.ts";
import type { Layers } from "./layers.ts";
import type { Origin, Plan, Source, StagePlan, Step } from "./plan.ts";
import { type Contexts, filesOf } from "./sources.ts";
import { StageFiles, StageRoot } from "./stage-files.ts";
import { copyFiles, makeWorkdir } from "./step-copy.ts";
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
  image(origin: Origin & { readonly kind: "image" }): Promise<ResolvedImage>;
  /** Opened at the first RUN, shared by all stages. */
  sandbox(): Promise<Sandbox>;
  readonly compression: "gzip" | "zstd";
  readonly compressionLevel: number | undefined;
  /** Lowers the times of new layers to 1970 and leaves the clock out of the image. */
  readonly reproducible: boolean;
  /** The same to SOURCE_DATE_EPOCH, where that is given; the clock stays out of the image then anyway. */
  readonly rewriteTimestamp: boolean;
  /** `RULE LINE` for each build check that is to say nothing there. */
  readonly silenced: ReadonlySet<string>;
  place(source: Source): Place;
  /** Called with each layer of the target as soon as it is known, from the bottom to the top of each stage. */
  onLayer(layer: Layer): void;
}

/** What a stage came to. */
export interface BuiltStage {
  readonly files: StageFiles;
  readonly family: Image["family"];
  /** Of the layers that the stage's own steps made: when, how long it took. */
  readonly made: readonly MadeLayer[];
}

export interface MadeLayer {
  readonly layer: Layer;
  readonly createdBy: string;
  /** RFC 3339. */
  readonly created: string;
  readonly seconds: number;
}

/** Builds every stage of the plan and gives them in its order; the first failure stops the others and is thrown when they have stopped. */
export async function execute(plan: Plan, tools: ExecuteTools): Promise<readonly BuiltStage[]> {
  const failed = new AbortController();
  const signal = AbortSignal.any([tools.signal, failed.signal]);
  const shipped = new Set(plan.targets.flatMap((target) => [...stagesBelow(plan, target)]));
  const unpacked = basesBelowRuns(plan);
  const stages: Promise<BuiltStage>[] = [];
  for (const [number, stage] of plan.stages.entries()) {
    const onLayer = shipped.has(number) ? tools.onLayer : () => {};
    const building = new StageBuild(stage, { stages, unpacked, epoch: plan.epoch }, { ...tools, signal, onLayer }).build();
    building.catch((error: unknown) => failed.abort(error));
    stages.push(building);
  }
  const settled = await Promise.allSettled(stages);
  tools.signal.throwIfAborted();
  if (failed.signal.aborted) throw failed.signal.reason;
  return settled.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value] : []));
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
function basesBelowRuns(plan: Plan): ReadonlySet<Digest> {
  const found = new Set<Digest>();
  for (const stage of plan.stages) {
    if (!hasRun(stage)) continue;
    let base: Origin | undefined = stage.base;
    while (base?.kind === "stage") base = plan.stages[base.stage]?.base;
    if (base?.kind === "image") found.add(base.digest);
  }
  return found;
}

function hasRun(stage: StagePlan): boolean {
  return stage.steps.some(({ kind }) => kind === "run");
}

/** What a stage knows of the others. */
interface Siblings {
  readonly stages: readonly Promise<BuiltStage>[];
  /** Images that some stage unpacks. */
  readonly unpacked: ReadonlySet<Digest>;
}

class StageBuild {
  readonly #stage: StagePlan;
  readonly #siblings: Siblings;
  readonly #epoch: number | undefined;
  readonly #tools: ExecuteTools;
  readonly #root: StageRoot;
  readonly #made: MadeLayer[] = [];

  constructor(stage: StagePlan, siblings: Siblings & Pick<Plan, "epoch">, tools: ExecuteTools) {
    this.#stage = stage;
    this.#siblings = siblings;
    this.#epoch = siblings.epoch;
    this.#tools = tools;
    this.#root = new StageRoot(tools.sandbox, tools.layers);
  }

  async build(): Promise<BuiltStage> {
    const { report } = this.#tools;
    const { files: base, family } = await this.#openOrigin(this.#stage.base);
    report.emit({ kind: "stage", stage: this.#stage.name, base: this.#stage.baseText, steps: this.#stage.steps.length + 1 });
    if (this.#stage.base.kind === "image") for (const layer of base.layers) this.#tools.onLayer(layer);
    try {
      let files = base;
      for (const [i, step] of this.#stage.steps.entries()) {
        this.#tools.signal.throwIfAborted();
        files = await this.#takeStep(step, i, files);
      }
      return { files, family, made: this.#made };
    } finally {
      await this.#root.close();
    }
  }

  async #takeStep(step: Step, i: number, files: StageFiles): Promise<StageFiles> {
    const { report } = this.#tools;
    const { source } = step;
    const [number, total] = [i + 2, this.#stage.steps.length + 1];
    const id = `${this.#stage.name} ${number}/${total}`;
    const name: StepName = { id, stage: this.#stage.name, number, total, text: source.text, line: source.line };
    const started = performance.now();
    report.emit({ kind: "step-start", step: name });
    try {
      const next = await this.#apply(step, files, name, started);
      const layer = next.layers.at(-1);
      const summary = layer && { diffId: layer.diffId, digest: layer.descriptor.digest, size: layer.descriptor.size };
      report.emit({ kind: "step-end", step: name, outcome: "done", ...(summary === undefined ? {} : { layer: summary }) });
      return next;
    } catch (error) {
      if (!this.#tools.signal.aborted) report.emit({ kind: "step-end", step: name, outcome: "failed" });
      throw this.#tools.signal.aborted ? error : placed(error, this.#tools.place(step.source));
    }
  }

  async #apply(step: Step, files: StageFiles, name: StepName, started: number): Promise<StageFiles> {
    if (step.kind === "run") {
      const root = await this.#root.holding(files.levels);
      const below = await files.tree();
      const reach = await resolveMounts(step, { ...this.#tools, open: (origin) => this.#openSource(origin) });
      const result = await runCommand({ ...step, env: reach.env }, reach.mounts, root, below, { ...this.#tools, name });
      const { layer, index } = await this.#write(result.changes);
      const next = await files.with(layer, index);
      await result.publish(layer, await next.tree());
      this.#root.skip();
      return this.#finish(step, next, layer, started);
    }
    const now = this.#epoch ?? Math.floor(Date.now() / 1000);
    const { file, line } = this.#tools.place(step.source);
    const warn = (rule: LateRuleName, text: string) => {
      if (this.#tools.silenced.has(`${rule} ${line}`)) return;
      this.#tools.report.emit({ kind: "warning", text: `${rule}: ${text}`, file, line });
    };
    const { scratch, downloads, signal } = this.#tools;
    const tools = { now, warn, scratch, downloads, signal };
    const below = step.kind === "copy" && step.link ? emptyTree : await files.tree();
    const items =
      step.kind === "workdir" ? makeWorkdir(step, below, tools) : await copyFiles(step, below, await this.#openSource(step.from), tools);
    const { layer, index } = await this.#write(items);
    return this.#finish(step, await files.with(layer, index), layer, started);
  }

  #write(items: Iterable<LayerItem> | AsyncIterable<LayerItem>): ReturnType<typeof writeLayer> {
    const { blobs, compression, compressionLevel, helper, signal, reproducible, rewriteTimestamp } = this.#tools;
    const latest = reproducible ? 0 : rewriteTimestamp ? this.#epoch : undefined;
    return writeLayer(items, {
      blobs,
      compression,
      helper,
      signal,
      ...(compressionLevel === undefined ? {} : { level: compressionLevel }),
      ...(latest === undefined ? {} : { clampMtime: latest }),
    });
  }

  /** The files with the step's layer on top, which is now known. */
  #finish(step: Step, files: StageFiles, layer: Layer, started: number): StageFiles {
    const seconds = (performance.now() - started) / 1000;
    this.#made.push({ layer, createdBy: step.createdBy, created: new Date().toISOString(), seconds });
    this.#tools.onLayer(layer);
    return files;
  }

  async #openOrigin(origin: Origin): Promise<{ readonly files: StageFiles; readonly family: Image["family"] }> {
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
        const read = () => (isUnpacked ? this.#unpackBase(image.layers) : this.#tools.layers.tree(image.layers));
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
  async #unpackBase(layers: readonly Layer[]): Promise<Tree> {
    // That there is no sandbox is the error of the first RUN.
    const sandbox = await this.#tools.sandbox().catch(() => undefined);
    const isWorthIt = sandbox !== undefined && (sandbox.sharesLayers || hasRun(this.#stage));
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

/** Says which instruction an error belongs to, unless it says so itself. */
function placed(error: unknown, place: Place): BuildFailure {
  if (error instanceof BuildFailure) return error.place === undefined ? new BuildFailure(error.message, { ...error, place }) : error;
  return new BuildFailure(error instanceof Error ? error.message : String(error), { place, hint: hintOf(error), cause: error });
}
