// What a build is asked to do, with every default filled in: the one value that hosts hand to the core.

import type { AgentSource } from "../agent/agent.ts";
import type { CiAccess } from "../cache/cache.ts";
import type { GitOptions } from "../context/context.ts";
import type { Annotation } from "../image/annotation.ts";
import type { MediaFamily } from "../image/image.ts";
import type { Platform } from "../image/platform.ts";
import type { Reference } from "../image/reference.ts";
import type { FileOutputs } from "../output/output.ts";
import type { RegistryOptions } from "../registry/registry.ts";
import type { SandboxChoice } from "../sandbox/sandbox.ts";
import type { Uncached } from "./uncached.ts";

/** Where cached layers lie. */
export type CacheStore =
  | { readonly kind: "repository"; readonly reference: Reference }
  /** An absolute directory; it may be held to `maxBytes`. */
  | { readonly kind: "directory"; readonly path: string; readonly maxBytes: number | undefined }
  /** An image layout in an absolute directory. */
  | { readonly kind: "layout"; readonly path: string }
  /** The cache service of the CI that runs the job. */
  | { readonly kind: "ci"; readonly access: CiAccess; readonly maxBytes: number };

/** `--cache` and what goes with it. */
export interface CacheRequest {
  /** Asked in this order, and all written to. */
  readonly stores: readonly CacheStore[];
  /** Nothing is written. */
  readonly readOnly: boolean;
  /** Say what the build would take and what it would do, and stop; nothing is written. */
  readonly explainOnly: boolean;
  /** Seconds for which a layer is used after its step ran. */
  readonly maxAge: number;
  /** RUN and WORKDIR. */
  readonly runLayers: boolean;
  /** COPY and ADD. */
  readonly copyLayers: boolean;
  /** What RUN --mount=type=cache holds, up to so many bytes each. */
  readonly mounts: boolean;
  readonly mountsLimit: number;
  /** Signs what is written, and is asked of what is read. */
  readonly secret: string | undefined;
  /** What this build writes to; "" is the trusted scope, which it reads besides. */
  readonly scope: string;
}

export interface Request {
  /** As given: a path or an address; relative paths are already absolute. */
  readonly context: string;
  /** Of contexts that are git repositories. */
  readonly git: GitOptions;
  /** Below the context; "" is its root. */
  readonly contextSubPath: string;
  /** As given: an address, or a path that is looked up from `workingDirectory`, then from the context. */
  readonly dockerfile: string;
  readonly workingDirectory: string;
  /** In the order given; a name without a value whose environment variable is absent is left out by the host. */
  readonly buildArgs: ReadonlyMap<string, string>;
  /** `--build-context`, in the order given; paths are absolute. */
  readonly buildContexts: ReadonlyMap<string, string>;
  readonly labels: ReadonlyMap<string, string>;
  /** `--secret`: their bytes by id. They are shown to the steps that mount them, and hidden from the report. */
  readonly secrets: ReadonlyMap<string, Uint8Array>;
  /** `--ssh`, by id. */
  readonly ssh: ReadonlyMap<string, AgentSource>;
  /** Of RUNs that say nothing else. */
  readonly network: "default" | "none" | "host";
  /** `--allow`: `network.host`. */
  readonly allowed: readonly string[];
  /** Stage names; none is the last stage. The first one is the image, the others are only built. */
  readonly targets: readonly string[];
  /** At least one; several give an index. */
  readonly platforms: readonly Platform[];
  readonly uncached: Uncached;
  readonly destinations: readonly Reference[];
  readonly push: boolean;
  readonly checkPushPermission: boolean;
  readonly outputs: FileOutputs;
  readonly registry: RegistryOptions;
  readonly reproducible: boolean;
  /** Lower the times of new layers to SOURCE_DATE_EPOCH, where that is given. */
  readonly rewriteTimestamp: boolean;
  /** Patterns of paths that new layers leave out. */
  readonly ignoredPaths: readonly string[];
  /** Later ones win. Those of indexes are of a build for several platforms alone. */
  readonly annotations: readonly Annotation[];
  /** undefined: as the base's, unless annotations need OCI's. */
  readonly imageFormat: MediaFamily | undefined;
  readonly compression: "gzip" | "zstd";
  /** undefined: the compressor's usual level. */
  readonly compressionLevel: number | undefined;
  readonly sandbox: SandboxChoice;
  /** Whether a build that is not root's may have the helper run by sudo, where that asks for no password. */
  readonly sudo: boolean;
  /** Where base images may lie, absolute, and for how many seconds one counts; undefined: nowhere. */
  readonly baseFolder: { readonly directory: string; readonly maxAge: number } | undefined;
  /** undefined: no layer is kept or taken. */
  readonly cache: CacheRequest | undefined;
  /** Absolute. */
  readonly stateDir: string;
  /** The state directory was made for this build alone and is removed with it. */
  readonly stateIsPrivate: boolean;
  /** Look at the Dockerfile and stop. */
  readonly checkOnly: boolean;
  /** Print the plan and stop. */
  readonly dryRun: boolean;
  /** Warnings to report once the build starts: flags that have no effect here. */
  readonly notices: readonly string[];
}
