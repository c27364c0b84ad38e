// A build that is told to end, at any moment, is gone within five seconds and leaves nothing.

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { join } from "node:path";
import { describe, test } from "node:test";
import { needsRoot } from "../sandbox/root.ts";
import { findProcesses, hasTag, openRegistryWithBase, openWorkshop, type Workshop } from "./program.ts";

const patienceMs = 5_000;

/** Daemons that ignore signals, two stages side by side, layers to write and to push. */
function dockerfile(host: string, marker: string): string {
  return [
    `FROM ${host}/base:1 AS made`,
    `RUN trap '' TERM INT HUP; setsid sleep ${marker} & (nohup sleep ${marker} &) ; sleep 0.2; dd if=/dev/urandom of=/made bs=64k count=16 2>/dev/null`,
    `FROM ${host}/base:1`,
    `RUN trap '' TERM; sleep ${marker} & echo two; sleep 0.2`,
    "COPY --from=made /made /srv/made",
    "RUN sleep 0.1; wc -c /srv/made",
  ].join("\n");
}

function flags(workshop: Workshop, destination: string): string[] {
  const place = (name: string) => join(workshop.out, name);
  const outputs = [`--tar-path=${place("tar")}`, `--oci-layout-path=${place("layout")}`, `--digest-file=${place("digest")}`];
  return ["--insecure", `--destination=${destination}`, ...outputs];
}

const outputs = ["tar", "layout", "digest"];

// mulberry32: the same moments in every run of the test.
function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

describe("a build that is interrupted", () => {
  test("at a random moment, twenty-four times", async (t) => {
    const host = needsRoot(t) ? await openRegistryWithBase(t) : undefined;
    if (host === undefined) return;
    const started = performance.now();
    const whole = await openWorkshop(t);
    const marker = "864131";
    const done = await whole.run({ Dockerfile: dockerfile(host, marker) }, flags(whole, `${host}/whole:1`));
    assert.equal(done.code, 0, done.err);
    await whole.assertNothingLeft(marker, outputs);
    const wholeMs = performance.now() - started;

    const random = seededRandom(20);
    const moments = Array.from({ length: 24 }, (_, i) => ({ i, ms: Math.round(random() * wholeMs * 1.2) }));
    const endings: (number | null)[] = [];
    const strike = async () => {
      for (let next = moments.shift(); next !== undefined; next = moments.shift()) {
        const { i, ms } = next;
        const [signal, code] = i % 3 === 0 ? (["SIGINT", 130] as const) : (["SIGTERM", 143] as const);
        const workshop = await openWorkshop(t);
        const mark = `8642${String(i).padStart(2, "0")}`;
        const destination = `${host}/struck:${i}`;
        const files = { Dockerfile: dockerfile(host, mark) };
        const ended = await workshop.run(files, flags(workshop, destination), { interrupt: { signal, when: ms } });
        const what = `${signal} after ${ms} ms: ${ended.err}`;
        assert.ok(ended.lateMs < patienceMs, `${Math.round(ended.lateMs)} ms; ${what}`);
        endings.push(ended.code);
        // Before it listens, and after it has ended its work, the signal is the system's.
        assert.ok([0, code, null].includes(ended.code), `code ${ended.code}; ${what}`);
        if (ended.code === code)
          assert.match(
            ended.err,
            new RegExp(`\\nerror building image: interrupted by ${signal}\\n$|^error building image: interrupted by ${signal}\\n$`),
          );
        const isDone = await hasTag(host, "struck", String(i));
        if (ended.code !== null) assert.equal(isDone, ended.code === 0, what);
        await workshop.assertNothingLeft(mark, isDone ? outputs : []);
      }
    };
    await Promise.all([strike(), strike()]);
    assert.ok(endings.filter((code) => code === 130 || code === 143).length >= 12, `too few were struck while they built: ${endings}`);
  });

  const moments: readonly (readonly [what: string, when: (err: string) => boolean])[] = [
    ["when a command begins", (err) => /\| up/.test(err)],
    ["while the image is pushed", (err) => /Pushing image/.test(err)],
  ];
  for (const sandbox of ["ns", "chroot-bare"])
    for (const [what, when] of moments)
      test(`${what}, in ${sandbox}`, async (t) => {
        const host = needsRoot(t) ? await openRegistryWithBase(t) : undefined;
        if (host === undefined) return;
        const workshop = await openWorkshop(t);
        const marker = "864331";
        const text = `FROM ${host}/base:1\nRUN trap '' TERM INT HUP; setsid sleep ${marker} & echo up; ${what.includes("pushed") ? ":" : `sleep ${marker}`}`;
        const args = [...flags(workshop, `${host}/app:1`), `--sandbox=${sandbox}`];
        const ended = await workshop.run({ Dockerfile: text }, args, { interrupt: { signal: "SIGTERM", when } });
        assert.ok(ended.lateMs > 0 && ended.lateMs < patienceMs, `${ended.lateMs} ms`);
        const isDone = ended.code === 0 && what.includes("pushed");
        assert.ok(isDone || ended.code === 143, ended.err);
        await workshop.assertNothingLeft(marker, isDone ? outputs : []);
      });

  test("while it waits for the reader of a pipe", async (t) => {
    const workshop = await openWorkshop(t);
    const pipe = join(workshop.directory, "pipe");
    execFileSync("mkfifo", [pipe]);
    const args = ["--no-push", `--digest-file=${pipe}`, `--tar-path=${join(workshop.out, "tar")}`];
    const when = (err: string) => /done in/.test(err);
    const ended = await workshop.run({ Dockerfile: "FROM scratch\nCOPY a /", a: "a" }, args, { interrupt: { signal: "SIGTERM", when } });
    assert.deepEqual([ended.code, ended.lateMs < 2_000], [143, true], ended.err);
    await workshop.assertNothingLeft("864431");
  });

  test("twice in a row", async (t) => {
    const host = needsRoot(t) ? await openRegistryWithBase(t) : undefined;
    if (host === undefined) return;
    const workshop = await openWorkshop(t);
    const marker = "864531";
    const text = `FROM ${host}/base:1\nRUN trap '' TERM INT; setsid sleep ${marker} & echo up; sleep ${marker}`;
    const when = (err: string) => {
      if (!/\| up/.test(err)) return false;
      // So that it is known that they would be found.
      assert.ok(findProcesses(workshop.directory, marker).length > 0);
      spawn("sh", ["-c", `sleep 0.02; pkill -TERM -P ${process.pid} -f ${workshop.directory}/context`]);
      return true;
    };
    const ended = await workshop.run({ Dockerfile: text }, flags(workshop, `${host}/app:1`), { interrupt: { signal: "SIGTERM", when } });
    // The second signal may find it done with cleaning up, and no longer listening.
    assert.ok([143, null].includes(ended.code), ended.err);
    await workshop.assertNothingLeft(marker);
  });
});
