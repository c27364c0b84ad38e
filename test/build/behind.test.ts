// Whole builds whose commands start while the layer of the one before is still written.

import assert from "node:assert/strict";
import { lstatSync, readdirSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { BuildFailure, type Request } from "../../src/build/build.ts";
import { parseReference } from "../../src/image/reference.ts";
import type { Event } from "../../src/report/report.ts";
import { needsRoot } from "../sandbox/root.ts";
import { openBase } from "../sandbox/stage.ts";
import { openBuilder, putLayers } from "../support/build.ts";
import { pushed } from "../support/pushed.ts";
import { startRegistry } from "../support/registry.ts";
import { openCachedBuilds } from "./cached-builds.ts";

/** Takes half a second or so to be written as a layer. */
const big = "RUN head -c 24000000 /dev/urandom > /big";

/** `follow` sees each event when it happens. */
async function open(t: TestContext) {
  const base = needsRoot(t) ? openBase(t) : undefined;
  if (base === undefined) return undefined;
  const registry = await startRegistry(t);
  await putLayers(registry, "base:1", [base], { Env: ["PATH=/bin:/usr/bin:/sbin"] });
  const builder = await openBuilder(t);
  const stateDir = join(builder.directory, "state");
  return {
    builder,
    registry,
    stateDir,
    build(lines: string, more: Partial<Request> = {}, signal?: AbortSignal) {
      const destinations = [parseReference(`${registry.host}/app:1`)];
      const request = { destinations, stateDir, stateIsPrivate: false, ...more };
      const image = `FROM ${registry.host}/base:1`;
      const same = `${image} AS same\nRUN mkdir /d && echo x > /d/a && echo b > /d/b && touch -d @1000 /d/*`;
      const files = { Dockerfile: `${lines.includes("--from=same") ? `${same}\n` : ""}${image}\n${lines}` };
      return builder.build(files, request, signal);
    },
    onEvent(take: (event: Event) => void) {
      builder.events.push = (...events: Event[]) => {
        for (const event of events) take(event);
        return Array.prototype.push.apply(builder.events, events);
      };
    },
  };
}

/** `start 2`, `output 2: TEXT`, `done 2`: what steps of the only stage told, in that order. */
function told(events: readonly Event[]): string[] {
  return events.flatMap((event) => {
    if ("step" in event && event.step.stage === "same") return [];
    if (event.kind === "step-start") return [`start ${event.step.number}`];
    if (event.kind === "step-output") return [`output ${event.step.number}: ${Buffer.from(event.bytes).toString().trim()}`];
    return event.kind === "step-end" ? [`${event.outcome} ${event.step.number}`] : [];
  });
}

const starts = (event: Event, number: number) => event.kind === "step-start" && event.step.number === number;

/** Files below a directory that only the big layer can have. */
function largeFiles(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: "utf8" })
    .map((name) => join(directory, name))
    .filter((path) => lstatSync(path).isFile() && lstatSync(path).size > 1e7);
}

test("a command runs while the layer of the one before it is written", async (t) => {
  const opened = await open(t);
  if (opened === undefined) return;
  await opened.build(`${big}\nRUN test -f /big && echo started\nRUN test -f /big`, { sandbox: "ns" });
  const { events } = opened.builder;
  assert.deepEqual(told(events).slice(0, 4), ["start 2", "start 3", "output 3: started", "done 2"]);
  assert.deepEqual(told(events).slice(4).sort(), ["done 3", "done 4", "start 4"]);
  const [first] = events.flatMap((event) => (event.kind === "step-end" ? [event] : []));
  assert.ok((first?.layer?.size ?? 0) > 24e6);
  assert.ok(first?.seconds !== undefined);
});

/** Begins a command whose layer is not waited for. */
const zeros = "RUN head -c 2000000 /dev/zero > /zeros";

const rows: readonly (readonly [what: string, lines: string])[] = [
  [
    "users of the command before",
    `${zeros} && echo new:x:77:78::/new:/bin/sh >> /etc/passwd\nUSER new\nRUN test $(id -u):$(id -g):$HOME = 77:78:/new`,
  ],
  ["its files as they were", `${zeros} && echo a > /f && touch -d @1000 /f\nRUN cp -p /f /g && mv /g /f`],
  [
    "what it took away",
    `${zeros} && mkdir /d && touch /d/a /d/b\n${zeros} && rm /d/a\n${zeros} && rm -r /d && mkdir /d\nRUN test ! -e /d/b`,
  ],
  ["hard links", `${zeros} && ln /zeros /b\nRUN test /zeros -ef /b && echo c > /c && ln /c /d\nRUN test /c -ef /d`],
  [
    "a COPY over its files, some of which are the same",
    `${zeros} && mkdir /d && echo a > /d/a && echo b > /d/b && touch -d @1000 /d/*\nCOPY --from=same /d /d\nRUN test $(cat /d/a) = x && rm /d/b`,
  ],
  [
    "directories and a COPY between, twice",
    `${zeros}\nWORKDIR /w\nCOPY Dockerfile d\nRUN test -f d && rm /zeros\n${zeros} && mkdir e\nCOPY --chmod=600 Dockerfile e/\n${zeros} && test -f e/Dockerfile && rm -r e d\nRUN test ! -e e`,
  ],
  [
    "users for a COPY",
    `${zeros} && echo new:x:77:78::/new:/bin/sh >> /etc/passwd\nCOPY --chown=new Dockerfile /d\nRUN test $(stat -c %u:%g /d) = 77:78`,
  ],
  ["a COPY between", `${zeros}\n${zeros} && echo 2 > /two\nCOPY Dockerfile /d\n${zeros} && test -f /d && cp /two /three\nRUN rm /two`],
];

