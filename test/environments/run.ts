// Asks every sandbox in every environment what RUNs rely on, and compares with what the reference found: `npm run environments`.

import { chmodSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { sandboxNames } from "../../src/sandbox/sandbox.ts";
import { describeMachine } from "../bench/machine.ts";
import { openExecutorImage } from "../executor/executor-image.ts";
import { type BaseName, makeBase } from "./bases.ts";
import { chains } from "./battery.ts";
import { findDifferences } from "./compare.ts";
import { ladder } from "./expected.ts";
import { showFigures } from "./figures.ts";
import { places } from "./places.ts";
import { showFailures, showTable } from "./table.ts";
import { type Cell, type Tools, tryCell } from "./try-cell.ts";

const usage = `npm run environments -- [OPTIONS]
  --only A,B        environments: ${places.map(({ name }) => name).join(", ")}
  --rungs A,B       sandboxes: auto, ${sandboxNames.join(", ")} (default: all that there are, each by its name)
  --reduced         what the gate runs: docker, k8s, restricted, privileged and user, with auto, packages alone
  --figures         instead, measures a RUN in each sandbox, and packages against a bare chroot; for a machine that is quiet
  --runs N          rounds of figures (default 5); medians are shown
  --main FILE       what builds (default dist/slipway.mjs)
  --work DIR        where all of it lies (default /var/tmp)
  --data DIR        ../shared
  --keep            leave the working folder
The bases are made once with mmdebstrap and kept in ~/.cache/slipway-environments. Ends with 1 where something fails that worked in the reference.`;

const { values } = parseArgs({
  options: {
    only: { type: "string" },
    rungs: { type: "string" },
    reduced: { type: "boolean", default: false },
    figures: { type: "boolean", default: false },
    runs: { type: "string", default: "5" },
    main: { type: "string", default: fileURLToPath(new URL("../../dist/slipway.mjs", import.meta.url)) },
    work: { type: "string", default: "/var/tmp" },
    data: { type: "string", default: fileURLToPath(new URL("../../../shared", import.meta.url)) },
    keep: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

const outsideOfTests = {
  after() {},
  skip(why: string) {
    throw new Error(`Cannot start the executor image: ${why}`);
  },
} as unknown as TestContext;

const gate = { environments: ["docker", "k8s", "restricted", "privileged", "user"], chains: ["packages"] };

/** Of a list like `a,b`, those of `known`. */
function choose(what: string, list: string, known: readonly string[]): string[] {
  const names = list.split(",");
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) throw new Error(`Cannot try the ${what} "${unknown}": there are ${known.join(", ")}`);
  return names;
}

async function tryAll(tools: Tools): Promise<Cell[]> {
  const all = places.map(({ name }) => name);
  const environments = values.only === undefined ? (values.reduced ? gate.environments : all) : choose("environment", values.only, all);
  const usual = values.reduced ? ["auto"] : sandboxNames;
  const rungs = values.rungs === undefined ? usual : choose("sandbox", values.rungs, ["auto", ...sandboxNames]);
  const cells: Cell[] = [];
  for (const name of environments) {
    const place = places.find((one) => one.name === name);
    for (const rung of place === undefined ? [] : rungs) {
      if (place === undefined) continue;
      const started = performance.now();
      const cell = await tryCell(place, rung, tools);
      const seconds = ((performance.now() - started) / 1000).toFixed(1).padStart(5);
      console.error(`${seconds} s  ${name}, ${cell.rung}: ${cell.refused ?? `${cell.passed.length} passed, ${cell.failed.size} failed`}`);
      cells.push(cell);
    }
  }
  return cells;
}

function report(cells: readonly Cell[]): void {
  const lacking = ladder.filter((rung) => !sandboxNames.some((name) => name === rung));
  console.log(
    `${describeMachine()
      .map((line) => `- ${line}`)
      .join("\n")}\n\n${showTable(cells, lacking)}\n\n${showFailures(cells)}`,
  );
  const differences = cells.flatMap(findDifferences);
  if (differences.length === 0) return;
  process.exitCode = 1;
  console.log(`\nThe reference has what fails here:\n${differences.join("\n")}`);
}

async function run(): Promise<void> {
  if (!existsSync(join(values.data, "environments"))) throw new Error(`The environments are missing: ${values.data}/environments`);
  if (process.geteuid?.() !== 0) throw new Error("Cannot start containers: it needs root");
  const folder = mkdtempSync(join(values.work, "slipway-environments-"));
  chmodSync(folder, 0o755);
  try {
    const build = [process.execPath, resolve(values.main)];
    const chosen = values.reduced || values.figures ? chains.filter(({ name }) => gate.chains.includes(name)) : chains;
    const names: BaseName[] = ["busybox", ...chosen.map(({ name }) => name)];
    const bases = new Map(names.map((name) => [name, makeBase(name, folder, { build, data: values.data })]));
    const executor = () => openExecutorImage(outsideOfTests)?.root ?? "";
    const tools: Tools = { folder, shared: values.data, build, bases, chains: chosen, executor };
    if (values.figures) console.log(await showFigures(tools, Number(values.runs)));
    else report(await tryAll(tools));
  } finally {
    if (values.keep) console.log(`Kept: ${folder}`);
    else rmSync(folder, { recursive: true, force: true });
  }
}

if (values.help) console.log(usage);
else await run();
