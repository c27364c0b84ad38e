// What each instruction of a stage comes to: a step, a change of the configuration, a line of history.

import type { Escape, Instruction } from "../dockerfile/dockerfile.ts";
import { expandWord, expandWords, LineError, quoteList, within } from "../dockerfile/dockerfile.ts";
import type { ContainerConfig, History, ImageConfig } from "../image/image.ts";
import { toRaw } from "../layer/entry.ts";
import { evaluateCopy, type Transfer } from "./evaluate-copy.ts";
import { evaluateRun, type RunPolicy } from "./evaluate-run.ts";
import { argumentsPrefix, fillComment, healthcheckText, historyComment, plainList } from "./history.ts";
import type { CopyStep, Origin, Source, Step } from "./plan.ts";
import { comparePorts, expandPorts } from "./ports.ts";
import type { Scope } from "./scope.ts";
import { cleanPath } from "./select.ts";

type Draft<T> = { -readonly [K in keyof T]: T[K] };
type CommandLine = Extract<Instruction, { kind: "cmd" }>["command"];

const defaultShell = ["/bin/sh", "-c"];

/** A stage half way: everything that its next instruction can see or change. */
export class Evaluation {
  readonly steps: Step[] = [];
  readonly #scope: Scope;
  readonly #escape: Escape;
  readonly #config: Draft<ContainerConfig>;
  readonly #history: History[];
  readonly #image: ImageConfig;
  readonly #policy: RunPolicy;
  #author: string | undefined;
  #setsCmd = false;

  /** `image` is the base's configuration, with what it triggers already taken out. */
  constructor(image: ImageConfig, scope: Scope, escapeCharacter: Escape, policy: RunPolicy) {
    this.#image = image;
    this.#policy = policy;
    this.#scope = scope;
    this.#escape = escapeCharacter;
    this.#config = { ...image.config };
    this.#history = [...(image.history ?? [])];
    this.#author = image.author;
  }

  /** The configuration so far; `created` and layers are as in the base. */
  image(): ImageConfig {
    const author = this.#author === undefined ? {} : { author: this.#author };
    return { ...this.#image, ...author, config: { ...this.#config }, history: [...this.#history] };
  }

  /** Takes in one instruction. Throws a LineError. `origins` are what a COPY or the mounts of a RUN name, in order. */
  apply(instruction: Exclude<Instruction, { kind: "from" }>, source: Source, origins: readonly Origin[]): void {
    switch (instruction.kind) {
      case "arg":
        this.#declare(instruction.args);
        break;
      case "env":
        this.#setEnv(instruction.pairs);
        break;
      case "label":
        this.#setLabels(instruction.pairs);
        break;
      case "run":
        this.#run(instruction, source, origins);
        break;
      case "copy":
      case "add":
        this.#copy(instruction, source, origins[0] ?? { kind: "context" });
        break;
      case "workdir":
        this.#setWorkdir(instruction.path, source);
        break;
      case "user":
        this.#setUser(instruction.user);
        break;
      case "cmd":
        this.#setCmd(instruction.command);
        break;
      case "entrypoint":
        this.#setEntrypoint(instruction.command);
        break;
      case "shell":
        this.#config.Shell = instruction.args;
        this.#note(`SHELL ${plainList(instruction.args)}`);
        break;
      case "expose":
        this.#expose(instruction.ports);
        break;
      case "volume":
        this.#addVolumes(instruction.paths);
        break;
      case "stopsignal":
        this.#config.StopSignal = checkSignal(this.#expand(instruction.signal));
        this.#note(`STOPSIGNAL ${this.#config.StopSignal}`);
        break;
      case "healthcheck":
        this.#setHealthcheck(instruction);
        break;
      case "onbuild":
        this.#config.OnBuild = [...(this.#config.OnBuild ?? []), instruction.trigger];
        break;
      case "maintainer":
        this.#author = instruction.name;
        this.#note(`MAINTAINER ${instruction.name}`);
        break;
      default:
        instruction satisfies never;
    }
  }

  /** Takes in the files that a stage begins with, where they are no image. */
  fill(step: CopyStep): void {
    this.steps.push(step);
    this.#history.push({ created_by: step.createdBy, comment: fillComment });
  }

  /** `--label`, after all instructions. */
  addLabels(labels: ReadonlyMap<string, string>): void {
    if (labels.size > 0) this.#config.Labels = { ...this.#config.Labels, ...Object.fromEntries(labels) };
  }

  /** A word that stands so among the arguments. */
  #expand(text: string): string {
    return within({ of: "argument", text }, () => this.#expandWord(text));
  }

  #expandWord(word: string): string {
    return expandWord(word, { get: (name) => this.#scope.get(name), escape: this.#escape });
  }

  /** A history line without a layer. */
  #note(createdBy: string): void {
    this.#history.push({ created_by: createdBy, comment: historyComment, empty_layer: true });
  }

  #addStep(step: Step): void {
    this.steps.push(step);
    this.#history.push({ created_by: step.createdBy, comment: historyComment });
  }

