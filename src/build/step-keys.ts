// The keys under which the cache knows what steps leave: computed before any of them runs, each from what the step does and the key before it.

import { type Key, keyOf } from "../cache/cache.ts";
import { formatPlatform } from "../image/platform.ts";
import { type RawPath, toText } from "../layer/entry.ts";
import { FileNotes, type Inputs, inputsOf } from "./explain.ts";
import type { CopyOperand, Origin, Plan, RunMount, StagePlan, Step } from "./plan.ts";
import { type DigestedView, digestCopied, digestMounted } from "./selection.ts";

/** The times that layers get and the paths that they leave out, which shape every one of them. */
export interface LayerMode {
  readonly epoch: number | undefined;
  readonly rewriteTimestamp: boolean;
  readonly reproducible: boolean;
  readonly ignoredPaths: readonly string[];
}

export interface StageKeys {
  /** Of the stage before its first step. */
  readonly base: Key;
  /** Of the stage after each step. */
  readonly steps: readonly StepKey[];
}

export interface StepKey {
  /** Of what the step does. */
  readonly mark: string;
  /** Of the stage after the step. */
  readonly state: Key;
  /** Of the layer alone, where it does not depend on what is below it. */
  readonly own: Key | undefined;
  readonly inputs: Inputs;
}

/** The digest of what a step takes out of some files; undefined where that of some file is not known. */
export type Taken = (files: DigestedView) => Promise<string | undefined>;

/** How an origin enters a key: what its files are, or how they are made. */
export type IdentifyOrigin = (origin: Origin, taken: Taken) => Promise<string>;

export interface KeyTools extends LayerMode {
  /** A context by name; "" is the build context. */
  context(name: string): DigestedView;
  /** What a URL or git repository is now. */
  identify(operand: Extract<CopyOperand, { kind: "url" | "git" }>): Promise<string>;
}

/** The keys of every step of every stage; `salt` gives a stage, and with it all that is made from it, keys that nothing else has. */
export async function computeKeys(
  plan: Plan,
  tools: KeyTools,
  salt: (stage: StagePlan) => string | undefined = () => undefined,
): Promise<readonly StageKeys[]> {
  const stages: Promise<StageKeys>[] = [];
  for (const stage of plan.stages) {
    const made = keysOf(stage, (number) => stages[number], { ...tools, salt: salt(stage) });
    made.catch(() => {});
    stages.push(made);
  }
  return Promise.all(stages);
}

async function keysOf(
  stage: StagePlan,
  stageAt: (number: number) => Promise<StageKeys> | undefined,
  tools: KeyTools & { readonly salt: string | undefined },
): Promise<StageKeys> {
  const lastOf = async (number: number): Promise<Key> => {
    const keys = await stageAt(number);
    if (keys === undefined) throw new Error(`Cannot name stage ${number}: it comes later`);
    return keys.steps.at(-1)?.state ?? keys.base;
  };
  const identify: IdentifyOrigin = async (origin, taken) =>
    origin.kind === "stage" ? `stage ${await lastOf(origin.stage)}` : identifyFiles(origin, taken, tools);
  // All at once: contexts are read while others wait for the network.
  const noted = stage.steps.map(() => new FileNotes());
  const marks = stage.steps.map((step, i) => {
    const note = (path: RawPath, mark: string) => noted[i]?.note(toText(path) || ".", mark);
    const noting: IdentifyOrigin = (origin, taken) => identify(origin, (files) => taken({ ...files, note }));
    return fingerprint(step, noting, tools);
  });
  for (const mark of marks) mark.catch(() => {});
  const start = stage.base.kind === "stage" ? await lastOf(stage.base.stage) : await baseKeyOf(stage, tools);
  const base = tools.salt === undefined ? start : keyOf("salt", [tools.salt, start]);
  const steps: StepKey[] = [];
  let below = base;
  for (const [i, step] of stage.steps.entries()) {
    const mark = (await marks[i]) ?? "";
    const isAlone = step.kind === "copy" && step.link && tools.salt === undefined;
    const own = isAlone ? keyOf("layer", [modeOf(tools), mark]) : undefined;
    const key: StepKey = { mark, state: stateKey(below, mark), own, inputs: inputsOf(step, noted[i] ?? new FileNotes()) };
    steps.push(key);
    below = key.state;
  }
  return { base, steps };
}

