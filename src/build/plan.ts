// What a build will do, as plain data: it can be printed, compared and looked up before anything runs.

import type { GitSource } from "../context/context.ts";
import type { Digest } from "../image/digest.ts";
import type { ImageConfig } from "../image/image.ts";
import type { ImageName } from "../image/layout.ts";
import type { Platform } from "../image/platform.ts";
import type { RawPath } from "../layer/entry.ts";
import type { ModeChange } from "./mode.ts";

/** Where a stage's or a COPY's files come from. */
export type Origin =
  | { readonly kind: "scratch" }
  /** Index into `Plan.stages`. */
  | { readonly kind: "stage"; readonly stage: number }
  | { readonly kind: "image"; readonly reference: ImageName; readonly digest: Digest; readonly platform: Platform }
  /** The build context, or with `name` one of `--build-context`. */
  | { readonly kind: "context"; readonly name?: string };

/** A place in the Dockerfile; instructions that a base image triggers stand at the FROM line. */
export interface Source {
  readonly line: number;
  readonly endLine: number;
  /** It is a trigger, which stands elsewhere; the lines are those of the FROM that runs it. */
  readonly isTrigger?: true;
  /** The instruction on one line, as headers and dry runs show it. */
  readonly text: string;
}

interface StepBase {
  readonly source: Source;
  /** The history line that the step's layer gets. */
  readonly createdBy: string;
}

export interface RunStep extends StepBase {
  readonly kind: "run";
  readonly args: readonly string[];
  /** `K=V`, one per name. */
  readonly env: readonly string[];
  /** The same; the command sees them too, but what it leaves does not count as theirs. */
  readonly proxies: readonly string[];
  readonly cwd: string;
  /** The USER in force, expanded; "" is root. */
  readonly user: string;
  readonly network: "default" | "none" | "host";
  /** In the order in which they are put in place. */
  readonly mounts: readonly RunMount[];
}

interface PlacedMount {
  /** Absolute and clean. */
  readonly target: string;
}

interface FileOwner {
  /** Permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

export interface BindMount extends PlacedMount {
  readonly kind: "bind";
  readonly from: Origin;
  /** Below the origin's root; "" is all of it. */
  readonly source: RawPath;
  readonly writable: boolean;
}

export interface CacheMount extends PlacedMount {
  readonly kind: "cache";
  readonly id: string;
  readonly sharing: "shared" | "private" | "locked";
  /** What the cache holds at first. */
  readonly from: Origin;
  /** Below the cache's root; "" is all of it. */
  readonly source: RawPath;
  /** Where the instruction gives any of them: caches with different ones are different caches. */
  readonly owner: FileOwner | undefined;
  readonly writable: boolean;
}

export interface TmpfsMount extends PlacedMount {
  readonly kind: "tmpfs";
  /** Bytes; 0 where none is given. */
  readonly size: number;
  readonly writable: boolean;
}

/** A secret by its id alone. */
export interface SecretMount extends FileOwner {
  readonly kind: "secret";
  readonly id: string;
  /** Absolute and clean; undefined where it is given as a variable alone. */
  readonly target: string | undefined;
  /** The variable it is given in. */
  readonly env: string | undefined;
  readonly required: boolean;
}

export interface SshMount extends PlacedMount, FileOwner {
  readonly kind: "ssh";
  readonly id: string;
  readonly required: boolean;
}

/** A heredoc that is a program. */
export interface ScriptMount extends PlacedMount {
  readonly kind: "script";
  readonly text: string;
}

/** What a RUN sees beside its stage's files. */
export type RunMount = BindMount | CacheMount | TmpfsMount | SecretMount | SshMount | ScriptMount;

/** One source of a COPY or ADD: a path or pattern below the origin's root, a file or repository from elsewhere, or one given in the Dockerfile itself. */
export type CopyOperand =
  | { readonly kind: "path"; readonly path: RawPath; readonly unpack: boolean }
  | {
      readonly kind: "url";
      readonly url: string;
      /** What the file is called in a directory. */
      readonly name: RawPath;
      readonly checksum: Digest | undefined;
      /** Archives are unpacked, everything else is copied. */
      readonly unpack: boolean;
    }
  | { readonly kind: "git"; readonly source: GitSource }
  | { readonly kind: "inline"; readonly name: RawPath; readonly text: string };

export interface CopyStep extends StepBase {
  readonly kind: "copy";
  readonly from: Origin;
  readonly sources: readonly CopyOperand[];
  /** Sources keep the path they have below the origin's root, or below their first `/./`. */
  readonly parents: boolean;
  /** The layer is made as if nothing were below it: neither symlinks nor accounts of the stage are looked at. */
  readonly link: boolean;
  /** Patterns in the grammar of ignore files, relative to each copied directory. */
  readonly exclude: readonly RawPath[];
  /** Absolute without its leading slash; ends in a slash where it names a directory. */
  readonly destination: RawPath;
  /** `--chown`, expanded. */
  readonly chown: string | undefined;
  readonly chmod: ModeChange | undefined;
}

export interface WorkdirStep extends StepBase {
  readonly kind: "workdir";
  readonly path: RawPath;
  /** Owner of the directories that are made; "" is root. */
  readonly user: string;
}

/** A step that leaves a layer. What only changes the configuration is already in `StagePlan.config`. */
export type Step = RunStep | CopyStep | WorkdirStep;

export interface StagePlan {
  /** Place in the Dockerfile, counted from 0. */
  readonly index: number;
  /** As written, lower-cased; `stage-N` where it has none. */
  readonly name: string;
  readonly base: Origin;
  readonly baseText: string;
  readonly line: number;
  readonly platform: Platform;
  /** Nothing of earlier builds is to be used for it. */
  readonly isUncached: boolean;
  readonly steps: readonly Step[];
  /**
   * The configuration after the stage: `rootfs` and the base's part of the history as in the base, then one history line for each
   * instruction, in order; `created` fields are filled in when the image is made.
   */
  readonly config: ImageConfig;
  /** How many of `config.history` came with the base. */
  readonly inheritedHistory: number;
}

export interface Plan {
  /** Those that the target needs, in the order of the Dockerfile. */
  readonly stages: readonly StagePlan[];
  /** Indexes into `stages`: the image for each platform. */
  readonly targets: readonly number[];
  /** Further stages that are built, and no more. */
  readonly besides: readonly number[];
  /** SOURCE_DATE_EPOCH, seconds since 1970: the time of the image and of what the build creates itself. */
  readonly epoch: number | undefined;
  readonly warnings: readonly { readonly text: string; readonly line?: number }[];
}

/** What planning must know of an image that a FROM or COPY --from names. */
export interface Base {
  readonly reference: ImageName;
  readonly digest: Digest;
  readonly platform: Platform;
  readonly config: ImageConfig;
}

/** Where a step takes files from. */
export function originsOf(step: Step): readonly Origin[] {
  if (step.kind === "copy") return [step.from];
  return step.kind === "run" ? step.mounts.flatMap((mount) => ("from" in mount ? [mount.from] : [])) : [];
}

/** A step with every stage that it takes files from renamed. */
export function renumberStep(step: Step, renumber: (origin: Origin) => Origin): Step {
  if (step.kind === "copy") return { ...step, from: renumber(step.from) };
  if (step.kind !== "run") return step;
  return { ...step, mounts: step.mounts.map((mount) => ("from" in mount ? { ...mount, from: renumber(mount.from) } : mount)) };
}
