// The instructions of a Dockerfile as values. Words are as they stand in the file, quotes, escapes and variables included; only
// the quotes and escapes around a flag's value are gone.

import type { Range } from "./error.ts";
import type { Heredoc } from "./heredoc.ts";

/** One union member for each instruction; a `switch` over `kind` without `default` fails to compile when one is added. */
export type Instruction =
  | FromInstruction
  | ArgInstruction
  | EnvInstruction
  | LabelInstruction
  | RunInstruction
  | CopyInstruction
  | AddInstruction
  | CmdInstruction
  | EntrypointInstruction
  | WorkdirInstruction
  | UserInstruction
  | ExposeInstruction
  | VolumeInstruction
  | StopsignalInstruction
  | HealthcheckInstruction
  | ShellInstruction
  | OnbuildInstruction
  | MaintainerInstruction;

/** What every instruction has. */
export interface Written {
  /** From the instruction's first character to the end of its last line, heredocs included. */
  readonly range: Range;
  /** The lines joined and trimmed, without the bodies of heredocs: what progress shows. */
  readonly text: string;
  /** The instruction as it is written: `RUN`, `run`. */
  readonly word: string;
  /** The comment lines directly above, without their `#`. */
  readonly comments: readonly string[];
}

/** `FROM [--platform=…] IMAGE [AS STAGE]` */
export interface FromInstruction extends Written {
  readonly kind: "from";
  readonly image: string;
  readonly platform?: string;
  /** Lower-case. */
  readonly stage?: string;
  /** `AS` and the name as they are written; there when `stage` is. */
  readonly as?: { readonly word: string; readonly stage: string };
}

/** `ARG NAME[=DEFAULT]…`; without `value` the argument is declared and not set. */
export interface ArgInstruction extends Written {
  readonly kind: "arg";
  readonly args: readonly { readonly name: string; readonly value?: string }[];
}

export interface Pair {
  readonly key: string;
  readonly value: string;
}

/** `ENV KEY=VALUE…`, or with `legacy` the one pair of `ENV KEY rest of the line`. */
export interface EnvInstruction extends Written {
  readonly kind: "env";
  readonly pairs: readonly Pair[];
  readonly legacy: boolean;
}

/** `LABEL KEY=VALUE…`, or with `legacy` the one pair of `LABEL KEY rest of the line`. */
export interface LabelInstruction extends Written {
  readonly kind: "label";
  readonly pairs: readonly Pair[];
  readonly legacy: boolean;
}

/** A JSON array to be run as it is, or text for the stage's shell. */
export type CommandLine = { readonly form: "exec"; readonly args: readonly string[] } | { readonly form: "shell"; readonly text: string };

/** `RUN`; what is to be run once the heredocs are counted in, `readScript` says. */
export interface RunInstruction extends Written {
  readonly kind: "run";
  readonly command: CommandLine;
  readonly heredocs: readonly Heredoc[];
  /** `--mount`, in order; `readMount` turns one into a value. */
  readonly mounts: readonly MountFlag[];
  readonly network: "default" | "none" | "host";
  readonly security: "sandbox" | "insecure";
  readonly devices: readonly { readonly name: string; readonly required: boolean }[];
}

/** A `--mount` flag as CSV fields, its values not yet expanded. */
export interface MountFlag {
  readonly text: string;
  readonly fields: readonly { readonly key: string; readonly value?: string; readonly text: string }[];
  /** Never has variables: known before anything is expanded, since stages depend on each other by it. */
  readonly from?: string;
}

/** What COPY and ADD have in common. BuildKit takes paths first and heredocs after them, however they are mixed. */
export interface Transfer extends Written {
  readonly sources: readonly string[];
  readonly contents: readonly InlineFile[];
  readonly destination: string;
  readonly chown?: string;
  readonly chmod?: string;
  readonly link: boolean;
  readonly exclude: readonly string[];
}

/** A file that stands in the Dockerfile as a heredoc. */
export interface InlineFile {
  readonly name: string;
  readonly content: string;
  /** Variables in the content are replaced, by `expandBody`. */
  readonly expand: boolean;
}

export interface CopyInstruction extends Transfer {
  readonly kind: "copy";
  /** A stage, its number, a named context or an image; never has variables. */
  readonly from?: string;
  readonly parents: boolean;
}

export interface AddInstruction extends Transfer {
  readonly kind: "add";
  readonly checksum?: string;
  readonly keepGitDir?: boolean;
  readonly unpack?: boolean;
}

export interface CmdInstruction extends Written {
  readonly kind: "cmd";
  readonly command: CommandLine;
}

export interface EntrypointInstruction extends Written {
  readonly kind: "entrypoint";
  readonly command: CommandLine;
}

export interface WorkdirInstruction extends Written {
  readonly kind: "workdir";
  readonly path: string;
}

export interface UserInstruction extends Written {
  readonly kind: "user";
  readonly user: string;
}

/** Sorted as BuildKit sorts them; each is expanded and split by `expandWords`. */
export interface ExposeInstruction extends Written {
  readonly kind: "expose";
  readonly ports: readonly string[];
}

export interface VolumeInstruction extends Written {
  readonly kind: "volume";
  readonly paths: readonly string[];
}

export interface StopsignalInstruction extends Written {
  readonly kind: "stopsignal";
  readonly signal: string;
}

/** Without `command` it is `HEALTHCHECK NONE`. Durations are nanoseconds; one that is absent or 0 in the file is absent here. */
export interface HealthcheckInstruction extends Written {
  readonly kind: "healthcheck";
  readonly command?: CommandLine;
  readonly interval?: number;
  readonly timeout?: number;
  readonly startPeriod?: number;
  readonly startInterval?: number;
  readonly retries?: number;
}

export interface ShellInstruction extends Written {
  readonly kind: "shell";
  readonly args: readonly string[];
}

/** `trigger` is an instruction's text, heredocs included, for `parseOnbuild`. */
export interface OnbuildInstruction extends Written {
  readonly kind: "onbuild";
  readonly trigger: string;
}

export interface MaintainerInstruction extends Written {
  readonly kind: "maintainer";
  readonly name: string;
}
