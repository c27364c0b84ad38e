// A process that exists in a test alone.

import assert from "node:assert/strict";
import type { Core } from "../../src/host/shell.ts";
import type { Environment, Surroundings, Trouble } from "../../src/host/surroundings.ts";
import { openTestClock } from "../report/script.ts";

export interface TestSurroundings extends Surroundings {
  readonly out: string[];
  readonly err: string[];
  readonly removed: string[];
  readonly exits: number[];
  readonly clock: ReturnType<typeof openTestClock>;
  trouble(trouble: Trouble): void;
}

/** Files are path → text; the working directory is /work. */
export function openTestSurroundings(
  args: readonly string[],
  given: {
    readonly env?: Environment;
    readonly files?: Readonly<Record<string, string>>;
    readonly terminal?: boolean;
    readonly program?: string;
  } = {},
): TestSurroundings {
  const { env = {}, files = {}, terminal = false, program = "slipway.mjs" } = given;
  const [out, err, removed, exits]: [string[], string[], string[], number[]] = [[], [], [], []];
  const listeners = new Set<(trouble: Trouble) => void>();
  return {
    program,
    args,
    env,
    directory: "/work",
    stdin: undefined,
    stdout: { write: (text) => out.push(text) },
    stderr: { write: (text) => err.push(text), isTerminal: terminal, columns: () => (terminal ? 80 : undefined) },
    clock: openTestClock(),
    readFile: (path) => files[path],
    readBytes: (path) => (path in files ? Buffer.from(files[path] ?? "") : undefined),
    fileExists: (path) => path in files,
    isSocket: (path) => files[path] === "a socket",
    makeDirectory: (prefix) => `${prefix}abcdef`,
    async removeDirectory(path) {
      removed.push(path);
    },
    removeDirectoryNow: (path) => void removed.push(path),
    onTrouble(listener) {
      listeners.add(listener);
    },
    exit: (code) => exits.push(code),
    out,
    err,
    removed,
    exits,
    trouble(trouble) {
      for (const listener of listeners) listener(trouble);
    },
  };
}

export type Build = Core["build"];

/** A core that does what is given; everything else is not to be asked for. */
export function coreWith(parts: Partial<Core>): Core {
  return {
    build: async () => assert.fail("nothing was to be built"),
    mergeImages: async () => assert.fail("nothing was to be merged"),
    prune: async () => assert.fail("nothing was to be pruned"),
    diagnose: async () => assert.fail("nothing was to be diagnosed"),
    warm: async () => assert.fail("nothing was to be warmed"),
    ...parts,
  };
}
