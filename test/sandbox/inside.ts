// Says which sandbox is chosen in this container and what a command does there: `inside.ts STATE-DIR`, answer as JSON.

import type { TestContext } from "node:test";
import { tryAll } from "./battery.ts";
import { openBase, openStage } from "./stage.ts";

const test = { after() {}, skip() {} } as unknown as TestContext;
const stateDir = process.argv[2] ?? "";

async function tryHere(): Promise<unknown> {
  const base = openBase(test);
  const stage = await openStage(test, "auto", base === undefined ? [] : [base], stateDir).catch((error: Error) => error);
  if (stage instanceof Error) return { chosen: stage.message, warnings: [] };
  const warnings = stage.events.flatMap((event) => (event.kind === "warning" ? [event.text] : []));
  const { code, out, changes } = await stage.run("touch /tmp/made && chown 1000:1000 /tmp/made && echo $(id -u) $(stat -c %u /tmp/made)");
  const failures = stage.sandbox.name === "chroot" ? await tryAll(stage) : [];
  await stage.sandbox.close();
  return { chosen: stage.sandbox.why, warnings, ran: { code, out, changes, failures } };
}

process.stdout.write(JSON.stringify(await tryHere()));
