// How long things take in each sandbox that works on this machine, beside a bare chroot: `npm run environments -- --figures`.

import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { sandboxNames } from "../../src/sandbox/sandbox.ts";
import { findMedian } from "../bench/compare.ts";
import { describeMachine } from "../bench/machine.ts";
import { showMarkdown } from "../bench/markdown.ts";
import { debianRoot } from "./bases.ts";
import { places } from "./places.ts";
import { openBuilds, type Tools } from "./try-cell.ts";

/** 36 packages with what they need, from the archive of the base. */
const install = "apt-get -qq update && apt-get -qq install -y --no-install-recommends python3 git curl >/tmp/log 2>&1";

/** The first that such a sandbox works in; the machine's own root where it does. */
const homes = ["root", "subids", "user"];

interface Figures {
  readonly rung: string;
  readonly environment: string;
  readonly runMs: number | undefined;
  /** Of each round. */
  readonly installSeconds: number[];
}

/** `rounds` of packages in each. */
export async function showFigures(tools: Tools, rounds: number): Promise<string> {
  const found: Figures[] = [];
  for (const rung of sandboxNames) {
    const figures = await findHome(rung, tools);
    if (figures !== undefined) found.push(figures);
  }
  // In turn, so that what disturbs the machine for a while disturbs all of them.
  const bare: number[] = [];
  for (let round = 0; round < rounds; round++) {
    bare.push(installBare(tools));
    for (const { rung, environment, installSeconds } of found) installSeconds.push(await installIn(environment, rung, tools));
  }
  const native = findMedian(bare);
  const rows = found.map(({ rung, environment, runMs, installSeconds }) => {
    const seconds = findMedian(installSeconds);
    return [rung, environment, runMs?.toFixed(1) ?? "", seconds.toFixed(1), (seconds / native).toFixed(2)];
  });
  const columns = ["sandbox", "as", "`RUN true`, ms", "packages, s", "÷ bare chroot"].map((title, i) => ({ title, isText: i < 2 }));
  const machine = [...describeMachine(), `in a bare chroot the packages take ${native.toFixed(1)} s; medians of ${rounds}`];
  return `${machine.map((line) => `- ${line}`).join("\n")}\n\n${showMarkdown(columns, rows)}`;
}

async function findHome(rung: string, tools: Tools): Promise<Figures | undefined> {
  for (const environment of homes) {
    const runMs = await inCell(environment, rung, tools, (builds) => builds.measure());
    if (runMs !== undefined) return { rung, environment, runMs, installSeconds: [] };
  }
  return undefined;
}

/** As the builder's log has it for the step; its layer is not in it. */
async function installIn(environment: string, rung: string, tools: Tools): Promise<number> {
  const timed = `start=$(date +%s%N); ${install}; code=$?; echo "took $(( $(date +%s%N) - start )) $code"`;
  const { log } = await inCell(environment, rung, tools, (builds) =>
    builds.build("install", { Dockerfile: `FROM packages\nRUN ${timed}\n` }),
  );
  const [, nanoseconds, code] = /\| took (\d+) (\d+)$/m.exec(log) ?? [];
  if (code !== "0") throw new Error(`Cannot install packages in ${rung}: ${log.slice(-2000)}`);
  return Number(nanoseconds) / 1e9;
}

/** The same without any of the builder's: chroot(1), with the device nodes that packages need and no /proc. */
function installBare({ folder }: Tools): number {
  const root = join(folder, "bare");
  mkdirSync(root);
  try {
    execFileSync("tar", ["-xf", debianRoot("packages"), "-C", root]);
    const started = performance.now();
    execFileSync("chroot", [root, "sh", "-c", install], { env: { PATH: process.env.PATH }, stdio: ["ignore", "ignore", "inherit"] });
    return (performance.now() - started) / 1000;
  } finally {
    rmSync(root, { recursive: true });
  }
}

type Builds = ReturnType<typeof openBuilds>;

async function inCell<T>(environment: string, rung: string, tools: Tools, use: (builds: Builds) => Promise<T>): Promise<T> {
  const place = places.find(({ name }) => name === environment);
  if (place === undefined) throw new Error(`There is no environment "${environment}"`);
  const home = join(tools.folder, `figures-${rung}`);
  mkdirSync(home);
  try {
    return await use(openBuilds(home, place, rung, tools));
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}
