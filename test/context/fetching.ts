// How tests open contexts: with nothing asked for but what they say, and a client of their own.

import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { ContextOptions, FetchTools } from "../../src/context/context.ts";
import { openHttp } from "../../src/http/http.ts";

export const noGit = { branch: undefined, submodules: undefined, skipTlsVerify: false, protocol: "http", credentials: undefined } as const;

export const localOptions: ContextOptions = {
  dockerfile: "Dockerfile",
  subPath: "",
  workingDirectory: "/nonexistent",
  stateDir: "/nonexistent",
  git: noGit,
  keepGitDir: false,
  mtime: "checkout",
};

/** Fetches into new directories below `directory`. */
export function fetchingInto(t: TestContext, directory: string): FetchTools {
  const http = openHttp({ userAgent: "test", proxies: {}, roots: { files: [], directories: [] }, backOff: { tries: 1 } });
  t.after(() => http.close());
  return {
    http,
    secrets: new Map(),
    proxies: {},
    authorities: [],
    sshAgent: undefined,
    signal: new AbortController().signal,
    stdin: undefined,
    makeDirectory: () => mkdtemp(join(directory, "fetched-")),
  };
}

function never(): never {
  throw new Error("nothing is to be fetched");
}

/** For contexts that are directories. */
export const noFetching: FetchTools = {
  http: { request: never, close: never },
  secrets: new Map(),
  proxies: {},
  authorities: [],
  sshAgent: undefined,
  signal: new AbortController().signal,
  stdin: undefined,
  makeDirectory: never,
};
