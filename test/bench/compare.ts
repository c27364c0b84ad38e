// Slipway beside the best peer: ratios of medians, and whether they reach the goal.

import { findGoal, type Goal, type Kind } from "./goals.ts";
import type { BuildResult } from "./results.ts";

export interface Comparison extends Kind {
  /** Medians in milliseconds by tool, in the order of the tools. */
  readonly times: ReadonlyMap<string, { readonly wallMs: number; readonly startMs: number; readonly runs: number }>;
  /** Our time by the best peer's; undefined without a peer, or without us. */
  readonly ratio: number | undefined;
  /** The same if peers had their daemons running already. */
  readonly startedRatio: number | undefined;
  readonly goal: Goal | undefined;
  readonly reached: boolean | undefined;
}

export const ours = "slipway";

/** Builds of one kind by one tool. */
export interface Group extends Kind {
  readonly tool: string;
  readonly builds: readonly BuildResult[];
}

/** Cases together, and in them inputs and tools in the order in which they were built first. */
export function groupBuilds(builds: readonly BuildResult[]): Group[] {
  const groups = Map.groupBy(builds, ({ tool, input, case: name, delay }) => JSON.stringify([name, delay, input, tool]));
  const found = [...groups.values()].flatMap((list): Group[] => {
    const [first] = list;
    return first === undefined ? [] : [{ tool: first.tool, input: first.input, case: first.case, delay: first.delay, builds: list }];
  });
  const order = ["cold", "hit", "edit"];
  return found.toSorted((a, b) => order.indexOf(a.case) - order.indexOf(b.case) || a.delay - b.delay);
}

export function compare(builds: readonly BuildResult[]): Comparison[] {
  const kinds = Map.groupBy(groupBuilds(builds), ({ input, case: name, delay }) => JSON.stringify([name, delay, input]));
  return [...kinds.values()].flatMap((groups): Comparison[] => {
    const [first] = groups;
    if (first === undefined) return [];
    const kind: Kind = { input: first.input, case: first.case, delay: first.delay };
    const times = new Map(
      groups.map(({ tool, builds: list }) => [
        tool,
        { wallMs: findMedian(list.map((one) => one.wallMs)), startMs: findMedian(list.map((one) => one.startMs)), runs: list.length },
      ]),
    );
    const mine = times.get(ours)?.wallMs;
    const peers = [...times].flatMap(([tool, time]) => (tool === ours ? [] : [time]));
    const best = Math.min(...peers.map(({ wallMs }) => wallMs));
    const bestStarted = Math.min(...peers.map(({ wallMs, startMs }) => wallMs - startMs));
    const divide = (peer: number) => (mine === undefined || peers.length === 0 ? undefined : mine / peer);
    const [ratio, startedRatio, goal] = [divide(best), divide(bestStarted), findGoal(kind)];
    const reached =
      goal === undefined || mine === undefined || ratio === undefined ? undefined : ratio <= goal.ratio || mine <= goal.enough;
    return [{ ...kind, times, ratio, startedRatio, goal, reached }];
  });
}

export function findMedian(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}
