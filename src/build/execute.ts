// Carries a plan out: a fold over each stage's steps, with the stages side by side.

import type { LateRuleName } from "../dockerfile/dockerfile.ts";
import { emptyTree, type LayerFiles } from "../filesystem/filesystem.ts";
import type { Helper } from "../helper/helper.ts";
import type { Image, Layer } from "../image/image.ts";
import type { LayerItem } from "../layer/entry.ts";
import { type Blobs, writeLayer } from "../layer/layer.ts";
import type { ResolvedImage } from "../registry/registry.ts";
import type { Report, StepName } from "../report/report.ts";
import type { Sandbox } from "../sandbox/sandbox.ts";
import type { Downloads } from "./downloads.ts";
import { BuildFailure, hintOf, type Place } from "./failure.ts";
import type { Layers } from "./layers.ts";
import type { CopyStep, Origin, Plan, Source, StagePlan, Step } from "./plan.ts";
import { type Contexts, filesOf } from "./sources.ts";
import { StageFiles, StageRoot } from "./stage-files.ts";
import { copyFiles, makeWorkdir, type StepSource } from "./step-copy.ts";
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
  const stages: Promise<BuiltStage>[] = [];
  for (const [number, stage] of plan.stages.entries()) {
    const building = new StageBuild(stage, stages, plan.epoch, {
      ...tools,
      signal,
      onLayer: shipped.has(number) ? tools.onLayer : () => {},
    }).build();
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

class StageBuild {
  readonly #stage: StagePlan;
  readonly #stages: readonly Promise<BuiltStage>[];
  readonly #epoch: number | undefined;
  readonly #tools: ExecuteTools;
  readonly #root: StageRoot;
  readonly #made: MadeLayer[] = [];

  constructor(stage: StagePlan, stages: readonly Promise<BuiltStage>[], epoch: number | undefined, tools: ExecuteTools) {
    this.#stage = stage;
    this.#epoch = epoch;
    this.#stages = stages;
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
      const root = await this.#root.holding(files);
      const result = await runCommand(step, root, await files.tree(), { ...this.#tools, name });
      const { layer, index } = await this.#write(result.changes);
      await result.publish(layer, index);
      this.#root.skip();
      return this.#add(step, files, layer, index, started);
    }
    const now = this.#epoch ?? Math.floor(Date.now() / 1000);
    const { file, line } = this.#tools.place(step.source);
    const warn = (rule: LateRuleName, text: string) => {
      if (this.#tools.silenced.has(`${rule} ${line}`)) return;
      this.#tools.report.emit({ kind: "warning", text: `${rule}: ${text}`, file, line });
    };
    const tools = { now, warn, scratch: this.#tools.scratch, download: this.#tools.downloads.get };
    const tree = step.kind === "copy" && step.link ? emptyTree : await files.tree();
    const items =
      step.kind === "workdir" ? await makeWorkdir(step, tree, tools) : await copyFiles(step, tree, await this.#openSource(step), tools);
    const { layer, index } = await this.#write(items);
    return this.#add(step, files, layer, index, started);
  }

  #write(items: readonly LayerItem[]): ReturnType<typeof writeLayer> {
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

  #add(step: Step, files: StageFiles, layer: Layer, index: Parameters<StageFiles["with"]>[1], started: number): StageFiles {
    const seconds = (performance.now() - started) / 1000;
    this.#made.push({ layer, createdBy: step.createdBy, created: new Date().toISOString(), seconds });
    this.#tools.onLayer(layer);
    return files.with(layer, index);
  }

  async #openOrigin(origin: Origin): Promise<{ readonly files: StageFiles; readonly family: Image["family"] }> {
    switch (origin.kind) {
      case "scratch":
        return { files: new StageFiles([], this.#tools.layers), family: "oci" };
      case "stage": {
        const stage = this.#stages[origin.stage];
        if (stage === undefined) throw new Error(`Cannot use stage ${origin.stage}: it is not built before this one`);
        return stage;
      }
      case "image": {
        const image = await this.#tools.image(origin);
        return { files: new StageFiles(image.layers, this.#tools.layers), family: image.family };
      }
      case "context":
        throw new Error("Cannot use the build context as an image");
    }
  }

  async #openSource(step: CopyStep): Promise<StepSource> {
    if (step.from.kind === "context") {
      const files = filesOf(this.#tools.contexts, step.from);
      return {
        view: files,
        keepsOwners: false,
        locate: async (paths) => new Map(paths.map((path) => [path, files.content(path)])),
      };
    }
    const { files } = await this.#openOrigin(step.from);
    return {
      view: await files.tree(),
      keepsOwners: true,
      locate: (paths) => files.contents(paths, this.#tools.files),
    };
  }
}

/** Says which instruction an error belongs to, unless it says so itself. */
function placed(error: unknown, place: Place): BuildFailure {
  if (error instanceof BuildFailure) return error.place === undefined ? new BuildFailure(error.message, { ...error, place }) : error;
  return new BuildFailure(error instanceof Error ? error.message : String(error), { place, hint: hintOf(error), cause: error });
}
