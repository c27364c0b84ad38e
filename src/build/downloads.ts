// The files that ADD takes from the web: all asked for before the first step runs, each downloaded once.

import { beginDownload, type Download } from "../context/context.ts";
import type { Http } from "../http/http.ts";
import { BuildFailure, hintOf, type Place } from "./failure.ts";
import type { CopyOperand, Plan, Source } from "./plan.ts";

export type UrlOperand = Extract<CopyOperand, { kind: "url" }>;

export interface Downloads {
  /** The whole file; rejects where it could not be had. */
  get(operand: UrlOperand): Promise<Download>;
  /** Stops what is under way. */
  close(): Promise<void>;
}

export interface DownloadsTools {
  readonly http: Http;
  readonly scratch: string;
  readonly signal: AbortSignal;
  place(source: Source): Place;
}

/** Begins to download everything that the plan will need. Throws a BuildFailure for a file that its host does not give. */
export async function beginDownloads(plan: Plan, tools: DownloadsTools): Promise<Downloads> {
  const stop = new AbortController();
  const signal = AbortSignal.any([tools.signal, stop.signal]);
  const begun = new Map<string, ReturnType<typeof beginDownload>>();
  const close = async () => {
    stop.abort();
    for (const outcome of await Promise.allSettled(begun.values()))
      if (outcome.status === "fulfilled") await Promise.allSettled([outcome.value.finished]);
  };
  const begin = (operand: UrlOperand) => {
    const download =
      begun.get(keyOf(operand)) ?? beginDownload(operand.url, operand.checksum, { ...tools, directory: tools.scratch, signal });
    begun.set(keyOf(operand), download);
    return download;
  };
  const wanted = plan.stages
    .flatMap((stage) => stage.steps)
    .flatMap((step) => (step.kind === "copy" ? urlsOf(step.sources, step.source) : []));
  try {
    await Promise.all(wanted.map(({ operand, source }) => begin(operand).catch((error) => fail(error, tools.place(source), tools.signal))));
  } catch (error) {
    await close();
    throw error;
  }
  return { get: async (operand) => (await begin(operand)).finished, close };
}

function keyOf({ url, checksum }: UrlOperand): string {
  return `${checksum ?? ""} ${url}`;
}

function urlsOf(sources: readonly CopyOperand[], source: Source): { readonly operand: UrlOperand; readonly source: Source }[] {
  return sources.flatMap((operand) => (operand.kind === "url" ? [{ operand, source }] : []));
}

function fail(error: unknown, place: Place, signal: AbortSignal): never {
  signal.throwIfAborted();
  if (!(error instanceof Error)) throw error;
  throw new BuildFailure(error.message, { place, hint: hintOf(error), cause: error.cause });
}
