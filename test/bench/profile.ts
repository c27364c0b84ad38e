// Builds one input once with Node's profiler on and says where the main thread's time went: `npm run bench:profile`.

import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { cases } from "./goals.ts";
import { prepareInput } from "./input.ts";
import { openInput } from "./input-builds.ts";
import { showMarkdown } from "./markdown.ts";
import { runInside } from "./namespaces.ts";
import { openBench } from "./open-bench.ts";
import { type CpuProfile, summarizeProfile } from "./summarize-profile.ts";
import { findSlipway, type Tool } from "./tools.ts";

const usage = `npm run bench:profile -- [OPTIONS]
  --input NAME   (default small)
  --case NAME    cold, hit or edit (default cold)
  --delay N      milliseconds that a proxy adds to every round trip (default 0)
  --top N        functions to list (default 20)
  --keep DIR     where the profile goes, for Chromium's tools (default: nowhere)
  --sandbox, --node, --bundle, --work, --data: as for npm run bench`;

const { values } = parseArgs({
  options: {
    input: { type: "string", default: "small" },
    case: { type: "string", default: "cold" },
    delay: { type: "string", default: "0" },
    top: { type: "string", default: "20" },
    keep: { type: "string" },
    sandbox: { type: "string", default: "auto" },
    node: { type: "string", default: process.execPath },
    bundle: { type: "string", default: fileURLToPath(new URL("../../dist/slipway.mjs", import.meta.url)) },
    work: { type: "string", default: "/var/tmp" },
    data: { type: "string", default: fileURLToPath(new URL("../../../shared/bench", import.meta.url)) },
    help: { type: "boolean", default: false },
  },
});

async function run(): Promise<void> {
  const name = cases.find((one) => one === values.case);
  if (name === undefined) throw new Error(`Cannot measure the case "${values.case}": there are ${cases.join(", ")}`);
  using bench = await openBench({ place: values.work, data: values.data, timeoutMs: 600_000 });
  const profiles = values.keep ?? join(bench.shared, "profiles");
  mkdirSync(profiles, { recursive: true });
  const slipway = findSlipway(values);
  const profiled: Tool = {
    ...slipway,
    command(task) {
      const [node = "", ...rest] = slipway.command(task);
      return [node, "--cpu-prof", `--cpu-prof-dir=${profiles}`, ...rest];
    },
  };
  const context = join(bench.shared, "context");
  prepareInput(values.input, values.data, context);
  using builds = openInput(context, bench.base, bench);
  const result = await builds.build(profiled, { tool: "slipway", input: values.input, case: name, delay: Number(values.delay), run: 1 });
  // The last one is of the build that was measured: those before have filled the cache.
  const file = readdirSync(profiles)
    .filter((one) => one.endsWith(".cpuprofile"))
    .sort()
    .at(-1);
  const profile: CpuProfile = JSON.parse(readFileSync(join(profiles, file ?? ""), "utf8"));
  const { busyMs, groups, functions } = summarizeProfile(profile);
  const seconds = (milliseconds: number) => (milliseconds / 1000).toFixed(2);
  console.log(`wall ${seconds(result.wallMs)} s, CPU of all processes ${seconds(result.cpuMs)} s, main thread busy ${seconds(busyMs)} s\n`);
  for (const [title, list] of [
    ["where", groups],
    ["function", functions.slice(0, Number(values.top))],
  ] as const) {
    const rows = list.map((one) => [one.name, seconds(one.ms), `${((100 * one.ms) / busyMs).toFixed(0)} %`]);
    console.log(`${showMarkdown([{ title, isText: true }, { title: "s" }, { title: "of busy" }], rows)}\n`);
  }
}

if (values.help) console.log(usage);
else {
  const code = runInside();
  if (code === undefined) await run();
  else process.exitCode = code;
}
