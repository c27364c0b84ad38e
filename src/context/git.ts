// Checks a git repository out with the git program: exactly the state that is asked for, and no history.

import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { appendFile, mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { type FileView, resolvePath } from "../filesystem/filesystem.ts";
import { type Proxies, redactText } from "../http/http.ts";
import { type Content, type RawPath, toRaw } from "../layer/entry.ts";
import { usualPath } from "../layer/layer.ts";
import { openDirectory } from "./directory.ts";
import type { GitSource } from "./git-reference.ts";
import { noPatterns } from "./ignore.ts";
import { readSecret, type Secrets } from "./secret.ts";

/** The files of a checkout, owned by 0:0. */
export interface Checkout extends FileView {
  /** Where what is wanted begins: the repository's root, or the subdirectory. */
  readonly base: RawPath;
  readonly commit: string;
  /** When it was committed, in seconds since 1970. */
  readonly time: number;
  content(path: RawPath): Content;
}

/** What kaniko's environment says to a repository's host. */
export interface GitCredentials {
  readonly username: string;
  readonly password: string;
}

export interface GitTools {
  /** Where the checkout is made; made when it is needed. */
  readonly directory: string;
  readonly proxies: Proxies;
  /** PEM files. */
  readonly authorities: readonly string[];
  /** By id; `GIT_AUTH_TOKEN` and `GIT_AUTH_HEADER`, either also with `.HOST`, say who we are. */
  readonly secrets: Secrets;
  /** For the repository's host, and the submodules there, where neither a secret nor the address says who we are. */
  readonly credentials?: GitCredentials | undefined;
  /** Accept any certificate. */
  readonly skipTlsVerify?: boolean;
  /** The socket of the agent whose keys ssh may use. */
  readonly sshAgent: string | undefined;
  readonly signal: AbortSignal;
}

class GitError extends Error {
  readonly hint: string | undefined;
  constructor(source: GitSource, state: string, options: { readonly hint?: string; readonly cause?: unknown } = {}) {
    super(`Cannot use git repository "${redactText(source.remote)}": ${state}`, { cause: options.cause });
    this.hint = options.hint;
  }
}

/** A checkout that has begun. */
export interface BegunCheckout {
  /** What is checked out, all of its hex digits. */
  readonly commit: string;
  /** Goes on while nobody waits. */
  readonly finished: Promise<Checkout>;
}

/** Finds the ref, and throws unless the remote has it. */
export async function beginCheckout(source: GitSource, tools: GitTools): Promise<BegunCheckout> {
  if (!/^(?:https?|git):/i.test(source.remote) && tools.sshAgent === undefined)
    throw new GitError(source, "ssh needs an agent", { hint: "give --ssh default" });
  const tree = join(tools.directory, randomUUID());
  await mkdir(tree, { recursive: true });
  const git = new Git(source, tree, tools);
  await git.run(["-c", "init.defaultBranch=master", "init", "--quiet"]);
  const { remote } = splitUserinfo(source.remote);
  // Not by its arguments, which everyone on the machine can read.
  await appendFile(join(tree, ".git", "config"), `[remote "origin"]\n\turl = "${remote.replace(/["\\]/g, "\\$&")}"\n`);
  const found = await findRef(git, source);
  const finished = checkOut(git, source, found, tree);
  finished.catch(() => {});
  return { commit: found.objects.at(-1) ?? found.name, finished };
}

interface Found {
  /** What to fetch: a ref of the remote, or a commit. */
  readonly name: string;
  /** The commit and, of an annotated tag, the tag itself; unknown where a commit is asked for by its name. */
  readonly objects: readonly string[];
}

const commit = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/i;

async function findRef(git: Git, source: GitSource): Promise<Found> {
  const { checksum, fetchByCommit } = source;
  const ref = fetchByCommit && checksum !== undefined ? checksum : source.ref;
  if (ref !== undefined && commit.test(ref)) return { name: ref.toLowerCase(), objects: [] };
  const listed = await git.run(["ls-remote", "--quiet", "origin", ...(ref === undefined ? ["HEAD"] : [ref, `${ref}^{}`])]);
  const shas = new Map(listed.split("\n").flatMap((line) => (line === "" ? [] : [line.split("\t").reverse() as [string, string]])));
  // As git checkout does: of two with one name, the branch.
  const names = ref === undefined ? ["HEAD"] : ref.startsWith("refs/") ? [ref] : [`refs/${ref}`, `refs/heads/${ref}`, `refs/tags/${ref}`];
  const name = names.find((candidate) => shas.has(candidate));
  if (name === undefined) {
    const state = ref === undefined ? "it has no default branch" : `it does not contain ref ${ref}: there is no ${names.join(" and no ")}`;
    throw new GitError(source, state, commitHint(ref));
  }
  const objects = [shas.get(name), shas.get(`${name}^{}`)].flatMap((sha) => sha ?? []);
  if (checksum !== undefined && !objects.some((sha) => sha.startsWith(checksum))) throw mismatch(source, objects.at(-1));
  return { name, objects };
}

function commitHint(ref: string | undefined): { readonly hint?: string } {
  return ref !== undefined && /^[0-9a-f]{7,63}$/i.test(ref) ? { hint: "write a commit with all its digits" } : {};
}

function mismatch(source: GitSource, sha: string | undefined): GitError {
  return new GitError(source, `expected checksum to match ${source.checksum}, got ${sha}`);
}

async function checkOut(git: Git, source: GitSource, { name, objects }: Found, tree: string): Promise<Checkout> {
  const { checksum, subdir, submodules } = source;
  const isNamed = name.startsWith("refs/heads/") || name.startsWith("refs/tags/");
  await git.fetch(["fetch", "--quiet", "--no-tags", "--update-head-ok", "--depth=1", "origin", isNamed ? `+${name}:${name}` : name]);
  await git.run(["-c", "advice.detachedHead=false", "checkout", "--quiet", "--force", "--detach", commit.test(name) ? name : "FETCH_HEAD"]);
  const [sha = "", seconds = "0"] = (await git.run(["show", "--no-patch", "--format=%H %ct", "HEAD"])).trim().split(" ");
  if (checksum !== undefined && ![sha, ...objects].some((object) => object.startsWith(checksum))) throw mismatch(source, sha);
  if (submodules) await git.fetch(["submodule", "--quiet", "update", "--init", "--recursive", "--depth=1"]);
  const keepsGitDir = source.keepGitDir && (subdir === undefined || /^[./]*$/.test(subdir));
  if (!keepsGitDir) {
    const below = submodules ? await git.run(["submodule", "--quiet", "foreach", "--recursive", 'printf "%s\\0" "$displaypath"']) : "";
    for (const path of ["", ...below.split("\0").filter(Boolean)]) await rm(join(tree, path, ".git"), { recursive: true, force: true });
  } else {
    await rm(join(tree, ".git", "FETCH_HEAD"), { force: true });
    await git.run(["remote", "set-url", "origin", redactText(source.remote)]);
    await git.run(["reflog", "expire", "--all", "--expire=now"]);
  }
  const view = openDirectory(tree, noPatterns);
  const base = resolvePath(view, toRaw(subdir ?? ""));
  if (base.node?.attributes.type !== "directory") throw new GitError(source, `there is no directory "${subdir}" in it at ${sha}`);
  const found = { base: base.path, commit: sha, time: Number(seconds) };
  if (source.mtime === "checkout") return { ...view, ...found };
  const lstat: FileView["lstat"] = (path) => {
    const node = view.lstat(path);
    return node && { ...node, attributes: { ...node.attributes, mtime: found.time, mtimeNs: 0 } };
  };
  return { ...view, lstat, ...found };
}

/** The program in one work tree, knowing nothing of the user and asking nothing. */
class Git {
  readonly #source: GitSource;
  readonly #tree: string;
  readonly #tools: GitTools;

  constructor(source: GitSource, tree: string, tools: GitTools) {
    this.#source = source;
    this.#tree = tree;
    this.#tools = tools;
  }

  /** What it writes. Throws a GitError with what it complained about. */
  async run(args: readonly string[]): Promise<string> {
    const { code, output, complaint } = await this.#start(args);
    if (code === 0) return output;
    const verb = args.find((word, i) => !word.startsWith("-") && args[i - 1] !== "-c");
    throw new GitError(this.#source, `git ${verb} failed: ${redactText(complaint.trim() || `it ended with ${code ?? "a signal"}`)}`);
  }

  /** The same for a command with `--depth=1`, which is left out for hosts that cannot do it. */
  async fetch(args: readonly string[]): Promise<string> {
    try {
      return await this.run(args);
    } catch (error) {
      if (!(error instanceof GitError) || !/--depth|shallow|unadvertised|not our ref/.test(error.message)) throw error;
      const whole = args.filter((word) => word !== "--depth=1");
      // Where a commit may not be asked for by its name, it comes with the refs that lead to it.
      return this.run(
        /unadvertised|not our ref/.test(error.message) ? ["fetch", "--quiet", "origin", "+refs/*:refs/remotes/origin/*"] : whole,
      );
    }
  }

  #start(args: readonly string[]): Promise<{ readonly code: number | null; readonly output: string; readonly complaint: string }> {
    const { signal } = this.#tools;
    signal.throwIfAborted();
    // Nobody else's umask decides about modes in the image; repositories may not reach into the machine's files.
    const command = ["-c", 'umask 022 && exec git -c protocol.file.allow=user "$@"', "git", ...args];
    const child = spawn("sh", command, { cwd: this.#tree, env: this.#environment(), stdio: ["ignore", "pipe", "pipe"], detached: true });
    // Fetching starts processes of its own.
    const stop = () => {
      if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, "SIGKILL");
    };
    signal.addEventListener("abort", stop, { once: true });
    const texts = { output: "", complaint: "" };
    child.stdout.setEncoding("utf8").on("data", (text: string) => (texts.output += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (texts.complaint = (texts.complaint + text).slice(-4096)));
    return new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (code) => {
        signal.removeEventListener("abort", stop);
        if (signal.aborted) return reject(signal.reason);
        if (code === 127) return reject(new GitError(this.#source, "git is not installed", { hint: "install the package git" }));
        resolve({ code, ...texts });
      });
    });
  }

  #environment(): Record<string, string> {
    const { proxies, authorities, skipTlsVerify, sshAgent } = this.#tools;
    const { settings, login } = identify(this.#source.remote, this.#tools);
    const numbered = Object.entries(settings).flatMap(([key, value], i) => [
      [`GIT_CONFIG_KEY_${i}`, key],
      [`GIT_CONFIG_VALUE_${i}`, value],
    ]);
    return {
      PATH: usualPath,
      HOME: "/dev/null",
      LC_ALL: "C",
      GIT_CONFIG_NOSYSTEM: "1",
      GIT_CONFIG_GLOBAL: "/dev/null",
      GIT_TERMINAL_PROMPT: "0",
      ...(proxies.http === undefined ? {} : { http_proxy: proxies.http }),
      ...(proxies.https === undefined ? {} : { https_proxy: proxies.https }),
      ...(proxies.noProxy === undefined ? {} : { no_proxy: proxies.noProxy }),
      // Neither in arguments, which everyone on the machine can read, nor in the .git that may end up in an image.
      GIT_CONFIG_COUNT: String(numbered.length / 2),
      ...Object.fromEntries(numbered),
      ...(login === undefined ? {} : { SLIPWAY_GIT_USERNAME: login.username, SLIPWAY_GIT_PASSWORD: login.password }),
      // Without known hosts, as BuildKit does it.
      GIT_SSH_COMMAND: "ssh -F /dev/null -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null",
      ...(sshAgent === undefined ? {} : { SSH_AUTH_SOCK: sshAgent }),
      ...(authorities[0] === undefined ? {} : { GIT_SSL_CAINFO: authorities[0] }),
      ...(skipTlsVerify ? { GIT_SSL_NO_VERIFY: "1" } : {}),
    };
  }
}

interface Identity {
  /** Of git's configuration. */
  readonly settings: Readonly<Record<string, string>>;
  /** What its helper answers. */
  readonly login?: GitCredentials;
}

/**
 * Who we are: the host's own secrets before those for all, headers before tokens, the address, the environment. Names and passwords are
 * git's credentials, which are asked for anew where a host redirects to another; a header would go along, so that it may not redirect.
 */
function identify(address: string, { secrets, credentials }: GitTools): Identity {
  if (!/^https?:/i.test(address)) return { settings: {} };
  const { remote, userinfo } = splitUserinfo(address);
  const { host, origin } = new URL(remote);
  const scope = scopeOf(remote);
  for (const suffix of [`.${host}`, ""]) {
    const header = readSecret(secrets, `GIT_AUTH_HEADER${suffix}`);
    const basic = /^basic\s+(\S+)$/i.exec(header ?? "")?.[1];
    if (basic !== undefined) return logIn(scope, readLogin(Buffer.from(basic, "base64").toString("utf8")));
    if (header !== undefined)
      return { settings: { [`http.${scope}.extraheader`]: `Authorization: ${header}`, [`http.${scope}.followRedirects`]: "false" } };
    const token = readSecret(secrets, `GIT_AUTH_TOKEN${suffix}`);
    if (token !== undefined) return logIn(scope, { username: "x-access-token", password: token });
  }
  const login = userinfo === undefined ? credentials : readLogin(userinfo);
  return login === undefined ? { settings: {} } : logIn(origin, login);
}

/** A helper of git's: https://git-scm.com/docs/gitcredentials. It is in arguments, so that the login itself is in its environment. */
const helper = '!f() { test "$1" != get || printf "username=%s\\npassword=%s\\n" "$SLIPWAY_GIT_USERNAME" "$SLIPWAY_GIT_PASSWORD"; }; f';

function logIn(scope: string, login: GitCredentials): Identity {
  // Hosts redirect from the one to the other.
  const scopes = /[^/:]\/.*[^/]$/.test(scope) && !scope.endsWith(".git") ? [scope, `${scope}.git`] : [scope];
  const helpers = scopes.map((one) => [`credential.${one}.helper`, helper]);
  return { settings: { "credential.useHttpPath": "true", ...Object.fromEntries(helpers) }, login };
}

function readLogin(userinfo: string): GitCredentials {
  const [username = "", password = ""] = userinfo.split(/:(.*)/s);
  return { username, password };
}

/** Takes the user's name and password out of a web address; git would keep them, and ask for what is missing. */
function splitUserinfo(address: string): { readonly remote: string; readonly userinfo: string | undefined } {
  const [, before, userinfo, after] = /^(https?:\/\/)([^/?#]*)@(.*)$/is.exec(address) ?? [];
  if (userinfo === undefined) return { remote: address, userinfo: undefined };
  const [user = "", password = ""] = userinfo.split(/:(.*)/s);
  return { remote: `${before}${after}`, userinfo: `${decode(user)}:${decode(password)}` };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Which addresses the secret is shown to: the repository alone, on GitHub all, as its own checkout action does. */
function scopeOf(remote: string): string {
  return /^https:\/\/(?:www\.)?github\.com\//.exec(remote)?.[0] ?? remote;
}
