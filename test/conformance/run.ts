// Builds every conformance case with the bundle and compares what it pushed with what BuildKit makes: `npm run conformance`.

import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { pushRootFileSystem, startLocalRegistry } from "../support/local-registry.ts";
import { type Case, type FlatTree, readCases } from "./case.ts";
import { readPushedImage } from "./pushed-image.ts";
import { type Tools, tryCase, type Verdict } from "./verdict.ts";

const usage = `npm run conformance -- [OPTIONS]
  --only TEXT       cases whose name contains TEXT; may be repeated
  --sandbox NAME    passed to every build (default ns)
  --jobs N          builds at a time (default ${availableParallelism()})
  --unprivileged    as a user with no rights; without --sandbox userns-single cases without RUN alone
  --cached          build each case twice, the second time from what the first left in a cache: all of it must come from there
  --node PROGRAM    the Node that runs the bundle (default: this one)
  --keep            leave the working folder, with each case's log
  --data DIR        the cases (default ../shared/conformance)`;

const { values } = parseArgs({
  options: {
    only: { type: "string", multiple: true, default: [] },
    sandbox: { type: "string", default: "ns" },
    jobs: { type: "string", default: String(availableParallelism()) },
    unprivileged: { type: "boolean", default: false },
    cached: { type: "boolean", default: false },
    node: { type: "string", default: process.execPath },
    keep: { type: "boolean", default: false },
    data: { type: "string", default: fileURLToPath(new URL("../../../shared/conformance", import.meta.url)) },
    help: { type: "boolean", default: false },
  },
});

const bases = ["latest", "1.31", "1.36.1"].map((tag) => `library/busybox:${tag}`);
bases.push(...["latest", "3.8", "3.9", "3.11", "3.20"].map((tag) => `library/alpine:${tag}`), "libpod/busybox:latest");

function chooseCases(): Case[] {
  const named = readCases(values.data).filter(({ name }) => values.only.length === 0 || values.only.some((text) => name.includes(text)));
  const runsNothing = values.unprivileged && values.sandbox !== "userns-single";
  const chosen = runsNothing ? named.filter(({ dockerfile }) => !/^\s*(ONBUILD\s+)?RUN\b/im.test(dockerfile)) : named;
  if (chosen.length === 0) throw new Error(`No case is named "${values.only.join('", "')}"`);
  return chosen;
}

async function tryAll(cases: readonly Case[], tools: Tools): Promise<Map<string, Verdict>> {
  const verdicts = new Map<string, Verdict>();
  const waiting = [...cases];
  async function work(): Promise<void> {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const start = performance.now();
      const verdict = await tryCase(next, tools);
      verdicts.set(next.name, verdict);
      console.log(`${verdict.kind.padEnd(7)} ${((performance.now() - start) / 1000).toFixed(1).padStart(5)} s  ${next.name}`);
    }
  }
  await Promise.all(Array.from({ length: Number(values.jobs) }, work));
  return new Map([...verdicts].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function printVerdicts(verdicts: ReadonlyMap<string, Verdict>): void {
  const passed = [...verdicts.values()].filter(({ kind }) => kind === "pass").length;
  const failed = [...verdicts].filter(([, { kind }]) => kind === "fail");
  for (const [name, { lines }] of failed) console.log(`\nFailed: ${name}\n${lines.map((line) => `  ${line}`).join("\n")}`);
  console.log(`\n${passed} passed, ${failed.length} failed, of ${verdicts.size} cases`);
}

async function run(): Promise<void> {
  if (!existsSync(values.data)) throw new Error(`The conformance data is missing: ${values.data}`);
  const cases = chooseCases();
  const work = mkdtempSync(join(tmpdir(), "slipway-conformance-"));
  chmodSync(work, 0o755);
  try {
    await using registry = await startLocalRegistry(makeFolder(work, "registry"));
    const rootfs = join(work, "base.tar.gz");
    execFileSync(join(values.data, "make-base"), [rootfs], { stdio: ["ignore", "ignore", "inherit"] });
    await pushRootFileSystem(registry.host, rootfs, bases);
    const { tree } = await readPushedImage(registry.host, "library/busybox", { tag: "latest", work: makeFolder(work, "base") });
    const trees: Record<"busybox" | "scratch", FlatTree> = { busybox: tree, scratch: {} };
    const bundle = fileURLToPath(new URL("../../dist/slipway.mjs", import.meta.url));
    const { data, sandbox, unprivileged, cached } = values;
    // Builds run elsewhere: a path is meant from here.
    const node = values.node.includes("/") ? resolve(values.node) : values.node;
    const verdicts = await tryAll(cases, {
      host: registry.host,
      data,
      work,
      trees,
      command: [node, bundle],
      sandbox,
      unprivileged,
      cached,
    });
    printVerdicts(verdicts);
    if ([...verdicts.values()].some(({ kind }) => kind === "fail")) process.exitCode = 1;
  } finally {
    if (values.keep) console.log(`Kept: ${work}`);
    else rmSync(work, { recursive: true, force: true });
  }
}

function makeFolder(...parts: [string, string]): string {
  const path = join(...parts);
  mkdirSync(path);
  return path;
}

if (values.help) console.log(usage);
else await run();
