// The host that is a command line: kaniko's flags in, a log on standard error and an exit code out.

import type { BuildResult, BuildTools, MergeRequest, Request } from "../build/build.ts";
import type { Level, LogFormat } from "../report/line.ts";
import { neutralizeLine } from "../report/neutral.ts";
import { openRenderer } from "../report/renderer.ts";
import type { Renderer } from "../report/report.ts";
import { showChecked } from "./check.ts";
import { findSecrets } from "./credentials.ts";
import { describeFailure } from "./failure.ts";
import { describeUsage } from "./help.ts";
import { watchInterruption } from "./interruption.ts";
import { readMergeRequest } from "./merge.ts";
import { type ParsedFlags, parseFlags, refusePositional } from "./parse-flags.ts";
import { readRequest } from "./request.ts";
import type { Surroundings } from "./surroundings.ts";
import { findNearest, UsageError } from "./usage.ts";
import { type Values, valuesOf } from "./values.ts";
import { version } from "./version.ts";

/** The core's front door, given in so that what needs no build need not load it. */
export type Build = (request: Request, tools: BuildTools) => Promise<BuildResult>;

export type Merge = (request: MergeRequest, tools: BuildTools) => Promise<BuildResult>;

const commands = ["build", "check", "merge", "version", "help"];
const laterCommands = ["warm", "push", "login", "plan", "prune", "doctor"];

/** Runs the command line; gives the exit code and leaves nothing running. */
export async function runShell(build: Build, merge: Merge, surroundings: Surroundings): Promise<number> {
  const [first = "", ...rest] = surroundings.args;
  try {
    if (first === "version" || first === "--version") return showVersion(surroundings);
    if (first === "help") return showHelp(surroundings);
    const command = first === "build" || first === "check" || first === "merge" ? first : undefined;
    if (first !== "" && !first.startsWith("-") && command === undefined) refuseCommand(first);
    const parsed = parseFlags(command === undefined ? surroundings.args : rest);
    if (parsed.help) return showHelp(surroundings);
    refuseForeign(parsed, command ?? "build");
    if (command === "merge") return await runMerge(parsed, merge, surroundings);
    refusePositional(parsed);
    return await runBuild(parsed, build, surroundings, command === "check");
  } catch (error) {
    const { failure } = describeFailure(error, true);
    surroundings.stderr.write(error instanceof UsageError ? `Error: ${error.message}\n` : `${failure.stack ?? ""}\n${failure.headline}\n`);
    return 1;
  }
}

async function runBuild({ given }: ParsedFlags, build: Build, surroundings: Surroundings, checkOnly: boolean): Promise<number> {
  const request = readRequest(given, surroundings, checkOnly);
  const values = valuesOf(given);
  const cleanUp = {
    now: () => (request.stateIsPrivate ? surroundings.removeDirectoryNow(request.stateDir) : undefined),
    later: async () => (request.stateIsPrivate ? surroundings.removeDirectory(request.stateDir) : undefined),
  };
  return await observe(values, request.registry, surroundings, cleanUp, async (tools, renderer) => {
    const { plan, checked } = await build(request, tools);
    if (plan !== undefined) surroundings.stdout.write(renderer.redact(showPlan(plan)));
    if (checked !== undefined) surroundings.stdout.write(renderer.redact(showChecked(checked, values.text("format"))));
    return checked !== undefined && (checked.error !== undefined || checked.findings.length > 0) ? 1 : 0;
  });
}

async function runMerge(parsed: ParsedFlags, merge: Merge, surroundings: Surroundings): Promise<number> {
  const request = readMergeRequest(parsed, surroundings);
  const nothing = { now() {}, async later() {} };
  return await observe(valuesOf(parsed.given), request.registry, surroundings, nothing, async (tools) => {
    const { digest } = await merge(request, tools);
    tools.report.emit({ kind: "notice", text: `Index of ${request.sources.length} images: ${digest}` });
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

function showHelp({ stdout }: Surroundings): number {
  stdout.write(describeUsage());
  return 0;
}

function refuseForeign({ given }: ParsedFlags, command: string): void {
  const foreign = given.find(({ flag }) => flag.command !== undefined && flag.command !== command);
  if (foreign !== undefined) throw new UsageError(`flag ${foreign.spelling} is one of slipway ${foreign.flag.command} alone`);
}

function refuseCommand(name: string): never {
  if (laterCommands.includes(name)) throw new UsageError(`command ${name} is not yet supported`);
  const nearest = findNearest(name, [...commands, ...laterCommands]);
  throw new UsageError(
    `unknown command ${JSON.stringify(name)}${nearest === undefined ? "; see slipway --help" : `; did you mean ${nearest}?`}`,
  );
}
