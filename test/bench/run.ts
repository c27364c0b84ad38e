// Measures whole builds by Slipway and its peers against a registry on loopback and prints tables: `npm run bench`.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { listAttempts } from "./attempts.ts";
import { type Case, cases } from "./goals.ts";
import { listInputs, prepareInput } from "./input.ts";
import { type InputBuilds, openInput } from "./input-builds.ts";
import { describeMachine } from "./machine.ts";
import { runInside } from "./namespaces.ts";
import { openBench } from "./open-bench.ts";
import { type Attempt, isSame, loadResults, noResults, type Results, saveResults } from "./results.ts";
import { showResults } from "./table.ts";
import { findTools, type Tool } from "./tools.ts";

const usage = `npm run bench -- [OPTIONS]
  --inputs A,B       inputs (default: those of ../shared/bench; further layer-2g and files-200k; "all" for all)
  --cases A,B        cold, hit (a fresh state, a cache repository that the same build filled), edit (the same, one file changed)
  --tools A,B        slipway, buildkit, buildah, kaniko (default: those that are there)
  --delay A,B        milliseconds that a proxy adds to every round trip (default 0)
  --runs N           builds of each (default 5); the tables have medians
  --out FILE         keeps the results as JSON after each build; what the file has already is not built again
  --table FILE       builds nothing: prints the tables of such a file
  --timeout SECONDS  for one build (default 600)
  --minutes N        no build begins after so long
  --docker-root DIR  a Debian root with docker.io, for its BuildKit (default /var/tmp/slip-sid); buildkitd on PATH goes before it
  --kaniko FILE      kaniko's executor
  --sandbox NAME     Slipway's sandbox (default auto)
  --node PROGRAM     the Node that runs the bundle (default: this one)
  --bundle FILE      Slipway's bundle (default dist/slipway.mjs)
  --work DIR         where contexts, state and registry lie (default /var/tmp); root has a new ext4 there for each build
  --data DIR         the inputs (default ../shared/bench)
The base is made once with mmdebstrap and kept in ~/.cache/slipway-bench.`;

const { values } = parseArgs({
  options: {
    inputs: { type: "string" },
    cases: { type: "string", default: cases.join(",") },
    tools: { type: "string" },
    delay: { type: "string", default: "0" },
    runs: { type: "string", default: "5" },
    out: { type: "string" },
    table: { type: "string" },
    timeout: { type: "string", default: "600" },
    minutes: { type: "string", default: "600" },
    "docker-root": { type: "string", default: "/var/tmp/slip-sid" },
    kaniko: { type: "string", default: "" },
    sandbox: { type: "string", default: "auto" },
    node: { type: "string", default: process.execPath },
    bundle: { type: "string", default: fileURLToPath(new URL("../../dist/slipway.mjs", import.meta.url)) },
    work: { type: "string", default: "/var/tmp" },
    data: { type: "string", default: fileURLToPath(new URL("../../../shared/bench", import.meta.url)) },
    help: { type: "boolean", default: false },
  },
});

/** Of a list like `a,b`, those of `known`; all that `usual` names where there is no list. */
function choose<T extends string>(what: string, list: string | undefined, known: readonly T[], usual: readonly T[] = known): T[] {
  if (list === undefined) return [...usual];
  return list.split(",").map((name) => {
    const found = known.find((one) => one === name);
    if (found === undefined) throw new Error(`Cannot measure the ${what} "${name}": there are ${known.join(", ")}`);
    return found;
  });
}

function chooseInputs(): string[] {
  const known = listInputs(values.data);
  const usual = known.filter((name) => existsSync(join(values.data, name)));
  return choose("input", values.inputs === "all" ? known.join(",") : values.inputs, known, usual);
}

async function run(): Promise<void> {
  if (!existsSync(values.data)) throw new Error(`The benchmark inputs are missing: ${values.data}`);
  const found = findTools({ ...values, dockerRoot: values["docker-root"] });
  const tools = new Map(found.map((tool) => [tool.name, tool]));
  const attempts = listAttempts({
    inputs: chooseInputs(),
    cases: choose<Case>("case", values.cases, cases),
    delays: values.delay.split(",").map(Number),
    tools: choose("tool", values.tools, [...tools.keys()]),
    runs: Number(values.runs),
  });
  const results = values.out === undefined ? noResults() : loadResults(values.out);
  results.machine = describeMachine();
  results.tools = { ...results.tools, ...Object.fromEntries(found.map(({ name, version }) => [name, version])) };
  const missing = attempts.filter((attempt) => !results.builds.some((one) => isSame(one, attempt)));
  using bench = await openBench({ place: values.work, data: values.data, timeoutMs: Number(values.timeout) * 1000 });
  const end = Date.now() + Number(values.minutes) * 60_000;
  for (const input of new Set(missing.map((one) => one.input))) {
    if (Date.now() > end) break;
    const context = join(bench.shared, "context");
    prepareInput(input, values.data, context);
    using builds = openInput(context, bench.base, bench);
    for (const attempt of missing.filter((one) => one.input === input)) {
      const tool = tools.get(attempt.tool);
      if (tool !== undefined && Date.now() < end) await measureOne(builds, tool, attempt, results);
    }
  }
  console.log(showResults(results));
}

async function measureOne(builds: InputBuilds, tool: Tool, attempt: Attempt, results: Results): Promise<void> {
  const what = `${attempt.input} ${attempt.case}${attempt.delay === 0 ? "" : ` +${attempt.delay} ms`} ${tool.name} ${attempt.run}`;
  results.failures = results.failures.filter((one) => !isSame(one, attempt));
  try {
    const result = await builds.build(tool, attempt);
    results.builds.push(result);
    const trips = result.roundTrips === undefined ? "" : `, ${result.roundTrips} round trips of ${result.requests} requests`;
    console.error(`${what}: ${(result.wallMs / 1000).toFixed(2)} s${trips}`);
  } catch (error) {
    const failure = error instanceof Error ? error.message : String(error);
    results.failures.push({ ...attempt, failure });
    console.error(`${what}: ${failure}`);
  }
  if (values.out !== undefined) saveResults(values.out, results);
}

if (values.help) console.log(usage);
else if (values.table !== undefined) console.log(showResults(loadResults(values.table)));
else {
  const code = runInside();
  if (code === undefined) await run();
  else process.exitCode = code;
}
