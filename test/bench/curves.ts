// Measures how Slipway's costs grow with what it is given, and draws them: `npm run bench:curves`.

import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { buildOnce } from "./build-once.ts";
import { type Curve, curves } from "./curve-points.ts";
import { mostMemory } from "./goals.ts";
import { type CurvePoint, judgeGrowth, summarize } from "./growth.ts";
import { describeMachine } from "./machine.ts";
import { showMarkdown } from "./markdown.ts";
import { runInside } from "./namespaces.ts";
import { openBench } from "./open-bench.ts";
import { drawPlots } from "./svg.ts";
import { findSlipway } from "./tools.ts";

const usage = `npm run bench:curves -- [OPTIONS]
  --curves A,B       of ${curves.map(({ name }) => name).join(", ")} (default: all)
  --least N --most N leaves out points below and above
  --runs N           builds of each point (default 3)
  --out FILE         keeps the results as JSON after each build; what the file has already is not built again
  --plot FILE        builds nothing: draws the picture of such a file, and prints its table
  --svg FILE         where the picture goes (default docs/curves.svg)
  --timeout SECONDS  for one build (default 600)
  --minutes N        no build begins after so long
  --sandbox, --node, --bundle, --work, --data: as for npm run bench`;

const { values } = parseArgs({
  options: {
    curves: { type: "string" },
    least: { type: "string", default: "0" },
    most: { type: "string", default: "Infinity" },
    runs: { type: "string", default: "3" },
    out: { type: "string" },
    plot: { type: "string" },
    svg: { type: "string", default: fileURLToPath(new URL("../../docs/curves.svg", import.meta.url)) },
    timeout: { type: "string", default: "600" },
    minutes: { type: "string", default: "600" },
    sandbox: { type: "string", default: "auto" },
    node: { type: "string", default: process.execPath },
    bundle: { type: "string", default: fileURLToPath(new URL("../../dist/slipway.mjs", import.meta.url)) },
    work: { type: "string", default: "/var/tmp" },
    data: { type: "string", default: fileURLToPath(new URL("../../../shared/bench", import.meta.url)) },
    help: { type: "boolean", default: false },
  },
});

interface CurveBuild {
  readonly curve: string;
  readonly x: number;
  readonly run: number;
  readonly wallMs: number;
  readonly cpuMs: number;
  readonly mainPeakBytes: number;
  readonly load: number;
}

interface CurveResults {
  machine: readonly string[];
  builds: CurveBuild[];
}

const load = (file: string): CurveResults => (existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : { machine: [], builds: [] });

function save(results: CurveResults): void {
  if (values.out === undefined) return;
  writeFileSync(`${values.out}.part`, `${JSON.stringify(results, undefined, 1)}\n`);
  renameSync(`${values.out}.part`, values.out);
}

function chooseCurves(): Curve[] {
  const names = values.curves?.split(",") ?? curves.map(({ name }) => name);
  return names.map((name) => {
    const curve = curves.find((one) => one.name === name);
    if (curve === undefined) throw new Error(`Cannot measure the curve "${name}": there are ${curves.map((one) => one.name).join(", ")}`);
    return curve;
  });
}

async function run(): Promise<void> {
  const results = values.out === undefined ? { machine: [], builds: [] } : load(values.out);
  const slipway = findSlipway(values);
  results.machine = [...describeMachine(), slipway.version];
  using bench = await openBench({ place: values.work, data: values.data, timeoutMs: Number(values.timeout) * 1000 });
  const end = Date.now() + Number(values.minutes) * 60_000;
  for (const curve of chooseCurves()) {
    for (const x of curve.points.filter((point) => point >= Number(values.least) && point <= Number(values.most))) {
      const done = results.builds.filter((one) => one.curve === curve.name && one.x === x).length;
      if (done >= Number(values.runs) || Date.now() > end) continue;
      const folder = join(bench.shared, `${curve.name}-${x}`);
      mkdirSync(folder);
      try {
        const point = await curve.prepare(x, { folder, bench, slipway });
        for (let number = done + 1; number <= Number(values.runs) && Date.now() <= end; number++) {
          const { wallMs, cpuMs, mainPeakBytes, load: before } = await buildOnce(point.tool, point.order, bench);
          results.builds.push({ curve: curve.name, x, run: number, wallMs, cpuMs, mainPeakBytes, load: before });
          console.error(`${curve.name} ${x} ${number}: ${(wallMs / 1000).toFixed(2)} s, ${(mainPeakBytes / 2 ** 20).toFixed(0)} MiB`);
          save(results);
        }
      } catch (error) {
        console.error(`${curve.name} ${x}: ${error instanceof Error ? error.message : error}`);
        process.exitCode = 1;
      }
      rmSync(folder, { recursive: true, force: true });
    }
  }
  show(results);
}

function show({ machine, builds }: CurveResults): void {
  const found = curves.flatMap((curve) => {
    const own = builds.filter((one) => one.curve === curve.name);
    if (own.length === 0) return [];
    const summarizeOf = (pick: (build: CurveBuild) => number) => summarize(own.map((build) => ({ x: build.x, y: pick(build) })));
    const [times, cpu] = [summarizeOf(({ wallMs }) => wallMs / 1000), summarizeOf(({ cpuMs }) => cpuMs / 1000)];
    return [{ curve, times, cpu, memory: summarizeOf(({ mainPeakBytes }) => mainPeakBytes / 2 ** 20) }];
  });
  const plots = found.flatMap(({ curve, times, cpu, memory }) => [
    { title: curve.title, xLabel: curve.unit, yLabel: "seconds", points: times, second: { name: "CPU", points: cpu } },
    { title: "", xLabel: curve.unit, yLabel: "MiB, main process", points: memory, limit: mostMemory / 2 ** 20 },
  ]);
  writeFileSync(values.svg, drawPlots(plots));
  const rows = found.map(({ curve, times, cpu, memory }) => [
    ...[curve.title, `${times[0]?.x} to ${times.at(-1)?.x} ${curve.unit}`],
    ...describeGrowth(times),
    ...describeGrowth(cpu),
    Math.max(...memory.map(({ most }) => most)).toFixed(0),
  ]);
  const text = (title: string) => ({ title, isText: true });
  const growth = (what: string) => [
    { title: `${what}, s` },
    { title: "ms for one more" },
    { title: "at the top" },
    text(`growth of ${what}`),
  ];
  const columns = [text("curve"), text("points"), ...growth("wall"), ...growth("CPU"), { title: "MiB at most" }];
  console.log(machine.map((line) => `- ${line}`).join("\n"));
  console.log(`\n${showMarkdown(columns, rows)}`);
}

/** In seconds: the first and the last, what one more costs below and at the top, and what that comes to. */
function describeGrowth(points: readonly CurvePoint[]): string[] {
  const { below, top, verdict } = judgeGrowth(points);
  const milliseconds = (seconds: number | undefined) => (seconds === undefined ? "" : String(Number((seconds * 1000).toPrecision(2))));
  return [`${points[0]?.median.toFixed(2)} to ${points.at(-1)?.median.toFixed(2)}`, milliseconds(below), milliseconds(top), verdict];
}

if (values.help) console.log(usage);
else if (values.plot !== undefined) show(load(values.plot));
else {
  const code = runInside();
  if (code === undefined) await run();
  else process.exitCode = code;
}