  #declare(args: Extract<Instruction, { kind: "arg" }>["args"]): void {
    const texts = args.map(({ name, value }) => {
      const set = this.#scope.declare(name, value === undefined ? undefined : () => this.#expand(value));
      return set === undefined ? name : `${name}=${set}`;
    });
    this.#note(`ARG ${texts.join(" ")}`);
  }

  /** Every pair of a line sees the variables as they were before it. */
  #setEnv(pairs: Extract<Instruction, { kind: "env" }>["pairs"]): void {
    const expanded = pairs.map(({ key, value }) => [this.#expand(key), this.#expand(value)] as const);
    const env = new Map(splitEnv(this.#config.Env));
    for (const [key, value] of expanded) {
      this.#scope.set(key, value);
      env.set(key, value);
    }
    this.#config.Env = [...env].map(([key, value]) => `${key}=${value}`);
    this.#note(`ENV ${expanded.map(([key, value]) => `${key}=${value}`).join(" ")}`);
  }

  #setLabels(pairs: Extract<Instruction, { kind: "label" }>["pairs"]): void {
    const expanded = pairs.map(({ key, value }) => [this.#expand(key), this.#expand(value)] as const);
    this.#config.Labels = { ...this.#config.Labels, ...Object.fromEntries(expanded) };
    this.#note(`LABEL ${expanded.map(([key, value]) => `${key}=${value}`).join(" ")}`);
  }

  #run(instruction: Extract<Instruction, { kind: "run" }>, source: Source, origins: readonly Origin[]): void {
    const { command, ...reach } = evaluateRun(instruction, {
      ...{ origins, policy: this.#policy, expand: (word) => this.#expandWord(word) },
      ...{ workdir: this.#workdir(), env: this.#scope.environment() },
    });
    const args = this.#commandOf(command);
    const createdBy = `RUN ${argumentsPrefix(this.#scope.declared())}${args.join(" ")} # buildkit`;
    const place = { cwd: this.#workdir(), user: this.#config.User ?? "", proxies: this.#scope.proxies() };
    this.#addStep({ kind: "run", source, args, ...place, ...reach, createdBy });
  }

  #copy(instruction: Transfer, source: Source, from: Origin): void {
    const variables = { get: (name: string) => this.#scope.get(name), escape: this.#escape };
    const hasNoLayer = this.#history.every((line) => line.empty_layer === true);
    this.#addStep(evaluateCopy(instruction, { variables, workdir: this.#workdir(), source, from, hasNoLayer }));
  }

  #setWorkdir(path: string, source: Source): void {
    const wanted = this.#expand(path);
    // BuildKit leaves absolute paths as they are written; nothing stands for the directory that is.
    const directory = wanted.startsWith("/") ? wanted : `/${cleanPath(`${this.#workdir()}/${wanted}`)}`;
    this.#config.WorkingDir = directory;
    const createdBy = `WORKDIR ${directory}`;
    if (directory === "/") this.#note(createdBy);
    else this.#addStep({ kind: "workdir", source, path: toRaw(cleanPath(directory)), user: this.#config.User ?? "", createdBy });
  }

  /** Absolute and clean, whatever the base says. */
  #workdir(): string {
    return `/${cleanPath(this.#config.WorkingDir ?? "")}`;
  }

  #setUser(user: string): void {
    this.#config.User = this.#expand(user);
    this.#note(`USER ${this.#config.User}`);
  }

  #inShell(text: string): readonly string[] {
    const shell = this.#config.Shell ?? [];
    return [...(shell.length === 0 ? defaultShell : shell), text];
  }

  #commandOf(command: CommandLine): readonly string[] {
    return command.form === "exec" ? command.args : this.#inShell(command.text);
  }

  #setCmd(command: CommandLine): void {
    this.#config.Cmd = this.#commandOf(command);
    this.#config.ArgsEscaped = true;
    this.#setsCmd = true;
    this.#note(`CMD ${quoteList(this.#config.Cmd)}`);
  }

  /** A CMD of the base meant the base's entrypoint; one of this stage stays. */
  #setEntrypoint(command: CommandLine): void {
    this.#config.Entrypoint = this.#commandOf(command);
    if (!this.#setsCmd) delete this.#config.Cmd;
    this.#note(`ENTRYPOINT ${quoteList(this.#config.Entrypoint)}`);
  }

  #expose(words: readonly string[]): void {
    const variables = { get: (name: string) => this.#scope.get(name), escape: this.#escape };
    const read = (word: string) => expandWords(word, variables).flatMap(readPorts);
    const specs = words.flatMap((text) => within({ of: "argument", text }, () => read(text)));
    const ports = [...new Set(specs)].sort(comparePorts);
    this.#config.ExposedPorts = { ...this.#config.ExposedPorts, ...Object.fromEntries(ports.map((port) => [port, {}])) };
    this.#note(`EXPOSE ${plainList(ports)}`);
  }

  #addVolumes(words: readonly string[]): void {
    const paths = words.map((word) => this.#expand(word));
    const blank = paths.indexOf("");
    if (blank >= 0) throw new LineError("VOLUME specified can not be an empty string", undefined, { of: "argument", index: blank });
    this.#config.Volumes = { ...this.#config.Volumes, ...Object.fromEntries(paths.map((path) => [path, {}])) };
    this.#note(`VOLUME ${plainList(paths)}`);
  }

  #setHealthcheck(instruction: Extract<Instruction, { kind: "healthcheck" }>): void {
    const { command, interval, timeout, startPeriod, startInterval, retries } = instruction;
    const test = command === undefined ? ["NONE"] : command.form === "exec" ? ["CMD", ...command.args] : ["CMD-SHELL", command.text];
    this.#config.Healthcheck = {
      Test: test,
      ...(interval === undefined ? {} : { Interval: interval }),
      ...(timeout === undefined ? {} : { Timeout: timeout }),
      ...(startPeriod === undefined ? {} : { StartPeriod: startPeriod }),
      ...(startInterval === undefined ? {} : { StartInterval: startInterval }),
      ...(retries === undefined ? {} : { Retries: retries }),
    };
    this.#note(`HEALTHCHECK ${healthcheckText(this.#config.Healthcheck)}`);
  }
}

