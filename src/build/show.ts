// A plan as text: what a dry run prints and what golden files compare.

import type { GitSource } from "../context/context.ts";
import { quoteList } from "../dockerfile/dockerfile.ts";
import { formatImageName } from "../image/layout.ts";
import { formatPlatform } from "../image/platform.ts";
import { toText } from "../layer/entry.ts";
import { formatMode } from "./mode.ts";
import type { CopyOperand, CopyStep, Origin, Plan, RunMount, StagePlan, Step } from "./plan.ts";

/** One block per stage that is built, in order, the target marked; equal plans give equal text. */
export function showPlan(plan: Plan): string {
  const blocks = plan.stages.map((stage, number) => showStage(stage, plan, plan.targets.includes(number)));
  const epoch = plan.epoch === undefined ? [] : [`SOURCE_DATE_EPOCH ${plan.epoch}`];
  return `${[...epoch, ...blocks].join("\n\n")}\n`;
}

function showStage(stage: StagePlan, plan: Plan, isTarget: boolean): string {
  const head = `STAGE ${stage.index} ${stage.name}${isTarget ? " (target)" : ""} ${formatPlatform(stage.platform)}${stage.isUncached ? " uncached" : ""}`;
  const own = (stage.config.history ?? []).slice(stage.inheritedHistory);
  const lines = [`FROM ${showOrigin(stage.base, plan)}`, ...stage.steps.flatMap((step) => showStep(step, plan))];
  const config = Object.entries(stage.config.config ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `CONFIG ${key} ${JSON.stringify(value)}`);
  const history = own.map((line) => `HISTORY ${line.empty_layer ? "-" : "+"} ${line.created_by ?? ""}`);
  return [head, ...[...lines, ...config, ...history].map((line) => `  ${line}`)].join("\n");
}

function showStep(step: Step, plan: Plan): string[] {
  const at = `line ${step.source.line}`;
  switch (step.kind) {
    case "run":
      return [
        `RUN ${quoteList(step.args)} in ${step.cwd}${step.user === "" ? "" : ` as ${step.user}`} ${at}`,
        ...(step.network === "default" ? [] : [`  NETWORK ${step.network}`]),
        ...[...step.env, ...step.proxies].map((pair) => `  ENV ${pair}`),
        ...step.mounts.map((mount) => `  MOUNT ${showMount(mount, plan)}`),
      ];
    case "workdir":
      return [`MKDIR /${toText(step.path)}${step.user === "" ? "" : ` as ${step.user}`} ${at}`];
    case "copy":
      return [showCopy(step, plan, at)];
  }
}

function showMount(mount: RunMount, plan: Plan): string {
  const owner = (given: { mode: number; uid: number; gid: number } | undefined) =>
    given === undefined ? "" : ` mode=${given.mode.toString(8).padStart(4, "0")} uid=${given.uid} gid=${given.gid}`;
  const required = "required" in mount && mount.required ? " required" : "";
  const access = "writable" in mount ? ` ${mount.writable ? "rw" : "ro"}` : "";
  switch (mount.kind) {
    case "bind":
      return `bind ${showOrigin(mount.from, plan)} /${toText(mount.source)} to ${mount.target}${access}`;
    case "cache": {
      const seed = mount.from.kind === "scratch" ? "" : ` from ${showOrigin(mount.from, plan)}`;
      const part = mount.source === "" ? "" : ` /${toText(mount.source)}`;
      return `cache ${JSON.stringify(mount.id)}${seed}${part} to ${mount.target} ${mount.sharing}${owner(mount.owner)}${access}`;
    }
    case "tmpfs":
      return `tmpfs to ${mount.target}${mount.size === 0 ? "" : ` size=${mount.size}`}${access}`;
    case "secret": {
      const places = [mount.target === undefined ? "" : ` to ${mount.target}`, mount.env === undefined ? "" : ` as $${mount.env}`];
      return `secret ${JSON.stringify(mount.id)}${places.join("")}${mount.target === undefined ? "" : owner(mount)}${required}`;
    }
    case "ssh":
      return `ssh ${JSON.stringify(mount.id)} to ${mount.target}${owner(mount)}${required}`;
    case "script":
      return `script to ${mount.target} ${JSON.stringify(mount.text)}`;
  }
}

function showCopy(step: CopyStep, plan: Plan, at: string): string {
  const sources = step.sources.map(showOperand);
  const options = [
    step.chown === undefined ? "" : ` chown=${step.chown}`,
    step.chmod === undefined ? "" : ` chmod=${formatMode(step.chmod)}`,
    step.sources.some((source) => "unpack" in source && source.unpack) ? " unpack" : "",
    ...step.sources.map((source) => (source.kind === "url" && source.checksum !== undefined ? ` checksum=${source.checksum}` : "")),
    step.parents ? " parents" : "",
    step.link ? " link" : "",
    ...step.exclude.map((pattern) => ` exclude=${toText(pattern)}`),
  ].join("");
  return `COPY ${quoteList(sources)} from ${showOrigin(step.from, plan)} to /${toText(step.destination).replace(/^\//, "")}${options} ${at}`;
}

/** In one of the ways in which it could be written. */
function showGit({ remote, ref, subdir, checksum, submodules, keepGitDir, mtime, fetchByCommit }: GitSource): string {
  const query = [
    ref === undefined ? "" : `ref=${ref}`,
    subdir === undefined ? "" : `subdir=${subdir}`,
    checksum === undefined ? "" : `checksum=${checksum}`,
    submodules ? "" : "submodules=false",
    keepGitDir ? "keep-git-dir=true" : "",
    mtime === "checkout" ? "" : `mtime=${mtime}`,
    fetchByCommit ? "fetch-by-commit=true" : "",
  ].filter((part) => part !== "");
  return query.length === 0 ? remote : `${remote}?${query.join("&")}`;
}

function showOperand(operand: CopyOperand): string {
  if (operand.kind === "path") return toText(operand.path);
  if (operand.kind === "url") return operand.url;
  return operand.kind === "git" ? showGit(operand.source) : `<<${toText(operand.name)}`;
}

function showOrigin(origin: Origin, plan: Plan): string {
  switch (origin.kind) {
    case "image":
      return `${formatImageName({ ...origin.reference, digest: origin.digest })}`;
    case "stage":
      return `stage ${plan.stages[origin.stage]?.index}`;
    case "context":
      return origin.name === undefined ? "context" : `context "${origin.name}"`;
    case "scratch":
      return "scratch";
  }
}
