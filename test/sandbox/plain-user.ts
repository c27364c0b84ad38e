// Says which sandbox a plain user gets and what a command leaves there: `plain-user.ts STATE-DIR BASE-TAR`, answer as JSON.

import { readFileSync } from "node:fs";
import type { TestContext } from "node:test";
import { layerOf, openStage } from "./stage.ts";

const [stateDir = "", base = ""] = process.argv.slice(2);
const test = { after() {}, skip() {} } as unknown as TestContext;
const stage = await openStage(test, "auto", [layerOf(readFileSync(base), "gzip")], stateDir);
const { out, err, changes } = await stage.run(
  "mkdir -m 500 /d; echo a >/d/a; chown -R 7:8 /d; chmod 0 /d/a; mknod /d/n c 1 3; stat -c '%a %u:%g %n' /d/*",
);
const next = await stage.run("cp -a /d /e; rm -r /d; id -u >/e/a; cat /etc/shadow | wc -l", { network: "none" });
const failed = await stage.run("mkdir -m 500 /f; touch /f/f; chmod 0 /f; exit 3");
await stage.sandbox.close();
process.stdout.write(JSON.stringify({ why: stage.sandbox.why, out, err, changes, next: next.changes, code: failed.code }));
