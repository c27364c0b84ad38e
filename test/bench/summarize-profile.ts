// What a profile of V8's says about where a thread was busy.

import { basename } from "node:path";

/** https://chromedevtools.github.io/devtools-protocol/tot/Profiler/#type-Profile */
export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  }[];
  readonly samples: readonly number[];
  /** Microseconds since the sample before. */
  readonly timeDeltas: readonly number[];
}

interface Share {
  readonly name: string;
  readonly ms: number;
}

export interface ProfileSummary {
  /** All but idleness. */
  readonly busyMs: number;
  /** By kind of code, the largest first. */
  readonly groups: readonly Share[];
  /** By function, without what it calls; the largest first. */
  readonly functions: readonly Share[];
}

export function summarizeProfile({ nodes, samples, timeDeltas }: CpuProfile): ProfileSummary {
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]));
  const [groups, functions] = [new Map<string, number>(), new Map<string, number>()];
  const add = (shares: Map<string, number>, name: string, ms: number) => shares.set(name, (shares.get(name) ?? 0) + ms);
  let busyMs = 0;
  samples.forEach((sample, number) => {
    // A sample lasts until the next one.
    const ms = (timeDeltas[number + 1] ?? 0) / 1000;
    const frame = frames.get(sample);
    if (frame === undefined || frame.functionName === "(idle)") return;
    busyMs += ms;
    add(groups, groupOf(frame), ms);
    const place = frame.url === "" ? "" : ` ${basename(frame.url)}:${frame.lineNumber + 1}`;
    add(functions, `${frame.functionName || "(anonymous)"}${place}`, ms);
  });
  return { busyMs, groups: sortShares(groups), functions: sortShares(functions) };
}

function groupOf({ functionName, url }: CpuProfile["nodes"][number]["callFrame"]): string {
  if (functionName === "(garbage collector)") return "garbage collection";
  if (url.startsWith("node:internal/modules") || functionName.startsWith("compile") || functionName === "wrapSafe") return "loading code";
  if (url.startsWith("node:")) return "Node's own code";
  if (url === "") return functionName.startsWith("(") ? "V8 and native code" : "native functions";
  return "the bundle";
}

const sortShares = (shares: ReadonlyMap<string, number>): Share[] =>
  [...shares].map(([name, ms]) => ({ name, ms })).toSorted((a, b) => b.ms - a.ms);
