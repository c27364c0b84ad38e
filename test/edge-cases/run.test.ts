// Commands: who they run as, what they may see, what they share, and how they end.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { gunzipSync } from "node:zlib";
import { BuildFailure } from "../../src/build/build.ts";
import { processesNaming } from "../sandbox/root.ts";
import { temporaryDirectory } from "../support/build.ts";
import { mountPoints, openWorkbench } from "./workbench.ts";

const bench = openWorkbench();

const accounts = `
d 755 0:0 etc
f 644 0:0 etc/passwd root:x:0:0:root:/root:/bin/sh|www:x:33:44:www:/var/www:/bin/sh
f 644 0:0 etc/group root:x:0:root|staff:x:50:www,other|audio:x:63:root|www:x:44:
`;

const users: readonly (readonly [user: string, uidGid: string, groups: string, home: string])[] = [
  ["1000", "1000:0", "0", "/"],
  ["33", "33:44", "44 50", "/var/www"],
  ["www", "33:44", "44 50", "/var/www"],
  ["1234:1234", "1234:1234", "1234", "/"],
  ["33:33", "33:33", "33", "/var/www"],
  ["www:staff", "33:50", "50", "/var/www"],
  ["root", "0:0", "0 63", "/root"],
];

test("7.46 users by number, name and group get ids, groups and HOME as in BuildKit, and root again after them", async (t) => {
  if (!(await bench.shell(t, "accounts", [mountPoints, accounts]))) return;
  const look = `RUN echo "$(id -u):$(id -g), $(id -G), $HOME"`;
  const lines = users.map(([user]) => `USER ${user}\n${look}`);
  const built = await bench.build({ dockerfile: `FROM accounts\n${look}\n${lines.join("\n")}` });
  const expected = [["", "0:0", "0 63", "/root"] as const, ...users].map(([, ids, groups, home]) => `${ids}, ${groups}, ${home}`);
  assert.deepEqual(built.output.trimEnd().split("\n"), expected);
});

test("7.46 who is not root cannot write what is root's, and a name that is unknown runs nothing", async (t) => {
  if (!(await bench.shell(t, "accounts", [mountPoints, accounts]))) return;
  const script = "touch /x 2>/dev/null || echo denied; touch /tmp/mine && stat -c %u:%g /tmp/mine; rm /tmp/mine";
  const built = await bench.build({ dockerfile: `FROM accounts\nUSER 1000:7\nRUN ${script}\nUSER root\nRUN touch /x` });
  assert.equal(built.output, "denied\n1000:7\n");
  assert.deepEqual(await built.layer(-2), []);
  assert.deepEqual(await built.layer(-1), ["f 644 0:0 x"]);
  await assert.rejects(bench.build({ dockerfile: "FROM accounts\nUSER nobody\nRUN true" }), /there is no user "nobody"/);
  await assert.rejects(bench.build({ dockerfile: "FROM accounts\nUSER www:none\nRUN true" }), /there is no group "none"/);
});

const main = fileURLToPath(new URL("../../src/main.ts", import.meta.url));

test("7.55 a secret is a file or a variable of its RUN alone: no log, layer, history, configuration or plan has it", async (t) => {
  if (!(await bench.shell(t))) return;
  const directory = await temporaryDirectory(t);
  const secret = "s3cret-of-this-test";
  const commands = [
    "RUN --mount=type=secret,id=s --mount=type=secret,id=s,env=S test $S = $(cat /run/secrets/s) && echo shown: $S && cp /run/secrets/s /dev/shm/x",
    'RUN test ! -e /run/secrets -a -z "$S" && env',
    'RUN --mount=type=secret,id=missing --mount=type=secret,id=missing,env=M test ! -e /run/secrets/missing && echo "[${M-unset}]"',
  ];
  writeFileSync(join(directory, "Dockerfile"), `FROM ${bench.registry().host}/library/shell\n${commands.join("\n")}\n`);
  const layout = join(directory, "layout");
  const run = async (...more: string[]) => {
    const args = [
      "--context",
      directory,
      "--no-push",
      "--insecure-registry",
      bench.registry().host,
      "--secret=id=s,env=OWN_SECRET",
      ...more,
    ];
    const env = { PATH: process.env.PATH, HOME: directory, TMPDIR: directory, OWN_SECRET: secret };
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [main, ...args], { env });
    return stdout + stderr;
  };
  const log = await run("--oci-layout-path", layout, "--verbosity=trace");
  assert.match(log, /shown: \*\*\*/);
  assert.match(log, /\[\]/, "an optional variable that is missing is empty");
  const blobs = readdirSync(join(layout, "blobs/sha256")).map((name) => {
    const bytes = readFileSync(join(layout, "blobs/sha256", name));
    return (bytes[0] === 0x1f ? gunzipSync(bytes) : bytes).toString("latin1");
  });
  const dockerfile = readFileSync(join(directory, "Dockerfile"), "utf8").replace(/^FROM .*/, "FROM shell");
  const plan = await bench.plan({ dockerfile, request: { secrets: new Map([["s", Buffer.from(secret)]]) } });
  for (const text of [log, plan, ...blobs]) assert.ok(!text.includes(secret));
  assert.ok(
    blobs.some((text) => text.includes("run/secrets/s /dev/shm/x")),
    "the history is among them",
  );
});

