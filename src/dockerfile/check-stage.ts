// Checks of what the instructions of a stage come to, one after another, with the variables they see.

import type { BaseFacts, CheckFacts, Tell } from "./check.ts";
import { checkImagePlatform } from "./check-from.ts";
import type { Dockerfile } from "./dockerfile.ts";
import { LineError } from "./error.ts";
import { expandBody, expandWord, expandWords } from "./expand.ts";
import type { ArgInstruction, EnvInstruction, FromInstruction, Instruction, LabelInstruction, Transfer } from "./instruction.ts";
import { readMount } from "./mount.ts";
import { quote } from "./quote.ts";
import { findNearest } from "./suggest.ts";

type StageInstruction = Exclude<Instruction, FromInstruction>;

export interface StageFacts extends CheckFacts {
  readonly dockerfile: Dockerfile;
  /** The arguments above the first FROM. */
  readonly globals: ReadonlyMap<string, string>;
}

/** What instructions of a stage leave behind for those after them and for stages on top. */
interface StageState {
  readonly env: Map<string, string>;
  readonly declared: Set<string>;
  /** No variable can come from a base image that nobody has read. */
  readonly knowsBase: boolean;
  hasShell: boolean;
  hasWorkdir: boolean;
}

export function startStage(parent: StageState | undefined, base: BaseFacts | undefined, isScratch: boolean): StageState {
  if (parent) return { ...parent, env: new Map(parent.env), declared: new Set(parent.declared) };
  const env = new Map([["PATH", ""], ...(base?.env ?? [])]);
  return { env, declared: new Set(), knowsBase: isScratch || base !== undefined, hasShell: base?.hasShell ?? false, hasWorkdir: false };
}

export function checkStage(instructions: readonly StageInstruction[], state: StageState, facts: StageFacts, tell: Tell): void {
  const checker = new StageChecker(state, facts, tell);
  for (const instruction of instructions) checker.check(instruction);
}

class StageChecker {
  readonly #state: StageState;
  readonly #facts: StageFacts;
  readonly #tell: Tell;
  /** Of each kind that counts once, the last so far. */
  readonly #last = new Map<string, StageInstruction>();

  constructor(state: StageState, facts: StageFacts, tell: Tell) {
    this.#state = state;
    this.#facts = facts;
    this.#tell = tell;
  }

  check(instruction: StageInstruction): void {
    switch (instruction.kind) {
      case "arg":
        this.#checkArg(instruction);
        break;
      case "env":
      case "label":
        this.#checkPairs(instruction);
        break;
      case "run":
        for (const mount of instruction.mounts)
          this.#try(instruction, (missing) => readMount(mount, (word) => expandWord(word, this.#variables, missing)));
        break;
      case "copy":
      case "add":
        this.#checkTransfer(instruction);
        break;
      case "workdir":
        this.#checkWorkdir(instruction);
        break;
      case "user":
        this.#expand(instruction, instruction.user);
        break;
      case "stopsignal":
        this.#expand(instruction, instruction.signal);
        break;
      case "volume":
        for (const path of instruction.paths) this.#expand(instruction, path);
        break;
      case "expose":
        this.#checkExpose(instruction);
        break;
      case "cmd":
      case "entrypoint":
        this.#checkOnce(instruction);
        if (instruction.command.form === "shell" && !this.#state.hasShell) {
          const message = `JSON arguments recommended for ${instruction.word} to prevent unintended behavior related to OS signals`;
          this.#tell("JSONArgsRecommended", instruction, message);
        }
        break;
      case "healthcheck":
        this.#checkOnce(instruction);
        break;
      case "shell":
        this.#state.hasShell = true;
        break;
      case "onbuild":
      case "maintainer":
        break;
      default:
        instruction satisfies never;
    }
  }

  get #variables() {
    return { get: (name: string) => this.#state.env.get(name), escape: this.#facts.dockerfile.escape };
  }