/** The key after a step from the one before it. */
export function stateKey(below: Key, mark: string): Key {
  return keyOf("step", [below, mark]);
}

function modeOf({ epoch, rewriteTimestamp, reproducible, ignoredPaths }: LayerMode): string {
  return JSON.stringify([epoch ?? null, rewriteTimestamp, reproducible, ...(ignoredPaths.length === 0 ? [] : [ignoredPaths])]);
}

async function baseKeyOf({ base, platform, config }: StagePlan, tools: KeyTools): Promise<Key> {
  const start = ["base", formatPlatform(platform), modeOf(tools)];
  switch (base.kind) {
    case "scratch":
      return keyOf("base", [...start, "scratch"]);
    case "image":
      // Its layers and not its digest: what the configuration says is in the steps.
      return keyOf("base", [...start, "image", ...config.rootfs.diff_ids]);
    case "context":
      return keyOf("base", [...start, "files", (await digestMounted("", tools.context(base.name ?? ""))) ?? ""]);
    case "stage":
      throw new Error("Cannot name a base before its own keys are known");
  }
}

/** Names an origin that is there before the build. */
export async function identifyFiles(origin: Origin, taken: Taken, tools: Pick<KeyTools, "context">): Promise<string> {
  switch (origin.kind) {
    case "scratch":
      return "scratch";
    case "image":
      return `image ${origin.digest} ${formatPlatform(origin.platform)}`;
    case "context":
      return `files ${await taken(tools.context(origin.name ?? ""))}`;
    case "stage":
      throw new Error("Cannot name a stage by its files before it is built");
  }
}

/** Everything that a step does but what lies below it: 64 hex digits. */
export async function fingerprint(step: Step, identify: IdentifyOrigin, tools: Pick<KeyTools, "identify">): Promise<string> {
  return keyOf("what", [JSON.stringify(await partsOf(step, identify, tools))]);
}

async function partsOf(step: Step, identify: IdentifyOrigin, tools: Pick<KeyTools, "identify">): Promise<readonly unknown[]> {
  switch (step.kind) {
    case "workdir":
      return ["workdir", step.path, step.user];
    case "run": {
      const mounts = await Promise.all(step.mounts.map((mount) => partsOfMount(mount, identify)));
      return ["run", step.args, step.env, step.cwd, step.user, step.network, mounts];
    }
    case "copy": {
      const { sources, parents, link, exclude, destination, chown, chmod } = step;
      const operands = await Promise.all(sources.map((operand) => partsOfOperand(operand, tools)));
      const from = await identify(step.from, (files) => digestCopied(step, files));
      return ["copy", from, operands, parents, link, exclude, destination, chown ?? null, chmod ?? null];
    }
  }
}

async function partsOfOperand(operand: CopyOperand, { identify }: Pick<KeyTools, "identify">): Promise<readonly unknown[]> {
  switch (operand.kind) {
    case "path":
      return ["path", operand.path, operand.unpack];
    case "inline":
      return ["inline", operand.name, operand.text];
    case "url":
      return ["url", operand.name, operand.unpack, await identify(operand)];
    case "git":
      return ["git", await identify(operand)];
  }
}

/** Secrets by their names alone; what caches hold never counts. */
async function partsOfMount(mount: RunMount, identify: IdentifyOrigin): Promise<readonly unknown[]> {
  switch (mount.kind) {
    case "bind":
      return [
        mount.kind,
        mount.target,
        await identify(mount.from, (files) => digestMounted(mount.source, files)),
        mount.source,
        mount.writable,
      ];
    case "cache": {
      const { target, id, source, owner, writable } = mount;
      return [mount.kind, target, id, await identify(mount.from, (files) => digestMounted("", files)), source, owner ?? null, writable];
    }
    case "tmpfs":
      return [mount.kind, mount.target, mount.size, mount.writable];
    case "secret":
      return [mount.kind, mount.id, mount.target ?? null, mount.env ?? null, mount.mode, mount.uid, mount.gid];
    case "ssh":
      return [mount.kind, mount.id, mount.target, mount.mode, mount.uid, mount.gid];
    case "script":
      return [mount.kind, mount.target, mount.text];
  }
}
