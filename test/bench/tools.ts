// The builders that can be measured: Slipway's bundle, and whichever peers are there, each from an empty state.

import { execFileSync, spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { MeasureOptions } from "./measure.ts";

export interface BuildTask {
  readonly context: string;
  /** `127.0.0.1:PORT`, plain http. */
  readonly host: string;
  /** `REPOSITORY:TAG` below the host. */
  readonly destination: string;
  /** A repository below the host, to look into and to fill; undefined for a build without a cache. */
  readonly cache: string | undefined;
  /** An empty directory. */
  readonly state: string;
}

export interface Tool {
  readonly name: string;
  /** What it is, for the report. */
  readonly version: string;
  readonly measured: Pick<MeasureOptions, "program" | "own">;
  /** Arguments of one command that builds and pushes. */
  command(task: BuildTask): string[];
}

export interface ToolPlaces {
  /** The Node that runs the bundle. */
  readonly node: string;
  readonly bundle: string;
  readonly sandbox: string;
  /** A Debian root that holds docker.io; test/differential/make-reference makes one. */
  readonly dockerRoot: string;
  /** kaniko's executor, "" for none. */
  readonly kaniko: string;
}

/** Every tool that is there; Slipway always is. */
export function findTools(places: ToolPlaces): Tool[] {
  const buildkit = findBuildkitDaemon() ?? findBuildkitOfDocker(places.dockerRoot);
  return [findSlipway(places), buildkit, findBuildah(), findKaniko(places.kaniko)].filter((tool) => tool !== undefined);
}

export function findSlipway({ node, bundle, sandbox }: Pick<ToolPlaces, "node" | "bundle" | "sandbox">): Tool {
  const commit = spawnSync("git", ["describe", "--always", "--dirty"], { cwd: import.meta.dirname, encoding: "utf8" }).stdout?.trim();
  return {
    name: "slipway",
    version: `Slipway ${commit || "of no commit"} on Node ${firstLine(node, ["--version"])}`,
    measured: { program: "node", own: ["node", "slipway-helper"] },
    command: ({ context, host, destination, cache, state }) => [
      ...[node, bundle, "--context", context, "--dockerfile", join(context, "Dockerfile")],
      ...["--build-arg", `REGISTRY=${host}`, "--destination", `${host}/${destination}`, "--insecure-registry", host],
      ...["--state-dir", state, "--sandbox", sandbox],
      ...(cache === undefined ? [] : ["--cache", "--cache-repo", `${host}/${cache}`]),
    ],
  };
}

function findBuildah(): Tool | undefined {
  if (!isOnPath("buildah")) return undefined;
  return {
    name: "buildah",
    version: firstLine("buildah", ["--version"]),
    measured: { program: "buildah", own: ["buildah"] },
    command({ context, host, destination, cache, state }) {
      const store = ["--root", join(state, "root"), "--runroot", join(state, "runroot"), "--storage-driver", "overlay"];
      const caching = cache === undefined ? [] : ["--cache-from", `${host}/${cache}`, "--cache-to", `${host}/${cache}`];
      const flags = ["--layers", ...caching, "--isolation", "chroot", "--tls-verify=false", "--build-arg", `REGISTRY=${host}`];
      const push = ["push", "--tls-verify=false", "built", `docker://${host}/${destination}`];
      return [
        "sh",
        "-c",
        `${quote(["buildah", ...store, "bud", ...flags, "-t", "built", context])} && ${quote(["buildah", ...store, ...push])}`,
      ];
    },
  };
}

/** The BuildKit that dockerd holds. */
function findBuildkitOfDocker(root: string): Tool | undefined {
  if (!existsSync(join(root, "usr/sbin/dockerd")) || !isOnPath("unshare") || !isOnPath("curl") || process.getuid?.() !== 0)
    return undefined;
  const versions = join(root, "versions");
  return {
    name: "buildkit",
    version: existsSync(versions) ? readFileSync(versions, "utf8").trim().replaceAll("\n", ", ") : `the dockerd of ${root}`,
    measured: { program: "dockerd", own: ["dockerd", "containerd", "docker-buildx", "runc"] },
    command: ({ context, host, destination, cache, state }) => [
      ...[script("buildkit-docker"), root, state, "--network=host", "--provenance=false", "--progress=plain"],
      ...["--build-arg", `REGISTRY=${host}`, "--output", `type=image,name=${host}/${destination},push=true,store=false`],
      ...buildkitCache(host, cache).flatMap(([flag, value]) => [`--cache-${flag}`, value]),
      context,
    ],
  };
}

function findBuildkitDaemon(): Tool | undefined {
  if (!isOnPath("buildkitd") || !isOnPath("buildctl")) return undefined;
  return {
    name: "buildkit",
    version: firstLine("buildkitd", ["--version"]),
    measured: { program: "buildkitd", own: ["buildkitd", "buildctl", "buildkit-", "runc"] },
    command: ({ context, host, destination, cache, state }) => [
      ...[script("buildkit-daemon"), state, host, "--progress=plain", "--frontend", "dockerfile.v0"],
      ...["--local", `context=${context}`, "--local", `dockerfile=${context}`, "--opt", `build-arg:REGISTRY=${host}`],
      ...["--output", `type=image,name=${host}/${destination},push=true,unpack=false`],
      ...buildkitCache(host, cache).flatMap(([flag, value]) => [flag === "from" ? "--import-cache" : "--export-cache", value]),
    ],
  };
}

function buildkitCache(host: string, cache: string | undefined): (readonly ["from" | "to", string])[] {
  if (cache === undefined) return [];
  const place = `type=registry,ref=${host}/${cache}:buildkit`;
  return [
    ["from", place],
    ["to", `${place},mode=max`],
  ];
}

function findKaniko(executor: string): Tool | undefined {
  if (executor === "") return undefined;
  if (!existsSync(executor)) throw new Error(`There is no executor of kaniko at "${executor}"`);
  return {
    name: "kaniko",
    version: firstLine(executor, ["version"]),
    measured: { program: "executor", own: ["executor"] },
    command: ({ context, host, destination, cache, state }) => [
      ...[script("kaniko"), executor, state, context, "--force", "--context", "dir:///workspace", "--dockerfile", "/workspace/Dockerfile"],
      ...["--build-arg", `REGISTRY=${host}`, "--destination", `${host}/${destination}`, "--insecure", "--insecure-pull"],
      ...["--insecure-registry", host, ...(cache === undefined ? [] : ["--cache", "--cache-repo", `${host}/${cache}`])],
    ],
  };
}

const script = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

const firstLine = (program: string, args: readonly string[]): string =>
  execFileSync(program, args, { encoding: "utf8" }).split("\n")[0] ?? "";

const quote = (words: readonly string[]): string => words.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");

function isOnPath(program: string): boolean {
  return (process.env.PATH ?? "").split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