  /** What cannot be expanded fails the build, which tells of it. */
  #try<T>(instruction: StageInstruction, action: (missing: Set<string>) => T): T | undefined {
    const missing = new Set<string>();
    try {
      return action(missing);
    } catch (error) {
      if (error instanceof LineError) return undefined;
      throw error;
    } finally {
      for (const name of missing) this.#tellUndefined(instruction, name);
    }
  }

  #expand(instruction: StageInstruction, word: string): string | undefined {
    return this.#try(instruction, (missing) => expandWord(word, this.#variables, missing));
  }

  /** Names in capitals may be those of a base image that is not known. */
  #tellUndefined(instruction: StageInstruction, name: string): void {
    if (this.#state.declared.has(name) || !(this.#state.knowsBase || /\p{Ll}/u.test(name))) return;
    const nearest = findNearest(name, this.#state.env.keys());
    const hint = nearest === undefined ? "" : ` (did you mean $${nearest}?)`;
    // BuildKit does not look into EXPOSE.
    this.#tell("UndefinedVar", instruction, `Usage of undefined variable '$${name}'${hint}`, { own: instruction.kind === "expose" });
  }

  #checkArg(instruction: ArgInstruction): void {
    const { buildArgs, globals } = this.#facts;
    this.#checkLegacyArg(instruction);
    for (const { name, value } of instruction.args) {
      this.#checkSecret(instruction, name);
      const fallback = buildArgs.has(name) || value === undefined ? undefined : this.#expand(instruction, value);
      const set = buildArgs.get(name) ?? fallback ?? globals.get(name);
      if (set !== undefined) this.#state.env.set(name, set);
      this.#state.declared.add(name);
    }
  }

  /** `ARG foo bar` declares two arguments. Where nobody ever mentions the second again, it was probably meant as a value. */
  #checkLegacyArg(instruction: ArgInstruction): void {
    const [first, second, ...rest] = instruction.args;
    if (!second || rest.length > 0 || first?.value !== undefined || second.value !== undefined) return;
    const { buildArgs, globals, dockerfile } = this.#facts;
    if (buildArgs.has(second.name) || globals.has(second.name)) return;
    const written = dockerfile.stages.flatMap((stage) => stage.instructions.map(fullText)).join("\n");
    if (written.split(second.name).length === 2) this.#tellLegacy(instruction, true);
  }

  #tellLegacy(instruction: StageInstruction, own: boolean): void {
    const { word } = instruction;
    const message = `"${word} key=value" should be used instead of legacy "${word} key value" format`;
    this.#tell("LegacyKeyValueFormat", instruction, message, { own });
  }

  #checkPairs(instruction: EnvInstruction | LabelInstruction): void {
    const expanded = instruction.pairs.map(({ key, value }) => [this.#expand(instruction, key), this.#expand(instruction, value)] as const);
    if (instruction.legacy) this.#tellLegacy(instruction, false);
    for (const [key, value] of instruction.kind === "env" ? expanded : []) {
      if (key === undefined) continue;
      this.#checkSecret(instruction, key);
      this.#state.env.set(key, value ?? "");
    }
  }

  #checkSecret(instruction: StageInstruction, name: string): void {
    if (!secretWord.test(name) || harmlessWord.test(name)) return;
    const detail = `${instruction.kind.toUpperCase()} ${quote(name)}`;
    this.#tell("SecretsUsedInArgOrEnv", instruction, `Do not use ARG or ENV instructions for sensitive data (${detail})`);
  }

  #checkTransfer(instruction: Extract<Instruction, Transfer>): void {
    const { chown = "", chmod = "", exclude, sources, contents, destination } = instruction;
    const checksum = instruction.kind === "add" ? (instruction.checksum ?? "") : "";
    for (const word of [chown, chmod, checksum, ...exclude]) this.#expand(instruction, word);
    const paths = sources.flatMap((source) => this.#expand(instruction, source) ?? []);
    const to = this.#expand(instruction, destination);
    for (const { content } of contents.filter(({ expand }) => expand))
      this.#try(instruction, (missing) => expandBody(content, this.#variables, missing));
    const isFile = to !== undefined && !(instruction.kind === "copy" && instruction.parents) && !/(?:^|\/)\.{0,2}$/.test(to);
    if (isFile && sources.length + contents.length > 1 && !paths.some((path) => /[*?[]/.test(path))) {
      const message = `${instruction.kind.toUpperCase()} of several sources to ${quote(to)}, which has no slash at its end: the last one wins`;
      this.#tell("SeveralSourcesNeedSlash", instruction, message);
    }
    if (instruction.kind === "add" && instruction.keepGitDir !== undefined && !paths.some((path) => gitSource.test(path)))
      this.#tell("KeepGitDirWithoutGit", instruction, "ADD --keep-git-dir is without effect: no source is a git repository");
    if (instruction.link && chmod !== "")
      this.#tell("LinkWithChmod", instruction, `${instruction.kind.toUpperCase()} --link is without effect beside --chmod`);
    for (const pattern of exclude.filter((text) => /^!?\//.test(text))) {
      const message = `--exclude=${pattern} matches nothing: patterns are relative to each copied directory and begin with no slash`;
      this.#tell("RootedExclude", instruction, message);
    }
    if (instruction.kind === "copy" && instruction.from !== undefined) {
      checkImagePlatform(instruction, instruction.from, this.#facts.images.get(instruction.from), this.#tell);
      return;
    }
    for (const path of paths) this.#checkIgnored(instruction, path);
  }

  #checkIgnored(instruction: StageInstruction, path: string): void {
    const { isIgnored } = this.#facts;
    const clean = cleanPath(path);
    if (!isIgnored || clean === "." || clean === "/" || isRemote(path)) return;
    const isHidden = isIgnored(clean);
    // BuildKit's page about this rule has a pattern that matches only the path as it is written.
    if (!isHidden && !(path.startsWith("./") && isIgnored(path))) return;
    const verb = instruction.kind === "add" ? "Add" : "Copy";
    const message = `Attempting to ${verb} file ${quote(isHidden ? clean : path)} that is excluded by .dockerignore`;
    this.#tell("CopyIgnoredFile", instruction, message, { own: !isHidden });
  }

  /** Only the first counts: those after it are as good as it is. */
  #checkWorkdir(instruction: Extract<StageInstruction, { kind: "workdir" }>): void {
    const path = this.#expand(instruction, instruction.path);
    if (path !== undefined && !this.#state.hasWorkdir && !path.startsWith("/"))
      this.#tell(
        "WorkdirRelativePath",
        instruction,
        `Relative workdir ${quote(path)} can have unexpected results if the base image changes`,
      );
    this.#state.hasWorkdir = true;
  }

  #checkExpose(instruction: Extract<StageInstruction, { kind: "expose" }>): void {
    const words = instruction.ports.flatMap(
      (port) => this.#try(instruction, (missing) => expandWords(port, this.#variables, missing)) ?? [],
    );
    for (const port of words) {
      const slash = port.indexOf("/");
      const protocol = slash < 0 ? "" : port.slice(slash + 1);
      if (protocol !== protocol.toLowerCase())
        this.#tell("ExposeProtoCasing", instruction, `Defined protocol '${port}' in EXPOSE instruction should be lowercase`);
      if (port.includes(":")) {
        const message = `EXPOSE instruction should not define an IP address or host-port mapping, found '${port}'`;
        this.#tell("ExposeInvalidFormat", instruction, message);
      }
    }
  }

  /** It is the earlier one that has no effect. */
  #checkOnce(instruction: StageInstruction): void {
    const { kind, word } = instruction;
    const before = this.#last.get(kind);
    this.#last.set(kind, instruction);
    const message = `Multiple ${word} instructions should not be used in the same stage because only the last one will be used`;
    if (before) this.#tell("MultipleInstructionsDisallowed", before, message, { by: instruction });
  }
}

/** With heredocs. */
function fullText(instruction: StageInstruction): string {
  const heredocs = instruction.kind === "run" ? instruction.heredocs : "contents" in instruction ? instruction.contents : [];
  return [instruction.text, ...heredocs.map(({ content }) => content)].join("\n");
}

const gitSource = /^(?:git|ssh):\/\/|^[\w.-]+@[\w.-]+:|\.git(?:[#?]|$)/i;
const secretWord = /(?:_|^)(?:apikey|auth|credentials?|key|password|pword|passwd|secret|token)(?:_|$)/i;
const harmlessWord = /(?:_|^)(?:public|file|version)(?:_|$)/i;

function isRemote(source: string): boolean {
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(source) || /^[\w.-]+@[\w.-]+:/.test(source);
}

/** Go's filepath.Clean. */
function cleanPath(path: string): string {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "" || part === ".") continue;
    if (part !== "..") parts.push(part);
    else if (parts.length > 0 && parts.at(-1) !== "..") parts.pop();
    else if (!path.startsWith("/")) parts.push("..");
  }
  return `${path.startsWith("/") ? "/" : ""}${parts.join("/")}` || ".";
}
