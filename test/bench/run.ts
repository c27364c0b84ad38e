// Measures whole builds from a cold start against a registry on loopback and prints a table: `npm run bench`.

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type LocalRegistry, pushRootFileSystem, startLocalRegistry } from "../support/local-registry.ts";
import { type Builder, makeSlipway, peers } from "./builder.ts";
import { listInputs, prepareInput } from "./input.ts";
import { type Measures, measure } from "./measure.ts";
import { type Row, showTable } from "./table.ts";
import { countLayerBytes, type Transferred } from "./transfer.ts";

const usage = `npm run bench -- [OPTIONS]
  --inputs A,B     inputs (default: those of ../shared/bench; further layer-2g and files-200k; "all" for all)
  --runs N         builds of each input (default 3); the table has medians
  --peers A,B      other builders to measure in the same run: ${[...peers.keys()].join(", ")}
  --sandbox NAME   Slipway's sandbox (default auto)
  --node PROGRAM   the Node that runs the bundle (default: this one)
  --work DIR       where contexts, state and registry lie (default /var/tmp)
  --data DIR       the inputs (default ../shared/bench)
The base is made once with mmdebstrap and kept in ~/.cache/slipway-bench.`;

const { values } = parseArgs({
  options: {
    inputs: { type: "string" },
    runs: { type: "string", default: "3" },
    peers: { type: "string", default: "" },
    sandbox: { type: "string", default: "auto" },
    node: { type: "string", default: process.execPath },
    work: { type: "string", default: "/var/tmp" },
    data: { type: "string", default: fileURLToPath(new URL("../../../shared/bench", import.meta.url)) },
    help: { type: "boolean", default: false },
  },
});

function chooseInputs(): string[] {
  const known = listInputs(values.data);
  if (values.inputs === "all") return known;
  if (values.inputs === undefined) return known.filter((name) => existsSync(join(values.data, name)));
  const chosen = values.inputs.split(",");
  for (const name of chosen) if (!known.includes(name)) throw new Error(`Cannot measure "${name}": the inputs are ${known.join(", ")}`);
  return chosen;
}

function chooseBuilders(): Builder[] {
  const bundle = fileURLToPath(new URL("../../dist/slipway.mjs", import.meta.url));
  const named = values.peers.split(",").filter((name) => name !== "");
  const others = named.map((name) => {
    const peer = peers.get(name);
    if (peer === undefined) throw new Error(`Cannot measure "${name}": the peers are ${[...peers.keys()].join(", ")}`);
    return peer;
  });
  return [makeSlipway({ node: values.node, bundle, sandbox: values.sandbox }), ...others];
}

function makeBase(): string {
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "slipway-bench");
  const base = join(cache, "debian-bookworm.tar.gz");
  if (existsSync(base)) return base;
  mkdirSync(cache, { recursive: true });
  console.error("Making the base with mmdebstrap, once");
  execFileSync(join(values.data, "make-base"), [`${base}.part`], { stdio: ["ignore", "ignore", "inherit"] });
  renameSync(`${base}.part`, base);
  return base;
}

interface BuildResult extends Measures, Transferred {}

async function buildOnce(
  builder: Builder,
  context: string,
  { registry, work, destination }: { registry: LocalRegistry; work: string; destination: string },
): Promise<BuildResult> {
  const state = mkdtempSync(join(work, "state-"));
  try {
    // What an earlier build left to be written must not be paid for by this one.
    execFileSync("sync");
    const before = registry.requests().length;
    const env = { PATH: process.env.PATH, HOME: state, TMPDIR: state };
    const command = builder.command({ context, host: registry.host, destination, state });
    const measures = await measure(command, { cwd: state, env, ...builder.measured });
    if (measures.exitCode !== 0) throw new Error(`${builder.name} ended with ${measures.exitCode} on "${context}":\n${measures.log}`);
    // The registry logs a request a moment after it answered.
    await setTimeout(200);
    return { ...measures, ...countLayerBytes(registry.requests().slice(before), registry) };
  } finally {
    rmSync(state, { recursive: true, force: true });
  }
}

async function run(): Promise<void> {
  if (!existsSync(values.data)) throw new Error(`The benchmark inputs are missing: ${values.data}`);
  const [inputs, builders] = [chooseInputs(), chooseBuilders()];
  const base = makeBase();
  const work = mkdtempSync(join(values.work, "slipway-bench-"));
  const rows: Row[] = [];
  try {
    mkdirSync(join(work, "registry"));
    await using registry = await startLocalRegistry(join(work, "registry"));
    await pushRootFileSystem(registry.host, base, ["base/debian:bookworm"]);
    for (const input of inputs) {
      const context = join(work, "context", input);
      prepareInput(input, values.data, context);
      const results = new Map<Builder, BuildResult[]>(builders.map((builder) => [builder, []]));
      for (let number = 1; number <= Number(values.runs); number++) {
        for (const [builder, list] of results) {
          // A repository of its own: what an earlier build uploaded must not be found there.
          const destination = `built/${input}-${builder.name}-${number}:1`;
          list.push(await buildOnce(builder, context, { registry, work, destination }));
          console.error(`${input} ${builder.name} ${number}: ${((list.at(-1)?.wallMs ?? 0) / 1000).toFixed(2)} s`);
        }
      }
      for (const [builder, list] of results) rows.push({ input, builder: builder.name, results: list });
      rmSync(context, { recursive: true, force: true });
    }
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  console.log(showTable(rows));
}

if (values.help) console.log(usage);
else await run();
