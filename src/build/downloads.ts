// What ADD takes from elsewhere, files and git repositories: all asked for before the first step runs, each fetched once.

import { beginCheckout, beginDownload, type Checkout, type Download } from "../context/context.ts";
import { type Http, redactText } from "../http/http.ts";
import type { RegistryOptions } from "../registry/registry.ts";
import { BuildFailure, hintOf, type PlaceOf } from "./failure.ts";
import type { CopyOperand, Plan, Source } from "./plan.ts";

type UrlOperand = Extract<CopyOperand, { kind: "url" }>;
type GitOperand = Extract<CopyOperand, { kind: "git" }>;

export interface Downloads {
  /** The whole file; rejects where it could not be had. */
  download(operand: UrlOperand): Promise<Download>;
  checkOut(operand: GitOperand): Promise<Checkout>;
  /** What is there now: the digest of a file, the commit of a repository and what of it is taken. */
  identify(operand: UrlOperand | GitOperand): Promise<string>;
  /** Stops what is under way. */
  close(): Promise<void>;
}

export interface DownloadsTools {
  readonly http: Http;
  readonly registry: Pick<RegistryOptions, "proxies" | "roots">;
  /** `--secret` and `--ssh`. */
  readonly secrets: ReadonlyMap<string, Uint8Array>;
  /** Sockets of agents by id. */
  readonly ssh: ReadonlyMap<string, string>;
  readonly scratch: string;
  readonly signal: AbortSignal;
  readonly place: PlaceOf;
}

/** Begins to fetch everything that the plan will need. Throws a BuildFailure for what its host does not have. */
export async function beginDownloads(plan: Plan, tools: DownloadsTools): Promise<Downloads> {
  const stop = new AbortController();
  const signal = AbortSignal.any([tools.signal, stop.signal]);
  const fetching = { ...tools, directory: tools.scratch, signal };
  const { proxies, roots } = tools.registry;
  const files = new Map<string, ReturnType<typeof beginDownload>>();
  const checkouts = new Map<string, ReturnType<typeof beginCheckout>>();
  const download = ({ url, checksum }: UrlOperand) =>
    remember(files, `${checksum ?? ""} ${url}`, () => beginDownload(url, checksum, fetching));
  const checkOut = ({ source }: GitOperand) =>
    remember(checkouts, JSON.stringify(source), () =>
      beginCheckout(source, { ...fetching, proxies, authorities: roots.files, sshAgent: tools.ssh.get("default") }),
    );
  const close = async () => {
    stop.abort();
    for (const outcome of await Promise.allSettled([...files.values(), ...checkouts.values()]))
      if (outcome.status === "fulfilled") await Promise.allSettled([outcome.value.finished]);
  };
  const begin = async (operand: CopyOperand, source: Source, index: number) => {
    try {
      if (operand.kind === "url") await download(operand);
      if (operand.kind === "git") await checkOut(operand);
    } catch (error) {
      fail(error, tools.place(source, { of: "source", index }), tools.signal);
    }
  };
  try {
    const steps = plan.stages.flatMap((stage) => stage.steps);
    await Promise.all(
      steps.flatMap((step) => (step.kind === "copy" ? step.sources.map((operand, i) => begin(operand, step.source, i)) : [])),
    );
  } catch (error) {
    await close();
    throw error;
  }
  return {
    download: async (operand) => (await download(operand)).finished,
    checkOut: async (operand) => (await checkOut(operand)).finished,
    identify: async (operand) => {
      if (operand.kind === "url") return (await (await download(operand)).finished).digest;
      const { commit } = await checkOut(operand);
      const { remote, subdir, submodules, keepGitDir, mtime } = operand.source;
      return JSON.stringify([commit, subdir ?? "", submodules, keepGitDir ? redactText(remote) : "", mtime]);
    },
    close,
  };
}

function remember<T>(known: Map<string, T>, key: string, begin: () => T): T {
  const begun = known.get(key) ?? begin();
  known.set(key, begun);
  return begun;
}

function fail(error: unknown, place: ReturnType<PlaceOf>, signal: AbortSignal): never {
  signal.throwIfAborted();
  if (!(error instanceof Error)) throw error;
  throw new BuildFailure(error.message, { place, hint: hintOf(error), cause: error.cause });
}