for (const [what, lines] of rows)
  test(`a layer is the same whether it is waited for or not: ${what}`, async (t) => {
    const opened = await open(t);
    if (opened === undefined) return;
    const diffIds = async (sandbox: "ns" | "chroot-bare") => {
      await opened.build(lines, { sandbox, buildArgs: new Map([["SOURCE_DATE_EPOCH", "1700000000"]]), rewriteTimestamp: true });
      return pushed(opened.registry, "app", "1")?.config.rootfs.diff_ids;
    };
    const ids = await diffIds("ns");
    assert.deepEqual(told(opened.builder.events).slice(0, 2), ["start 2", "start 3"]);
    assert.deepEqual(ids, await diffIds("chroot-bare"));
  });

for (const [what, between] of [
  ["a command", ""],
  ["a COPY and a command", "COPY Dockerfile /\n"],
])
  test(`a layer that cannot be written fails its step, stops ${what} after it and leaves nothing`, async (t) => {
    const opened = await open(t);
    if (opened === undefined) return;
    opened.onEvent((event) => {
      if (starts(event, 3)) for (const path of largeFiles(join(opened.stateDir, "work"))) truncateSync(path, 1000);
    });
    await assert.rejects(opened.build(`${big}\n${between}RUN sleep 60`, { sandbox: "ns" }), (error) => {
      assert.ok(error instanceof BuildFailure);
      assert.match(error.message, /big": the context changed while building/);
      assert.equal(error.place?.line, 2);
      return true;
    });
    const lines = told(opened.builder.events);
    assert.deepEqual([...lines.slice(0, 2), ...lines.filter((line) => line.startsWith("failed"))], ["start 2", "start 3", "failed 2"]);
    assert.equal(opened.registry.count("PUT", /\/v2\/app\/manifests\//), 0);
    assert.deepEqual(readdirSync(join(opened.stateDir, "work")), []);
  });

test("a COPY that fails beside a layer that is written leaves that in the cache", async (t) => {
  const tools = await openCachedBuilds(t);
  if (tools === undefined) return;
  const lines = (last: string) => `FROM BASE\n${zeros}\nCOPY Dockerfile ${last}\nRUN true`;
  await assert.rejects(tools.build(lines("/zeros/"), {}, {}, { sandbox: "ns" }), /zeros/);
  assert.deepEqual(told(tools.events).slice(-2), ["done 2", "failed 3"]);
  const { outcomes, warnings } = await tools.build(lines("/d"), {}, {}, { sandbox: "ns" });
  assert.deepEqual([outcomes, warnings], [{ "stage-0": ["cached", "done", "done"] }, []]);
});

test("aborting while a layer is written leaves nothing", async (t) => {
  const opened = await open(t);
  if (opened === undefined) return;
  const stop = new AbortController();
  opened.onEvent((event) => {
    if (starts(event, 3)) setTimeout(() => stop.abort(new Error("stopped")), 50);
  });
  await assert.rejects(opened.build(`${big}\nRUN sleep 60`, { sandbox: "ns" }, stop.signal), /stopped/);
  assert.equal(opened.registry.count("PUT", /\/v2\/app\/manifests\//), 0);
  assert.deepEqual(readdirSync(join(opened.stateDir, "work")), []);
});

test("a step is kept whose layer was still being written when the next one failed", async (t) => {
  const tools = await openCachedBuilds(t);
  if (tools === undefined) return;
  const lines = (last: string) => `FROM BASE\n${big}\nRUN ${last}`;
  await assert.rejects(tools.build(lines("false"), {}, {}, { sandbox: "ns" }));
  assert.deepEqual(told(tools.events).slice(0, 4), ["start 2", "start 3", "done 2", "failed 3"]);
  const { outcomes, warnings } = await tools.build(lines("true"), {}, {}, { sandbox: "ns" });
  assert.deepEqual([outcomes, warnings], [{ "stage-0": ["cached", "done"] }, []]);
});

test("a build from the cache is the one that filled it, to the byte", async (t) => {
  const tools = await openCachedBuilds(t);
  if (tools === undefined) return;
  const lines = `FROM BASE\n${big}\nRUN rm /big\n${big}\nCOPY Dockerfile /d\n${big}\nRUN echo c > /c`;
  const first = await tools.build(lines, {}, {}, { sandbox: "ns" });
  const second = await tools.build(lines, {}, {}, { sandbox: "ns" });
  assert.deepEqual(second.outcomes, { "stage-0": Array(6).fill("cached") });
  assert.equal(second.digest, first.digest);
});

test("a COPY and the command on top of it do not wait for a layer below them", async (t) => {
  const opened = await open(t);
  if (opened === undefined) return;
  await opened.build(`${big}\nWORKDIR /w\nCOPY Dockerfile .\nRUN test -f Dockerfile && echo started`, { sandbox: "ns" });
  const lines = told(opened.builder.events);
  assert.deepEqual(lines.slice(0, 6), ["start 2", "start 3", "done 3", "start 4", "done 4", "start 5"]);
  assert.ok(lines.indexOf("output 5: started") < lines.indexOf("done 2"), lines.join(", "));
  const layers = pushed(opened.registry, "app", "1")?.config.rootfs.diff_ids;
  assert.equal(layers?.length, 5);
});