for (const sandbox of ["ns", "userns", "chroot", "chroot-bare"] as const)
  test(`7.56 caches go by target, owner, mode and source, outlive a RUN that fails, and are in no layer (${sandbox})`, async (t) => {
    if (!(await bench.shell(t))) return;
    const request = { sandbox, stateDir: join(bench.directory(), `caches-${sandbox}`), stateIsPrivate: false };
    const cache = "--mount=type=cache,target=/c";
    await assert.rejects(bench.build({ dockerfile: `FROM shell\nRUN ${cache} echo kept >/c/f; exit 3`, request }), /exit code: 3$/);
    const dockerfile = `FROM shell AS seed
RUN mkdir /s && echo seed >/s/f
FROM shell AS one
RUN ${cache} cat /c/f && echo more >/c/g
RUN --mount=type=cache,id=/c,target=/elsewhere cat /elsewhere/g
RUN --mount=type=cache,target=/d test ! -e /d/f && echo other target
RUN ${cache},uid=5 test ! -e /c/f && echo other uid
RUN ${cache},gid=5 test ! -e /c/f && echo other gid
RUN ${cache},mode=0700 test ! -e /c/f && echo other mode
RUN ${cache},from=seed,source=/s cat /c/f
RUN test ! -e /c/f && echo gone
FROM scratch
COPY --from=one / /all/
`;
    const built = await bench.build({ dockerfile, request });
    assert.equal(built.output, "kept\nmore\nother target\nother uid\nother gid\nother mode\nseed\ngone\n");
    assert.deepEqual(
      (await built.layer(-1)).filter((line) => / all\/(c|d|elsewhere)(\/| |$)/.test(line)),
      [],
    );
  });

test("7.56 sharing=locked lets one RUN after the other have the cache", async (t) => {
  if (!(await bench.shell(t))) return;
  const line =
    "RUN --mount=type=cache,target=/c,sharing=locked test ! -e /c/busy && touch /c/busy && sleep 0.3 && rm /c/busy && touch /done";
  const stages = [1, 2, 3].map((i) => `FROM shell AS s${i}\n${line}`);
  const copies = [1, 2, 3].map((i) => `COPY --from=s${i} /done /${i}`);
  await bench.build({ dockerfile: `${stages.join("\n")}\nFROM scratch\n${copies.join("\n")}` });
});

for (const sandbox of ["ns", "userns", "chroot", "chroot-bare"] as const) {
  test(`7.60 processes that a command leaves behind are ended, and nobody waits for them (${sandbox})`, async (t) => {
    if (!(await bench.shell(t))) return;
    const started = performance.now();
    const built = await bench.build({
      dockerfile: "FROM shell\nRUN sleep 864264 >/dev/null 2>&1 & (sleep 864264; echo late >/late) & echo done\nRUN echo next",
      request: { sandbox },
    });
    assert.equal(built.output, "done\nnext\n");
    assert.ok(performance.now() - started < 60_000);
    assert.deepEqual(processesNaming("864264"), []);
    assert.deepEqual(await built.layer(-1), []);
  });

  const ends: readonly (readonly [what: string, command: string, code: string])[] = [
    ["an exit code", "echo out; echo err >&2; exit 42", "42"],
    ["a signal", "kill -9 $$", "137 (SIGKILL)"],
    ["a signal of a child, by the shell", "sh -c 'kill -TERM $$'; exit $?", "143"],
    ["a program that is not there", "/nope", "127"],
  ];
  for (const [what, command, code] of ends)
    test(`7.60 ${what} is told in BuildKit's words, with the line (${sandbox})`, async (t) => {
      if (!(await bench.shell(t))) return;
      const dockerfile = `FROM shell\nENV A=1\n\nRUN ${command}\nRUN never`;
      await assert.rejects(bench.build({ dockerfile, request: { sandbox } }), (error) => {
        assert.ok(error instanceof BuildFailure);
        assert.equal(error.message, `process "/bin/sh -c ${command}" did not complete successfully: exit code: ${code}`);
        assert.equal(error.place?.line, 4);
        assert.equal(error.place?.source, dockerfile);
        if (what === "an exit code") assert.deepEqual([...error.output].sort(), ["err", "out"]);
        return true;
      });
    });
}

test("7.60 the program shows the command's output and the lines around it in the Dockerfile", async (t) => {
  if (!(await bench.shell(t))) return;
  const directory = await temporaryDirectory(t);
  writeFileSync(join(directory, "Dockerfile"), `FROM ${bench.registry().host}/library/shell\nRUN echo before; exit 7\nCOPY . /\n`);
  const args = ["--context", directory, "--no-push", "--insecure-registry", bench.registry().host];
  const ran = await promisify(execFile)(process.execPath, [main, ...args], { env: { PATH: process.env.PATH, HOME: directory } }).then(
    () => assert.fail("it should fail"),
    (error: { code: number; stderr: string }) => error,
  );
  assert.equal(ran.code, 7);
  assert.match(ran.stderr, /^ +\d? *\| before$/m);
  assert.match(ran.stderr, /^ +2 \| >>> RUN echo before; exit 7$/m);
  assert.match(
    ran.stderr,
    /error building image: process "\/bin\/sh -c echo before; exit 7" did not complete successfully: exit code: 7\n$/,
  );
  assert.ok(!existsSync(join(directory, "state")));
});