/** `K=V` pairs of a configuration; a malformed one is a name with an empty value. */
export function splitEnv(env: readonly string[] | undefined): [string, string][] {
  return (env ?? []).map((pair) => {
    const equals = pair.indexOf("=");
    return equals < 0 ? [pair, ""] : [pair.slice(0, equals), pair.slice(equals + 1)];
  });
}

function readPorts(spec: string): string[] {
  try {
    return expandPorts(spec);
  } catch (error) {
    throw error instanceof RangeError ? new LineError(error.message) : error;
  }
}

const signalNumberLimit = 64;
const signalName =
  /^(?:SIG)?(?:ABRT|ALRM|BUS|CHLD|CLD|CONT|FPE|HUP|ILL|INT|IO|IOT|KILL|PIPE|POLL|PROF|PWR|QUIT|SEGV|STKFLT|STOP|SYS|TERM|TRAP|TSTP|TTIN|TTOU|URG|USR1|USR2|VTALRM|WINCH|XCPU|XFSZ|RTMIN(?:\+(?:[1-9]|1[0-5]))?|RTMAX(?:-(?:[1-9]|1[0-4]))?)$/i;

function checkSignal(text: string): string {
  const number = /^\d+$/.test(text) ? Number(text) : undefined;
  const known = number === undefined ? signalName.test(text) : number > 0 && number <= signalNumberLimit;
  if (!known) throw new LineError(`invalid signal: ${text}`, undefined, { of: "arguments" });
  return text;
}
