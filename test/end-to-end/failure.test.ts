// A build that fails says why in so many words, ends with the right code, and leaves nothing.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { needsRoot } from "../sandbox/root.ts";
import { builderLine, openLocalRegistry } from "../support/local-registry.ts";
import { hasTag, openRegistryWithBase, openWorkshop } from "./program.ts";

const repository = fileURLToPath(new URL("../..", import.meta.url));

describe("RUN that fails", () => {
  const rows: readonly (readonly [what: string, sandbox: string, run: string, code: number, text: RegExp])[] = [
    [
      "with its own code",
      "ns",
      "RUN seq 100 199; echo last >&2; exit 42",
      42,
      /\n {2}\| 181\n[\s\S]* {2}\| last\nDockerfile:2\n[\s\S]*>>> RUN seq 100[\s\S]*exit code: 42\n$/,
    ],
    ["with its own code", "chroot-bare", "RUN exit 43", 43, /Dockerfile:2\n[\s\S]*exit code: 43\n$/],
    [
      "for want of setuid",
      "chroot",
      "RUN echo app:x:1000:1000::/:/bin/sh >>/etc/passwd\nUSER app\nRUN su -c id",
      1,
      /setuid programs and file capabilities, which su needs, have no effect in the sandbox "chroot"/,
    ],
    ["by a signal", "ns", "RUN kill -9 $$", 137, /exit code: 137 \(SIGKILL\)\n$/],
    ["for want of its program", "ns", 'RUN ["/nope"]', 127, /exec: "\/nope": no such file in the image\n[\s\S]*exit code: 127\n$/],
    [
      "in the middle of a script",
      "ns",
      "RUN <<E\nset -e\nfalse\necho ::1\nE",
      1,
      /6 \| >>> E\n-+\nerror building image: process "\/bin\/sh -c set -e …" did not complete successfully: exit code: 1\n$/,
    ],
    ["for want of a user", "ns", "USER nosuch\nRUN id", 1, /Dockerfile:3\n[\s\S]*Cannot run as user "nosuch": there is no user "nosuch"/],
  ];
  for (const [what, sandbox, run, code, text] of rows)
    test(`${what}, in ${sandbox}: ${JSON.stringify(run)}`, async (t) => {
      const host = needsRoot(t) ? await openRegistryWithBase(t) : undefined;
      if (host === undefined) return;
      const workshop = await openWorkshop(t);
      const args = ["--insecure", `--destination=${host}/app:1`, `--sandbox=${sandbox}`, `--tar-path=${workshop.out}/tar`];
      const ended = await workshop.run({ Dockerfile: `FROM ${host}/base:1\n${run}\n` }, args);
      assert.equal(ended.code, code, ended.err);
      assert.match(ended.err, text);
      assert.doesNotMatch(ended.err, /\n\s+at |\[object|undefined/);
      const lines = ended.err.split("\n");
      assert.equal(lines.filter((line) => line.startsWith("error building image: ")).length, 1);
      if (what === "with its own code" && code === 42) assert.equal(lines.filter((line) => line.startsWith("  | ")).length, 20);
      assert.equal(await hasTag(host, "app", "1"), false);
      await workshop.assertNothingLeft("864600");
    });
});

describe("a full disk", () => {
  // `small` is the disk that is full: of so many kilobytes.
  const rows: readonly (readonly [what: string, kilobytes: number, dockerfile: string, args: readonly string[], text: RegExp])[] = [
    [
      "for the base's blobs",
      600,
      "RUN true",
      ["--state-dir=SMALL/state"],
      /error building image: Cannot store sha256:\w+ below ".*\/small\/state": ENOSPC/,
    ],
    ["for its files", 1500, "RUN true", ["--state-dir=SMALL/state"], /error building image: Cannot write ".+": No space left on device/],
    [
      "for its files in a chroot",
      1500,
      "RUN true",
      ["--state-dir=SMALL/state", "--sandbox=chroot-bare"],
      /Cannot write ".+": No space left on device/,
    ],
    [
      "for what a command writes",
      8000,
      "RUN dd if=/dev/zero of=/x bs=1M count=20",
      ["--state-dir=SMALL/state"],
      /\| dd: .*No space left on device\n[\s\S]*exit code: 1\n$/,
    ],
    [
      "for a command's layer",
      6000,
      "RUN dd if=/dev/urandom of=/x bs=1k count=2500",
      ["--state-dir=SMALL/state"],
      /Cannot write a layer: Cannot write ".+": No space left on device/,
    ],
    ["for a tar", 600, "COPY a /", ["--tar-path=SMALL/tar"], /error pushing image: Cannot write ".*\/small\/tar": no space left on device/],
    [
      "for an OCI layout",
      600,
      "COPY a /",
      ["--oci-layout-path=SMALL/layout"],
      /error pushing image: Cannot write ".*\/layout\/blobs\/sha256\/\w+": no space left/,
    ],
    [
      "for a device that is a digest file",
      600,
      "COPY a /",
      ["--digest-file=/dev/full"],
      /error pushing image: Cannot write "\/dev\/full": no space left on device/,
    ],
  ];
  for (const [what, kilobytes, dockerfile, args, text] of rows)
    test(what, async (t) => {
      const host = needsRoot(t) ? await openRegistryWithBase(t) : undefined;
      if (host === undefined) return;
      const workshop = await openWorkshop(t);
      const small = join(workshop.directory, "small");
      // What is left on the disk is counted inside, since the mount is seen there alone.
      const script = `mkdir "$0" && mount -t tmpfs -o size=${kilobytes}k small "$0" && { "$@"; code=$?; find "$0" -name '*.tmp' -o -path "$0/tar*" -o -path "$0/layout*" -o -path "$0/state/blobs/unfinished/*" -o -path "$0/state/work/*"; exit $code; }`;
      const ended = await workshop.run(
        { Dockerfile: `FROM ${host}/base:1\n${dockerfile}\n`, a: "a" },
        ["--insecure", "--no-push", ...args.map((arg) => arg.replace("SMALL", small))],
        { prefix: ["unshare", "-m", "sh", "-c", script, small] },
      );
      assert.equal(ended.code, 1, ended.err);
      assert.match(ended.err, text);
      assert.match(
        ended.err,
        /\nhint: the disk is full: free some space, or (choose another disk with --state-dir|write the file elsewhere)\n/,
      );
      assert.equal(ended.out, "", "files that are left");
      await workshop.assertNothingLeft("864700");
    });
});

describe("what cannot work here", () => {
  test("commands of a user without privilege or namespaces: said with what would help, while COPY works and is pushed", async (t) => {
    const host = needsRoot(t) ? await openRegistryWithBase(t) : undefined;
    if (host === undefined) return;
    const workshop = await openWorkshop(t);
    const script = `echo 0 >/proc/sys/user/max_user_namespaces; exec setpriv --ambient-caps=-all --inh-caps=-all --bounding-set=-all "$@"`;
    const nobody = ["unshare", "--user", "--map-user=65534", "--map-group=65534", "--keep-caps", "sh", "-c", script, "nobody"];
    const args = ["--insecure", `--destination=${host}/app:1`, `--tar-path=${workshop.out}/tar`];
    const refused = await workshop.run({ Dockerfile: `FROM ${host}/base:1\nRUN id\n` }, args, { prefix: nobody });
    assert.equal(refused.code, 1);
    assert.match(refused.err, /Cannot run commands: .*it needs root, and this is uid 65534: .*Builds without RUN work here/);
    await workshop.assertNothingLeft("864800");
    const files = {
      Dockerfile: `FROM ${host}/base:1 AS a\nCOPY --chown=www-data x /y/\nFROM ${host}/base:1\nCOPY --from=a /y/x /\n`,
      x: "x",
    };
    const built = await workshop.run(files, args, { prefix: nobody });
    assert.equal(built.code, 0, built.err);
    assert.equal(await hasTag(host, "app", "1"), true);
    await workshop.assertNothingLeft("864800", ["tar"]);
  });

  test("namespaces without CAP_SYS_ADMIN", async (t) => {
    const host = needsRoot(t) ? await openRegistryWithBase(t) : undefined;
    if (host === undefined) return;
    const workshop = await openWorkshop(t);
    const prefix = ["setpriv", "--bounding-set=-sys_admin"];
    const ended = await workshop.run({ Dockerfile: `FROM ${host}/base:1\nRUN id\n` }, ["--insecure", "--no-push", "--sandbox=ns"], {
      prefix,
    });
    assert.equal(ended.code, 1);
    assert.match(ended.err, /error building image: Cannot use the sandbox "ns": .*it needs CAP_SYS_ADMIN/);
    await workshop.assertNothingLeft("864800");
  });

  test("a helper that is not the one of the manifest", async (t) => {
    const workshop = await openWorkshop(t);
    const copy = join(workshop.directory, "copy");
    for (const name of ["src", "dist", "package.json"]) cpSync(join(repository, name), join(copy, name), { recursive: true });
    for (const name of readdirSync(join(copy, "dist")).filter((name) => name.startsWith("slipway-helper"))) {
      const file = join(copy, "dist", name);
      writeFileSync(file, Buffer.concat([readFileSync(file), Buffer.from("x")]));
    }
    execFileSync("ln", ["-s", join(repository, "node_modules"), join(copy, "node_modules")]);
    const ended = await workshop.run({ Dockerfile: "FROM scratch\nCOPY a /\n", a: "a" }, ["--no-push"], {
      main: join(copy, "src/main.ts"),
    });
    assert.equal(ended.code, 1);
    assert.match(
      ended.err,
      /^error building image: Cannot use ".*slipway-helper-\w+": its sha256 is \w{64}, manifest.json says \w{64}; install Slipway again\n$/,
    );
    await workshop.assertNothingLeft("864800");
  });
});

test("no password is in any line, at any verbosity", async (t) => {
  const registry = await openLocalRegistry(t, { htpasswd: builderLine });
  if (registry === undefined) return;
  const workshop = await openWorkshop(t);
  const passwords = ["secret", "wr0ng-passw0rd"];
  for (const password of passwords)
    for (const verbosity of ["trace", "debug", "info", "error"]) {
      const auth = Buffer.from(`builder:${password}`).toString("base64");
      writeFileSync(join(workshop.directory, "config.json"), JSON.stringify({ auths: { [registry.host]: { auth } } }));
      const ended = await workshop.run(
        { Dockerfile: "FROM scratch\nCOPY a /\n", a: "a" },
        ["--insecure", `--destination=${registry.host}/app:${verbosity}`, `--verbosity=${verbosity}`],
        { env: { DOCKER_CONFIG: workshop.directory, HTTPS_PROXY: "http://user:proxy-passw0rd@127.0.0.1:1" } },
      );
      assert.equal(ended.code, password === "secret" ? 0 : 1, ended.err);
      if (ended.code !== 0)
        assert.match(
          ended.err,
          /\nerror checking push permissions -- make sure you entered the correct tag name, and that you are authenticated correctly, and try again: .*\n$/,
        );
      for (const hidden of [...passwords, auth, "proxy-passw0rd"])
        assert.ok(!(ended.out + ended.err).includes(hidden), `${hidden} in ${ended.err}`);
      await workshop.assertNothingLeft("864900");
    }
});
