// Builds programs that a seed makes up with BuildKit and with Slipway, and compares: `npm run fuzz:differential`.

import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { startLocalRegistry } from "../support/local-registry.ts";
import { pushBases } from "./base.ts";
import { type Build, buildWithReference, buildWithSlipway } from "./builders.ts";
import { compareOutcomes } from "./compare-outcomes.ts";
import { deliberate } from "./deliberate.ts";
import { readFinding, writeFinding } from "./finding.ts";
import { generateProgram } from "./generate.ts";
import type { Outcome } from "./outcome.ts";
import { dockerfileOf, type Program } from "./program.ts";
import { startReference } from "./reference.ts";
import { shrinkProgram } from "./shrink.ts";

const usage = `npm run fuzz:differential -- [OPTIONS]
  --seed N          the first program (default 1)
  --count N         how many programs (default 100)
  --reference DIR   what test/differential/make-reference made (default /var/tmp/slipway-reference)
  --keep DIR        where to keep what differs, a folder each, with BuildKit's outcome
  --case DIR        the program in this folder instead of those of seeds; may be repeated
  --record          with --case: write down BuildKit's outcome
  --no-shrink       leave programs that differ as they are
  --show            print each program`;

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: "1" },
    count: { type: "string", default: "100" },
    reference: { type: "string", default: "/var/tmp/slipway-reference" },
    keep: { type: "string" },
    case: { type: "string", multiple: true, default: [] },
    record: { type: "boolean", default: false },
    "no-shrink": { type: "boolean", default: false },
    show: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

interface Pair {
  readonly reference: Build;
  readonly slipway: Build;
}

async function differencesOf(program: Program, { reference, slipway }: Pair): Promise<string[]> {
  const [wanted, got] = await Promise.all([reference(program), slipway(program)]);
  return isUnfit(program, wanted) ? [] : compareOutcomes(wanted, got);
}

const isUnfit = (program: Program, wanted: Outcome): boolean => wanted.fails && deliberate.unfit.some((unfit) => unfit(program, wanted));

/** The kind of difference, so that shrinking does not end with another one: paths, lines and checksums may change, words not. */
function kindOf([first = "", second = ""]: readonly string[]): string {
  const isFailure = /^(line|failure|success):/.test(first);
  return isFailure ? `${first}${second}`.replaceAll(/ref \S+|"[^"]*"|[\d\s]+/g, "") : first.replace(/[\s:].*/s, "");
}

async function tryProgram(name: string, program: Program, pair: Pair): Promise<boolean> {
  const lines = await differencesOf(program, pair);
  if (lines.length === 0) return false;
  const kind = kindOf(lines);
  const small = values["no-shrink"]
    ? program
    : await shrinkProgram(program, async (candidate) => kindOf(await differencesOf(candidate, pair)) === kind);
  console.log(`\n=== ${name} differs\n${showProgram(small)}\n${indent(small === program ? lines : await differencesOf(small, pair))}`);
  if (values.keep !== undefined) writeFinding(join(values.keep, name), small, await pair.reference(small));
  return true;
}

const indent = (lines: readonly string[]): string => lines.map((line) => `  ${line}`).join("\n");

function showProgram(program: Program): string {
  const options = JSON.stringify({ target: program.target, buildArgs: program.buildArgs, secrets: program.secrets });
  return `${dockerfileOf(program, "REGISTRY")}--- ${options}\n${program.files.map((file) => `    ${JSON.stringify(file).replaceAll(/x{9,}/g, "x…")}`).join("\n")}`;
}

async function run(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "slipway-differential-"));
  const makeFolder = (name: string) => {
    mkdirSync(join(folder, name));
    return join(folder, name);
  };
  try {
    await using registry = await startLocalRegistry(makeFolder("registry"));
    await using daemon = await startReference(resolve(values.reference), makeFolder("reference"));
    console.log(`Compared with:\n${daemon.versions}\n`);
    const bench = { host: registry.host, folder: makeFolder("work"), known: await pushBases(registry.host, folder) };
    const pair = { reference: buildWithReference(daemon, bench), slipway: buildWithSlipway(makeFolder("state"), bench) };
    if (values.case.length > 0) await tryCases(pair);
    else await tryAll(pair);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function tryCases(pair: Pair): Promise<void> {
  for (const folder of values.case) {
    const { program } = readFinding(folder);
    const [wanted, got] = await Promise.all([pair.reference(program), pair.slipway(program)]);
    const lines = compareOutcomes(wanted, got);
    console.log(`${lines.length === 0 ? "same" : "differs"}: ${folder}\n${lines.map((line) => `  ${line}\n`).join("")}`);
    if (values.show) console.log(JSON.stringify(wanted, undefined, 1));
    if (values.record) writeFinding(folder, program, wanted);
    if (lines.length > 0) process.exitCode = 1;
  }
}

async function tryAll(pair: Pair): Promise<void> {
  const [first, count] = [Number(values.seed), Number(values.count)];
  const differing: number[] = [];
  const start = performance.now();
  for (let seed = first; seed < first + count; seed++) {
    const program = generateProgram(seed);
    if (values.show) console.log(`--- seed ${seed}\n${showProgram(program)}`);
    if (await tryProgram(`seed-${seed}`, program, pair)) differing.push(seed);
    if ((seed - first) % 50 === 49) console.log(`${seed - first + 1} of ${count}: ${differing.length} differ`);
  }
  const seconds = ((performance.now() - start) / 1000).toFixed(0);
  console.log(
    `\n${count} programs, seeds ${first} to ${first + count - 1}, in ${seconds} s: ${differing.length} differ ${differing.join(" ")}`,
  );
  if (differing.length > 0) process.exitCode = 1;
}

// So that the daemons end too.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));
if (values.help) console.log(usage);
else await run();
