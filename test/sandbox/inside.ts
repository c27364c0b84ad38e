// Says which sandbox is chosen in this container and what a command does there: `inside.ts STATE-DIR`, answer as JSON.

import type { TestContext } from "node:test";
import { tryAll } from "./battery.ts";
import { openBase, openStage, type Stage } from "./stage.ts";

const test = { after() {}, skip() {} } as unknown as TestContext;
const stateDir = process.argv[2] ?? "";

async function tryHere(): Promise<unknown> {
  const base = openBase(test);
  const stage = await openStage(test, "auto", base === undefined ? [] : [base], stateDir).catch((error: Error) => error);
  if (stage instanceof Error) return { chosen: stage.message, warnings: [] };
  const warnings = stage.events.flatMap((event) => (event.kind === "warning" ? [event.text] : []));
  const { code, out, changes } = await stage.run("touch /tmp/made && chown 1000:1000 /tmp/made && echo $(id -u) $(stat -c %u /tmp/made)");
  const failures = stage.sandbox.name === "ns" ? [] : await tryWhatIsShared(stage);
  await stage.sandbox.close();
  return { chosen: stage.sandbox.why, warnings, ran: { code, out, changes, failures } };
}

/** Names of what is not as in a container where a command shares a container with the builder. */
async function tryWhatIsShared(stage: Stage): Promise<string[]> {
  const failures = (await tryAll(stage)).map((failure) => failure.replace(/: ".*/s, ""));
  const { err } = await stage.run(`for i in ${process.pid} $PPID; do kill -0 $i; done; kill -0 $$`);
  return err.match(/Operation not permitted/g)?.length === 2 ? failures : [...failures, "no signals to others"];
}

process.stdout.write(JSON.stringify(await tryHere()));
