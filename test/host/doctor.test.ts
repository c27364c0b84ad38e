// The command line of slipway doctor, and what it prints.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Diagnosis } from "../../src/build/doctor.ts";
import { runShell } from "../../src/host/shell.ts";
import { coreWith, openTestSurroundings } from "./surroundings.ts";

const healthy: Diagnosis = {
  helper: { path: "/slipway/helper" },
  fileSystem: "ext4",
  freeBytes: 2e9,
  sandboxes: [
    {
      ...{ name: "ns", works: false, why: "making namespaces is forbidden here (EPERM)" },
      ...{ message: "Cannot make namespaces: Operation not permitted", change: "it needs CAP_SYS_ADMIN" },
    },
    { name: "userns", works: true, why: "a user namespace" },
    { name: "chroot", works: false, why: "Cannot chroot: no" },
    { name: "chroot-bare", works: true, why: "no isolation", change: "no /dev/null" },
  ],
};
const ill: Diagnosis = { helper: { problem: "there is none" }, fileSystem: "overlayfs", freeBytes: 0, sandboxes: [] };

async function run(args: readonly string[], diagnosis: Diagnosis, given: Parameters<typeof openTestSurroundings>[1] = {}) {
  const surroundings = openTestSurroundings(["doctor", ...args], given);
  const places: string[] = [];
  const core = coreWith({
    async diagnose({ stateDir }) {
      places.push(stateDir);
      return diagnosis;
    },
  });
  const code = await runShell(core, surroundings);
  return { code, places, printed: surroundings.out.join(""), said: surroundings.err.join(""), removed: surroundings.removed };
}

describe("slipway doctor", () => {
  test("prints each sandbox with its reason, the kernel's words and what would help", async () => {
    const { code, places, printed, removed } = await run([], healthy);
    assert.equal(code, 0);
    assert.deepEqual([places, removed], [["/tmp/slipway-abcdef"], ["/tmp/slipway-abcdef"]]);
    const lines = printed.split("\n");
    assert.match(lines[0] ?? "", new RegExp(`^slipway .*, Node ${process.version}, linux/.*, kernel .*, uid \\d+$`));
    assert.deepEqual(lines.slice(1), [
      "helper: /slipway/helper, verified",
      "state directory: /tmp/slipway-abcdef (private, goes with the build), ext4, 2.0 GB free",
      "sandboxes, from the strongest to the weakest:",
      "  ns            does not work: making namespaces is forbidden here (EPERM)",
      "                Cannot make namespaces: Operation not permitted",
      "                what would help: it needs CAP_SYS_ADMIN",
      "  userns        works: a user namespace",
      "  chroot        does not work: Cannot chroot: no",
      "  chroot-bare   works: no isolation",
      "                no /dev/null",
      "RUN: runs in userns",
      "credentials: none found",
      "cache stores: none named, none offered by a CI",
      "",
    ]);
  });

  test("ends with 1 where no sandbox works", async () => {
    const { code, printed, removed } = await run(["--state-dir=s"], ill);
    assert.equal(code, 1);
    assert.match(printed, /^helper: there is none$/m);
    assert.match(printed, /^state directory: \/work\/s \(kept\), overlayfs, /m);
    assert.match(printed, /^RUN: cannot be run here; builds without RUN work$/m);
    assert.deepEqual(removed, []);
  });

  test("names credentials and cache stores, and nothing of them that is secret", async () => {
    const auth = Buffer.from("me:hush-hush").toString("base64");
    const config = { auths: { "r.test": { auth }, "s.test": {} }, credHelpers: { "t.test": "gcr" }, credsStore: "pass" };
    const given = {
      env: { HOME: "/home/me", DOCKER_AUTH_CONFIG: "not JSON", ACTIONS_RUNTIME_TOKEN: "hush-hush", ACTIONS_RESULTS_URL: "https://c.test" },
      files: { "/home/me/.docker/config.json": JSON.stringify(config) },
    };
    const { printed, said } = await run(["--cache-store=c", "--cache-repo=r.test/c"], healthy, given);
    assert.match(
      printed,
      /^credentials: DOCKER_AUTH_CONFIG: it is not JSON; \/home\/me\/\.docker\/config\.json: r\.test, s\.test, docker-credential-gcr for t\.test, docker-credential-pass$/m,
    );
    assert.match(printed, /^cache stores: \/work\/c; r\.test\/c; the CI's cache service, with --cache-store=ci$/m);
    assert.doesNotMatch(printed + said, new RegExp(`hush|${auth}`));
  });

  test("prints JSON", async () => {
    const { printed } = await run(["--format=json"], healthy);
    const { sandboxes, chosen, node, stateDir, fileSystem, credentials } = JSON.parse(printed);
    assert.deepEqual(
      [sandboxes, chosen, node, stateDir, fileSystem, credentials],
      [healthy.sandboxes, "userns", process.version, "/tmp/slipway-abcdef", "ext4", []],
    );
  });

  const wrong: readonly (readonly [args: readonly string[], said: RegExp])[] = [
    [["--format=sarif"], /--format=sarif is of slipway check alone: doctor has text and json/],
    [["--target=a"], /flag --target has no meaning for slipway doctor/],
    [["now"], /now/],
  ];
  for (const [args, expected] of wrong)
    test(`refuses ${args.join(" ")}`, async () => {
      const { code, said } = await run(args, healthy);
      assert.equal(code, 1);
      assert.match(said, expected);
    });
});
