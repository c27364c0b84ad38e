// The host that is a command line: kaniko's flags in, a log on standard error and an exit code out.

import type {
  BuildResult,
  BuildTools,
  Diagnosis,
  DoctorRequest,
  MergeRequest,
  Pruned,
  PruneRequest,
  Request,
  Warmed,
  WarmRequest,
} from "../build/build.ts";
import type { Level, LogFormat } from "../report/line.ts";
import { neutralizeLine } from "../report/neutral.ts";
import { openRenderer } from "../report/renderer.ts";
import type { Renderer } from "../report/report.ts";
import { showChecked } from "./check.ts";
import { findSecrets } from "./credentials.ts";
import { checkDoctorFlags, chosenOf, findForDoctor, showDiagnosis } from "./doctor.ts";
import { showExplained } from "./explain.ts";
import { describeFailure } from "./failure.ts";
import { describeUsage, describeWarm } from "./help.ts";
import { watchInterruption } from "./interruption.ts";
import { readMergeRequest } from "./merge.ts";
import { type ParsedFlags, parseFlags, refusePositional } from "./parse-flags.ts";
import { readPruneRequest, showPruned } from "./prune.ts";
import { readRegistryOptions } from "./registry-options.ts";
import { readRequest, readStateDir, readSudo } from "./request.ts";
import type { Surroundings } from "./surroundings.ts";
import { findNearest, UsageError } from "./usage.ts";
import { type Values, valuesOf } from "./values.ts";
import { version } from "./version.ts";
import { readWarmRequest, showWarmed, warmFlags } from "./warm.ts";

/** The core's front door, given in so that what needs no build need not load it. */
export interface Core {
  build(request: Request, tools: BuildTools): Promise<BuildResult>;
  mergeImages(request: MergeRequest, tools: BuildTools): Promise<BuildResult>;
  prune(request: PruneRequest, tools: BuildTools): Promise<readonly Pruned[]>;
  diagnose(request: DoctorRequest): Promise<Diagnosis>;
  warm(request: WarmRequest, tools: BuildTools): Promise<readonly Warmed[]>;
}

const commands = ["build", "check", "explain", "merge", "prune", "warm", "doctor", "version", "help"];
const laterCommands = ["push", "login", "plan"];

/** Runs the command line; gives the exit code and leaves nothing running. */
export async function runShell(core: Core, surroundings: Surroundings): Promise<number> {
  const { program } = surroundings;
  // The executor image has this program under both of kaniko's names.
  const [first = "", ...rest] = program === "warmer" ? ["warm", ...surroundings.args] : surroundings.args;
  try {
    if (first === "version" || first === "--version") return showVersion(surroundings);
    if (first === "help") return showHelp(surroundings);
    const isNamed = first !== "" && !first.startsWith("-");
    if (isNamed && !commands.includes(first)) refuseCommand(first);
    const command = isNamed ? first : "build";
    if (command === "warm") return await runWarm(parseFlags(rest, warmFlags), core, surroundings);
    const parsed = parseFlags(isNamed ? rest : surroundings.args);
    if (parsed.help) return showHelp(surroundings);
    refuseForeign(parsed, command);
    if (command === "merge") return await runMerge(parsed, core, surroundings);
    if (command === "prune") return await runPrune(parsed, core, surroundings);
    if (command === "doctor") return await runDoctor(parsed, core, surroundings);
    refusePositional(parsed);
    return await runBuild(parsed, core, surroundings, command === "check" || command === "explain" ? command : "build");
  } catch (error) {
    const { failure } = describeFailure(error, true);
    surroundings.stderr.write(error instanceof UsageError ? `Error: ${error.message}\n` : `${failure.stack ?? ""}\n${failure.headline}\n`);
    return 1;
  }
}

async function runBuild(
  { given }: ParsedFlags,
  core: Core,
  surroundings: Surroundings,
  command: "build" | "check" | "explain",
): Promise<number> {
  const values = valuesOf(given);
  const format = values.text("format");
  if (command === "explain" && format === "sarif")
    throw new UsageError("--format=sarif is of slipway check alone: explain has text and json");
  const request = readRequest(given, surroundings, command);
  return await observe(values, request.registry, surroundings, cleanUpOf(request, surroundings), async (tools, renderer) => {
    const { plan, checked, explained } = await core.build(request, tools);
    if (plan !== undefined) surroundings.stdout.write(renderer.redact(showPlan(plan)));
    if (checked !== undefined) surroundings.stdout.write(renderer.redact(showChecked(checked, format)));
    if (explained !== undefined) surroundings.stdout.write(renderer.redact(showExplained(explained, format)));
    return checked !== undefined && (checked.error !== undefined || checked.findings.length > 0) ? 1 : 0;
  });
}

function cleanUpOf({ stateDir, stateIsPrivate }: ReturnType<typeof readStateDir>, surroundings: Surroundings) {
  if (!stateIsPrivate) return nothing;
  return { now: () => surroundings.removeDirectoryNow(stateDir), later: () => surroundings.removeDirectory(stateDir) };
}

async function runDoctor(parsed: ParsedFlags, core: Core, surroundings: Surroundings): Promise<number> {
  checkDoctorFlags(parsed);
  const values = valuesOf(parsed.given);
  const registry = readRegistryOptions(values, surroundings);
  const place = readStateDir(values, surroundings);
  return await observe(values, registry, surroundings, cleanUpOf(place, surroundings), async (_, renderer) => {
    const diagnosis = await core.diagnose({ ...place, sudo: readSudo(values, surroundings) });
    const findings = findForDoctor(parsed, place, registry.dockerConfig, surroundings);
    surroundings.stdout.write(renderer.redact(showDiagnosis(diagnosis, findings, values.text("format"))));
    return chosenOf(diagnosis) === undefined ? 1 : 0;
  });
}

