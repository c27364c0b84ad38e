// Which sandbox is chosen where CI jobs run, and that it works there: containers as ../shared/environments starts them.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { sharedFolder } from "../support/shared.ts";
import { needsRoot } from "./root.ts";

const repository = fileURLToPath(new URL("../..", import.meta.url));

interface Row {
  readonly environment: string;
  /** Whether the state directory is a volume, or on the container's own overlayfs. */
  readonly volume: boolean;
  readonly chosen: RegExp;
  /** What a supervisor serves as a container has it, and this sandbox does not. */
  readonly failures?: readonly string[];
}

/** A /proc that is the container's own shows its processes; descriptors, mounts and modes of the kernel's files are as in any /proc. */
const ofSharedProc = [
  ...["its descriptors", "its processes and no others", "file systems", "a link to the mounts", "but not the kernel's"],
  ...["listings with the right kinds", "nothing of the builder", "all of that as nobody special", "procps and coreutils"],
];

const rows: readonly Row[] = [
  { environment: "privileged", volume: true, chosen: /^ns: / },
  { environment: "privileged", volume: false, chosen: /^chroot: .*ns: the state directory ".*" is on an overlayfs.*--state-dir/ },
  { environment: "sysadmin", volume: true, chosen: /^ns: / },
  {
    environment: "docker",
    volume: true,
    chosen: /^chroot: .*ns: making namespaces .*; userns: making user namespaces is forbidden here \(EPERM\)/,
  },
  { environment: "docker", volume: false, chosen: /^chroot: / },
  {
    environment: "k8s",
    volume: true,
    chosen: /^userns: .*with the processes of this container in sight.*; ns: making namespaces is forbidden/,
    failures: ofSharedProc,
  },
  { environment: "k8s", volume: false, chosen: /^chroot: .*; userns: the state directory ".*" is on an overlayfs/ },
  { environment: "podman", volume: true, chosen: /^userns: /, failures: ofSharedProc },
  {
    environment: "docker-user",
    volume: true,
    chosen: /^Cannot run commands: .*it needs root, and this is uid 1000.*Builds without RUN work here/,
  },
  { environment: "drop-all", volume: true, chosen: /^Cannot run commands: .*Cannot chroot: Operation not permitted/ },
];

for (const row of rows) {
  test(`${row.environment}${row.volume ? "" : ", state on its own root"}`, async (t) => {
    const shared = needsRoot(t) ? sharedFolder(t, "environments") : undefined;
    if (shared === undefined || sharedFolder(t, "conformance") === undefined) return;
    const { chosen, warnings, ran } = await runInside(t, join(shared, "run-in"), row);
    assert.match(chosen, row.chosen);
    assert.deepEqual(warnings, []);
    if (ran === undefined) return;
    assert.deepEqual(ran, {
      code: 0,
      out: "0 1000\n",
      changes: ["directory 755 0:0 proc", "directory 755 0:0 sys", "directory 1777 0:0 tmp", "file 644 1000:1000 tmp/made"],
      failures: row.failures ?? [],
    });
  });
}

interface Inside {
  readonly chosen: string;
  readonly warnings: readonly string[];
  readonly ran?: unknown;
}

async function runInside(test: TestContext, runIn: string, { environment, volume }: Row): Promise<Inside> {
  const home = mkdtempSync("/var/tmp/slipway-environment-");
  test.after(() => rmSync(home, { recursive: true, force: true }));
  chmodSync(home, 0o755);
  const rootfs = join(home, "rootfs");
  for (const name of ["usr", "etc", "proc", "sys", "dev", "tmp", "work", "state"]) mkdirSync(join(rootfs, name), { recursive: true });
  for (const name of ["state", "tmp"]) chmodSync(join(rootfs, name), 0o777);
  for (const name of ["bin", "lib", "lib64", "sbin"]) symlinkSync(`usr/${name}`, join(rootfs, name));
  mkdirSync(join(home, "state"));
  chmodSync(join(home, "state"), 0o777);
  // The container has the layout of the project's parent folder, so that both find the shared data.
  const parent = join(repository, "..");
  const inside = (path: string) => join("/checkout/project", path);
  const binds = [`/usr:/usr:ro`, `${repository}:${inside("")}:ro`, `${join(parent, "shared")}:/checkout/shared:ro`];
  const modules = realpathSync(join(repository, "node_modules"));
  if (!modules.startsWith(repository)) binds.push(`${modules}:${modules}:ro`);
  if (volume) binds.push(`${join(home, "state")}:/state`);
  const node = existsSync(join(repository, "node_modules/.bin/node")) ? inside("node_modules/.bin/node") : process.execPath;
  const args = [environment, rootfs, ...binds.flatMap((bind) => ["-v", bind]), "--", node, inside("test/sandbox/inside.ts"), "/state"];
  const child = spawn(runIn, args, { stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  for await (const chunk of child.stdout) text += chunk;
  return JSON.parse(text);
}
