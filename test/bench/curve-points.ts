// What the cost curves are made of: builds that differ in one number.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildOnce, type Order } from "./build-once.ts";
import { addDirectoryRecords, addLayoutRecords, addRepositoryRecords } from "./cache-records.ts";
import { writeBigFile, writeDockerfile, writeManyFiles } from "./input.ts";
import type { OpenBench } from "./open-bench.ts";
import type { Tool } from "./tools.ts";

export interface Curve {
  readonly name: string;
  readonly title: string;
  /** Of what the points are numbers. */
  readonly unit: string;
  readonly points: readonly number[];
  prepare(point: number, place: Place): Promise<Point>;
}

interface Place {
  /** Empty; for whatever a point needs. */
  readonly folder: string;
  readonly bench: OpenBench;
  readonly slipway: Tool;
}

export interface Point {
  readonly tool: Tool;
  readonly order: Order;
}

const steps = (count: number): string => Array.from({ length: count }, (_, number) => `RUN echo ${number} > /file${number}\n`).join("");

/** A build without a cache, on the base or on what `from` holds. */
function cold({ folder, bench, slipway }: Place, from = bench.base): Point {
  return { tool: slipway, order: { context: join(folder, "context"), destination: "app/curve:now", cache: undefined, delay: 0, from } };
}

async function prepareLayers(count: number, place: Place): Promise<Point> {
  const { folder, bench, slipway } = place;
  const below = join(folder, "below");
  const copies = Array.from({ length: count - 1 }, (_, number) => {
    mkdirSync(join(below, `layer${number}`), { recursive: true });
    for (let file = 0; file < 100; file++)
      writeFileSync(join(below, `layer${number}`, `f${file}`), `layer ${number}, file ${file}\n`.repeat(500));
    return `COPY layer${number} /layers/${number}/\n`;
  });
  writeDockerfile(below, copies.join(""));
  const from = join(folder, "storage");
  await buildOnce(
    slipway,
    { context: below, destination: "base/layers:1", cache: undefined, delay: 0, from: bench.base, keep: from },
    bench,
  );
  writeDockerfile(join(folder, "context"), steps(1), "base/layers:1");
  return cold(place, from);
}

type CacheKind = "repository" | "directory" | "layout";

/** An unchanged build, whose cache has `count` records of other builds besides its own. */
async function prepareEntries(count: number, { folder, bench, slipway }: Place, kind: CacheKind): Promise<Point> {
  const context = join(folder, "context");
  writeDockerfile(context, steps(5));
  const store = join(folder, "store");
  const flags = { repository: [], directory: ["--cache-store", store], layout: ["--cache", "--cache-repo", `oci:${store}`] }[kind];
  const tool: Tool = { ...slipway, command: (task) => [...slipway.command(task), ...flags] };
  const cache = kind === "repository" ? "cache/curve" : undefined;
  const order: Order = { context, destination: "app/curve:now", cache, delay: 0, from: bench.base };
  const from = join(folder, "storage");
  await buildOnce(tool, { ...order, keep: from }, bench);
  if (cache !== undefined) return { tool, order: { ...order, from: await addRepositoryRecords(from, folder, cache, count) } };
  await (kind === "directory" ? addDirectoryRecords : addLayoutRecords)(store, count);
  return { tool, order: { ...order, from } };
}

const entryPoints = [10, 100, 1000, 3000, 10_000];

export const curves: readonly Curve[] = [
  {
    name: "files",
    title: "COPY of small files, and a RUN on top",
    unit: "files",
    points: [1000, 3000, 10_000, 30_000, 100_000, 200_000],
    async prepare(point, place) {
      writeManyFiles(join(place.folder, "context"), point);
      return cold(place);
    },
  },
  {
    name: "bytes",
    title: "COPY of one file, and a RUN on top",
    unit: "MiB",
    points: [1, 10, 100, 300, 1000, 2000, 4096],
    async prepare(point, place) {
      writeBigFile(join(place.folder, "context"), point);
      return cold(place);
    },
  },
  {
    name: "steps",
    title: "RUNs one after the other",
    unit: "steps",
    points: [1, 3, 10, 30, 60, 100],
    async prepare(point, place) {
      writeDockerfile(join(place.folder, "context"), steps(point));
      return cold(place);
    },
  },
  { name: "layers", title: "RUN on a base of many layers", unit: "layers", points: [1, 3, 10, 20, 35, 50], prepare: prepareLayers },
  ...(["repository", "directory", "layout"] as const).map((kind) => ({
    name: `entries-${kind}`,
    title: `Unchanged build, cache in a ${kind === "layout" ? "layout (oci:)" : kind}`,
    unit: "entries of others",
    points: entryPoints,
    prepare: (point: number, place: Place) => prepareEntries(point, place, kind),
  })),
];
