// The benchmark's results as Markdown: medians of times and counts, maxima of memory.

import { type Comparison, compare, findMedian, groupBuilds } from "./compare.ts";
import { mostMemory } from "./goals.ts";
import { type Column, showMarkdown } from "./markdown.ts";
import type { BuildResult, Results } from "./results.ts";

export function showResults({ machine, tools, builds, failures }: Results): string {
  if (builds.length === 0 && failures.length === 0) return "Nothing was built.";
  const loads = builds.map(({ load }) => load);
  const conditions = [
    ...machine,
    ...Object.entries(tools)
      .filter(([name]) => builds.some(({ tool }) => tool === name))
      .map(([name, version]) => (version.toLowerCase().startsWith(name) ? version : `${name}: ${version}`)),
    ...(loads.length === 0 ? [] : [`load before a build: ${Math.min(...loads).toFixed(1)} to ${Math.max(...loads).toFixed(1)}`]),
  ];
  const failed = failures.map(
    ({ tool, input, case: name, delay, failure }) => `- ${tool} failed on ${input}, ${name}, ${delay} ms: ${failure.split("\n").at(-1)}`,
  );
  const parts = [conditions.map((line) => `- ${line}`).join("\n"), showTimes(builds), showTrips(builds), showCosts(builds)];
  return [...parts, failed.join("\n")].filter((part) => part !== "").join("\n\n");
}

const kindColumns: Column[] = [
  { title: "case", isText: true },
  { title: "input", isText: true },
];

const kindCells = ({ case: name, delay, input }: Pick<Comparison, "case" | "delay" | "input">) => [
  delay === 0 ? name : `${name} +${delay} ms`,
  input,
];

function showTimes(builds: readonly BuildResult[]): string {
  const comparisons = compare(builds);
  if (comparisons.length === 0) return "";
  const tools = [...new Set(comparisons.flatMap(({ times }) => [...times.keys()]))];
  const rows = comparisons.map((one) => {
    const times = tools.map((tool) => {
      const time = one.times.get(tool);
      if (time === undefined) return "";
      return time.startMs === 0 ? seconds(time.wallMs) : `${seconds(time.wallMs)} (${seconds(time.startMs)})`;
    });
    const runs = Math.min(...[...one.times.values()].map((time) => time.runs));
    const ratios = [one.ratio, one.startedRatio].map((ratio) => (ratio === undefined ? "" : ratio.toFixed(2)));
    return [
      ...kindCells(one),
      String(runs),
      ...times,
      ...ratios,
      showGoal(one),
      one.reached === undefined ? "" : one.reached ? "yes" : "no",
    ];
  });
  const columns = [
    ...kindColumns,
    { title: "runs" },
    ...tools.map((tool) => ({ title: `${tool}, s` })),
    { title: "ratio" },
    { title: "ratio without daemon start" },
    { title: "goal", isText: true },
    { title: "reached", isText: true },
  ];
  return showMarkdown(columns, rows);
}

function showGoal({ goal }: Comparison): string {
  if (goal === undefined) return "";
  return goal.enough === 0 ? `≤ ${goal.ratio}` : `≤ ${goal.ratio} or ${goal.enough / 1000} s`;
}

/** Sequential round trips and requests of each tool, where they were counted. */
function showTrips(all: readonly BuildResult[]): string {
  const counted = all.filter(({ roundTrips }) => roundTrips !== undefined);
  if (counted.length === 0) return "";
  const groups = groupBuilds(counted);
  const tools = [...new Set(groups.map(({ tool }) => tool))];
  const kinds = Map.groupBy(groups, (group) => kindCells(group).join("\n"));
  const rows = [...kinds.values()].map((list) => [
    ...kindCells(list[0] ?? { case: "cold", delay: 0, input: "" }),
    ...tools.map((tool) => {
      const builds = list.find((group) => group.tool === tool)?.builds;
      if (builds === undefined) return "";
      const [trips, requests] = [builds.map((one) => one.roundTrips ?? 0), builds.map((one) => one.requests ?? 0)].map(findMedian);
      return `${trips} of ${requests}`;
    }),
  ]);
  return showMarkdown([...kindColumns, ...tools.map((tool) => ({ title: `${tool}, round trips of requests` }))], rows);
}

function showCosts(builds: readonly BuildResult[]): string {
  if (builds.length === 0) return "";
  const rows = groupBuilds(builds).map((group) => {
    const middle = (pick: (build: BuildResult) => number) => findMedian(group.builds.map(pick));
    const most = (pick: (build: BuildResult) => number) => Math.max(...group.builds.map(pick));
    const main = most(({ mainPeakBytes }) => mainPeakBytes);
    return [
      ...kindCells(group),
      group.tool,
      seconds(middle(({ cpuMs }) => cpuMs)),
      `${mebibytes(main)}${group.tool === "slipway" && main > mostMemory ? " (!)" : ""}`,
      mebibytes(most(({ ownPeakBytes }) => ownPeakBytes)),
      mebibytes(most(({ treePeakBytes }) => treePeakBytes)),
      mebibytes(middle(({ downloaded }) => downloaded)),
      mebibytes(middle(({ uploaded }) => uploaded)),
    ];
  });
  const columns = ["CPU, s", "main process, MiB", "with helpers, MiB", "with steps, MiB", "down, MiB", "up, MiB"].map((title) => ({
    title,
  }));
  return showMarkdown([...kindColumns, { title: "tool", isText: true }, ...columns], rows);
}

/** Three digits that mean something; 0 is nothing at all. */
const mebibytes = (bytes: number): string =>
  bytes === 0 ? "0" : (bytes / 2 ** 20).toFixed(bytes < 2 ** 20 ? 3 : bytes < 100 * 2 ** 20 ? 1 : 0);
const seconds = (milliseconds: number): string => (milliseconds / 1000).toFixed(2);
