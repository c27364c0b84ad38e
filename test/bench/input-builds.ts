// One input's builds: its context, the registries that each tool's cache was filled in, and the builds that are measured.

import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Bench, buildOnce } from "./build-once.ts";
import type { Attempt, BuildResult } from "./results.ts";
import type { Tool } from "./tools.ts";

export interface InputBuilds extends Disposable {
  build(tool: Tool, attempt: Attempt): Promise<BuildResult>;
}

/** `base` is what a registry holds that holds the base alone. */
export function openInput(context: string, base: string, bench: Bench): InputBuilds {
  const filled = new Map<Tool, Promise<string>>();
  const folders: string[] = [];

  const places = (input: string) => ({ context, destination: `app/${input}`, cache: `cache/${input}` });

  /** Builds once, and keeps what the registry then holds. */
  async function fill(tool: Tool, input: string): Promise<string> {
    const kept = mkdtempSync(join(bench.shared, "filled-"));
    folders.push(kept);
    const { destination, cache } = places(input);
    const storage = join(kept, "storage");
    await buildOnce(tool, { context, destination: `${destination}:earlier`, cache, delay: 0, from: base, keep: storage }, bench);
    return storage;
  }

  return {
    async build(tool, attempt) {
      const { destination, cache } = places(attempt.input);
      const order = { context, destination: `${destination}:now`, delay: attempt.delay };
      if (attempt.case === "cold") return { ...attempt, ...(await buildOnce(tool, { ...order, cache: undefined, from: base }, bench)) };
      const storage = filled.get(tool) ?? fill(tool, attempt.input);
      filled.set(tool, storage);
      const from = await storage;
      using _ = attempt.case === "edit" ? edit(context) : undefined;
      return { ...attempt, ...(await buildOnce(tool, { ...order, cache, from }, bench)) };
    },
    [Symbol.dispose]() {
      for (const folder of [...folders, context]) rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Appends a line to the file that the input's `edit` names; undone when it is disposed of. */
function edit(context: string): Disposable {
  const list = join(context, "edit");
  const file = join(context, existsSync(list) ? readFileSync(list, "utf8").trim() : "Dockerfile");
  const [before, { atime, mtime }] = [readFileSync(file), statSync(file)];
  appendFileSync(file, "edited\n");
  return {
    [Symbol.dispose]() {
      writeFileSync(file, before);
      utimesSync(file, atime, mtime);
    },
  };
}
