// Finds the host, lets it read the request, builds, and ends with the host's exit code; as a module, it is the library.

import { existsSync, realpathSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { setFlagsFromString } from "node:v8";
import type {
  BuildResult,
  BuildTools,
  Diagnosis,
  DoctorRequest,
  MergeRequest,
  Pruned,
  PruneRequest,
  Request,
  Warmed,
  WarmRequest,
} from "./build/build.ts";
import { findHost } from "./host/host.ts";

export type {
  BuildResult,
  BuildTools,
  Diagnosis,
  DoctorRequest,
  MergeRequest,
  Pruned,
  PruneRequest,
  Request,
  Warmed,
  WarmRequest,
} from "./build/build.ts";

/** Builds one image; throws a BuildFailure, or the signal's reason when it was aborted. The core is loaded at the first call. */
export async function build(request: Request, tools: BuildTools): Promise<BuildResult> {
  const core = await import("./build/build.ts");
  return await core.build(request, tools);
}

/** Joins images that were pushed one by one into one index, likewise. */
export async function mergeImages(request: MergeRequest, tools: BuildTools): Promise<BuildResult> {
  const core = await import("./build/build.ts");
  return await core.mergeImages(request, tools);
}

/** Makes stores of cached layers smaller, likewise. */
export async function prune(request: PruneRequest, tools: BuildTools): Promise<readonly Pruned[]> {
  const core = await import("./build/build.ts");
  return await core.prune(request, tools);
}

/** Puts base images into a directory, likewise. */
export async function warm(request: WarmRequest, tools: BuildTools): Promise<readonly Warmed[]> {
  const core = await import("./build/build.ts");
  return await core.warm(request, tools);
}

/** Tries what a build would need of this machine, likewise. */
export async function diagnose(request: DoctorRequest): Promise<Diagnosis> {
  const core = await import("./build/build.ts");
  return await core.diagnose(request);
}

const program = process.argv[1];
// The program may be called through a link: node_modules/.bin/slipway, /kaniko/executor.
const isProgram = program !== undefined && existsSync(program) && realpathSync(program) === realpathSync(fileURLToPath(import.meta.url));
if (isProgram) {
  // Left to itself V8 keeps as much garbage as there are living objects and more; docs/performance.md has what this costs and saves.
  for (const flag of ["--semi-space-growth-factor=1", "--heap-growing-percent=20"]) setFlagsFromString(flag);
  process.exitCode = await findHost().run({ build, diagnose, mergeImages, prune, warm });
}