/** Nothing to clean up. */
const nothing = { now() {}, async later() {} };

async function runMerge(parsed: ParsedFlags, core: Core, surroundings: Surroundings): Promise<number> {
  const request = readMergeRequest(parsed, surroundings);
  return await observe(valuesOf(parsed.given), request.registry, surroundings, nothing, async (tools) => {
    const { digest } = await core.mergeImages(request, tools);
    tools.report.emit({ kind: "notice", text: `Index of ${request.sources.length} images: ${digest}` });
    return 0;
  });
}

async function runPrune(parsed: ParsedFlags, core: Core, surroundings: Surroundings): Promise<number> {
  const request = readPruneRequest(parsed, surroundings);
  return await observe(valuesOf(parsed.given), request.registry, surroundings, nothing, async (tools, renderer) => {
    const pruned = await core.prune(request, tools);
    surroundings.stdout.write(renderer.redact(showPruned(pruned, request.limits.dryRun)));
    const [failure, ...others] = pruned.flatMap(({ outcome }) => (outcome instanceof Error ? [outcome] : []));
    for (const { message: text } of others) tools.report.emit({ kind: "warning", text });
    if (failure !== undefined) throw failure;
    return 0;
  });
}

async function runWarm(parsed: ParsedFlags, core: Core, surroundings: Surroundings): Promise<number> {
  if (parsed.help) return showHelp(surroundings, describeWarm());
  const { request, notices } = readWarmRequest(parsed, surroundings);
  return await observe(valuesOf(parsed.given, warmFlags), request.registry, surroundings, nothing, async (tools, renderer) => {
    for (const text of notices) tools.report.emit({ kind: "notice", text });
    const warmed = await core.warm(request, tools);
    surroundings.stdout.write(renderer.redact(showWarmed(warmed)));
    const failures = warmed.flatMap(({ outcome }) => (outcome instanceof Error ? [outcome] : []));
    const [first] = failures;
    // What is missing there is pulled by the builds.
    if (first !== undefined && failures.length === warmed.length) throw first;
    for (const { message: text } of failures) tools.report.emit({ kind: "warning", text });
    return 0;
  });
}

/** Does the work under a renderer and the user's signals; gives its exit code, or that of what went wrong. */
async function observe(
  values: Values,
  registry: Request["registry"],
  surroundings: Surroundings,
  cleanUp: { now(): void; later(): Promise<void> },
  work: (tools: BuildTools, renderer: Renderer) => Promise<number>,
): Promise<number> {
  const verbosity = values.text("verbosity") as Level;
  const format = values.text("log-format") || (surroundings.env.NO_COLOR ? "text" : undefined);
  const choice = { verbosity, format: format as LogFormat | undefined, timestamps: values.isSet("log-timestamp") };
  const renderer = openRenderer(surroundings.stderr, choice, surroundings.clock);
  const interruption = watchInterruption(surroundings, () => {
    const { failure } = describeFailure(interruption.signal.reason, false);
    renderer.fail({ ...failure, hint: "the build was ended before it had cleaned up" });
    cleanUp.now();
  });
  let code = 1;
  try {
    for (const secret of findSecrets(registry.dockerConfig, surroundings)) renderer.mask(secret);
    code = await work({ report: renderer, signal: interruption.signal, stdin: surroundings.stdin }, renderer);
  } catch (error) {
    const reason: unknown = interruption.exitCode === undefined ? error : interruption.signal.reason;
    const { failure, exitCode } = describeFailure(reason, verbosity === "debug" || verbosity === "trace");
    renderer.fail(failure);
    code = interruption.exitCode ?? exitCode;
  } finally {
    renderer.close();
    await cleanUp.later();
    interruption.end(code);
  }
  return code;
}

// It quotes the Dockerfile, so it may hold what a CI system would obey.
function showPlan(plan: string): string {
  const lines = plan.replace(/\n$/, "").split("\n");
  return lines.map((line) => `${neutralizeLine(line, false)}\n`).join("");
}

function showVersion({ stdout }: Surroundings): number {
  stdout.write(`slipway ${version}\nnode ${process.version} ${process.platform}/${process.arch}\n`);
  return 0;
}

function showHelp({ stdout }: Surroundings, text = describeUsage()): number {
  stdout.write(text);
  return 0;
}

function refuseForeign({ given }: ParsedFlags, command: string): void {
  const foreign = given.find(({ flag }) => flag.commands?.every((one) => one !== command));
  const { spelling, flag } = foreign ?? {};
  if (flag === undefined) return;
  const hint = flag.name === "dry-run" ? "; did you mean --dryrun?" : "";
  throw new UsageError(`flag ${spelling} is one of slipway ${flag.commands?.join(" and ")} alone${hint}`);
}

function refuseCommand(name: string): never {
  if (laterCommands.includes(name)) throw new UsageError(`command ${name} is not yet supported`);
  const nearest = findNearest(name, [...commands, ...laterCommands]);
  throw new UsageError(
    `unknown command ${JSON.stringify(name)}${nearest === undefined ? "; see slipway --help" : `; did you mean ${nearest}?`}`,
  );
}
