// A registry, volumes, and pods that run the executor image.

import { execFileSync, spawn } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { temporaryDirectory } from "../support/build.ts";
import { type Ended, whenEnded } from "../support/ended.ts";
import { type LocalRegistry, type LocalRegistryOptions, openLocalRegistry } from "../support/local-registry.ts";
import { type ExecutorImage, openExecutorImage } from "./executor-image.ts";

const repository = fileURLToPath(new URL("../..", import.meta.url));

export interface Cluster {
  readonly image: ExecutorImage;
  readonly registry: LocalRegistry;
  /** An empty directory that pods of any user may write to. */
  makeVolume(files?: Readonly<Record<string, string>>): Promise<string>;
}

/** undefined after the test was marked as skipped. */
export async function openCluster(t: TestContext, options: LocalRegistryOptions = {}): Promise<Cluster | undefined> {
  const image = openExecutorImage(t);
  const registry = image && (await openLocalRegistry(t, options));
  if (image === undefined || registry === undefined) return undefined;
  return {
    image,
    registry,
    async makeVolume(files = {}) {
      const volume = await temporaryDirectory(t);
      chmodSync(volume, 0o777);
      for (const [name, text] of Object.entries(files)) {
        mkdirSync(dirname(join(volume, name)), { recursive: true });
        writeFileSync(join(volume, name), text);
      }
      return volume;
    },
  };
}

/** Paths in the layers of a pushed image; the registry speaks plain HTTP. */
export async function listPushed({ host, blobPath }: LocalRegistry, name: string): Promise<string[]> {
  const [repository, tag] = name.split(":");
  const accept = "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json";
  const response = await fetch(`http://${host}/v2/${repository}/manifests/${tag}`, { headers: { accept } });
  const { layers } = (await response.json()) as { layers: { digest: string }[] };
  return layers.flatMap(({ digest }) =>
    execFileSync("tar", ["-tzf", blobPath(digest)], { encoding: "utf8" })
      .trim()
      .split("\n"),
  );
}

export interface Pod {
  /** One of those that `run-in` knows. */
  readonly environment: string;
  /** In the place of the entrypoint. */
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Path in the container, with `:ro` where it cannot be written to → path on this machine. */
  readonly volumes?: Readonly<Record<string, string>>;
  readonly readOnlyRoot?: boolean;
  /** In the place of those that the environment has. */
  readonly capabilities?: readonly string[];
}

/** Runs a container of the image to its end, in the machine's network. */
export async function runPod(image: ExecutorImage, pod: Pod): Promise<Ended> {
  const { environment, command, args = [], env = {}, volumes = {}, readOnlyRoot = false, capabilities } = pod;
  const { Entrypoint, Env, WorkingDir } = image.config;
  const variables = [...Env, ...Object.entries(env).map(([name, value]) => `${name}=${value}`)].flatMap((pair) => ["-e", pair]);
  const binds = Object.entries(volumes).flatMap(([inside, outside]) => ["-v", `${outside}:${inside}`]);
  const words = [environment, image.root, ...binds, ...variables, "-w", WorkingDir, "--", ...(command ?? Entrypoint), ...args];
  return start(join(repository, "../shared/environments/run-in"), words, {
    ...(readOnlyRoot ? { RUNTIME: runtime("read-only") } : {}),
    ...(capabilities ? { RUNTIME: runtime("with-capabilities"), CAPABILITIES: JSON.stringify(capabilities) } : {}),
  });
}

/** runc, called as `run --bundle DIRECTORY ID`, with another configuration. */
const runtime = (name: string) => fileURLToPath(new URL(`runc-${name}`, import.meta.url));

/** Runs a program in the running pod that has this volume, as kubectl exec does. */
export async function runInPod(volume: string, words: readonly string[]): Promise<Ended> {
  return start("runc", ["exec", await findContainer(volume), ...words]);
}

/** The running container that has this volume; waits a minute for it. */
async function findContainer(volume: string): Promise<string> {
  for (let look = 0; look < 1200; look++) {
    const running: readonly { id: string; bundle: string; status: string }[] =
      JSON.parse(execFileSync("runc", ["list", "--format=json"], { encoding: "utf8", stdio: "pipe" })) ?? [];
    const config = (bundle: string) => (existsSync(join(bundle, "config.json")) ? readFileSync(join(bundle, "config.json"), "utf8") : "");
    const found = running.find(({ bundle, status }) => status === "running" && config(bundle).includes(`"${volume}"`));
    if (found !== undefined) return found.id;
    await sleep(50);
  }
  throw new Error(`No pod with the volume "${volume}" runs`);
}

function start(program: string, words: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ended> {
  const child = spawn(program, words, { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...env } });
  return whenEnded(child);
}
