// Whole builds whose RUNs have mounts: where files come from, what stays, and who gets to see a secret.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { existsSync, lstatSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { gunzipSync } from "node:zlib";
import { readPrivateKey } from "../../src/agent/agent.ts";
import { BuildFailure, type Request } from "../../src/build/build.ts";
import { needsRoot } from "../sandbox/root.ts";
import { openBase } from "../sandbox/stage.ts";
import { directoryItem, fileItem, openBuilder, putBase, putLayers, temporaryDirectory } from "../support/build.ts";
import { startRegistry } from "../support/registry.ts";

type Given = Partial<Request> & { readonly files?: Readonly<Record<string, string>>; readonly fails?: RegExp };

const files = { "src/a": "in a", "src/b": "in b", "src/deep/c": "in c", hidden: "hidden", ".dockerignore": "hidden\nsrc/b\n" };
const secrets = new Map([
  ["token", Buffer.from("t0ken-value")],
  ["dir/key", Buffer.from("key-value\n")],
]);

/** `BASE` and `OTHER` stand for images. */
async function open(t: TestContext) {
  const base = needsRoot(t) ? openBase(t) : undefined;
  if (base === undefined) return undefined;
  const registry = await startRegistry(t);
  await putLayers(registry, "base:1", [base], { Env: ["PATH=/bin:/usr/bin:/sbin", "TOKEN=from the image"], WorkingDir: "/w" });
  await putBase(t, registry, "other:1", [[directoryItem("opt"), fileItem("opt/tool", "#!/bin/sh\necho tool\n", { mode: 0o755, uid: 4 })]]);
  const builder = await openBuilder(t);
  const fill = (dockerfile: string) =>
    dockerfile.replaceAll("BASE", `${registry.host}/base:1`).replaceAll("OTHER", `${registry.host}/other:1`);
  return { builder, fill, registry };
}

const rows: readonly (readonly [what: string, dockerfile: string, given?: Given])[] = [
  [
    "the context without what is ignored",
    "RUN --mount=target=/c test -f /c/src/a && test ! -e /c/src/b && test ! -e /c/hidden && test -f /c/Dockerfile",
  ],
  [
    "a directory of the context at a relative target",
    "RUN --mount=type=bind,source=src,target=x cat /w/x/a /w/x/deep/c && test $(stat -c %u:%g x/a) = 0:0",
  ],
  ["a file of the context", "RUN --mount=src=/src/a,dst=/etc/passwd test \"$(cat /etc/passwd)\" = 'in a'"],
  ["values of ARG and ENV", "ARG T=bind\nENV S=src\nRUN --mount=type=$T,source=${S}/deep,target=/$S test -f /src/c"],
  ["what is ignored is not there to be mounted", "RUN --mount=source=hidden,target=/h true", { fails: /"\/hidden": not found/ }],
  ["what is not there", "RUN --mount=source=nope,target=/h true", { fails: /"\/nope": not found/ }],
  [
    "writes are discarded",
    "RUN --mount=target=/c,rw echo x >/c/src/a && rm -r /c/src/deep\nRUN --mount=target=/c grep -q 'in a' /c/src/a && test -d /c/src/deep",
  ],
  ["a read-only directory", "RUN --mount=target=/c touch /c/x", { sandbox: "ns", fails: /exit code: 1/ }],
  [
    "an image",
    "RUN --mount=from=OTHER,source=/opt,target=/opt test $(tool) = tool || test $(/opt/tool) = tool && test $(stat -c %u /opt/tool) = 4",
  ],
  ["a program of an image", "RUN --mount=from=OTHER,source=/opt/tool,target=/bin/tool test $(tool) = tool"],
  [
    "a stage, through its symlink",
    "RUN --mount=from=made,source=/lnk,target=/m test $(cat /m/f) = made",
    { files: { before: "FROM BASE AS made\nRUN mkdir /real && echo made >/real/f && ln -s real /lnk\n" } },
  ],
  ["what a stage lacks", "RUN --mount=from=OTHER,source=/nope,target=/m true", { fails: /"\/nope": not found/ }],
  [
    "a named directory",
    "RUN --mount=from=named,target=/m test -f /m/plan.txt && test $(stat -c %u:%g /m/plan.txt) = 0:0",
    { buildContexts: new Map([["named", fileURLToPath(new URL("./plans/run-mounts", import.meta.url))]]) },
  ],
  [
    "mounts by a trigger",
    "ONBUILD RUN --mount=from=OTHER,source=/opt,target=/m --mount=type=cache,target=/c cp /m/tool /c/x && mv /c/x /fired\nFROM stage\nRUN test -x /fired",
  ],
  ["nothing at all", 'RUN --mount=from=scratch,target=/m test -z "$(ls -A /m)"'],
  [
    "mounts in mounts",
    'RUN --mount=target=/c,rw --mount=type=tmpfs,target=/c/src --mount=type=cache,target=/c/src/cache test "$(ls /c/src)" = cache',
  ],
  [
    "a cache seeded from an image",
    "RUN --mount=type=cache,from=OTHER,source=opt,target=/m test -x /m/tool && rm /m/tool\nRUN --mount=type=cache,from=OTHER,source=opt,id=/m,target=/n test ! -e /n/tool",
  ],
  [
    "caches by their owner",
    "RUN --mount=type=cache,target=/m touch /m/x\nRUN --mount=type=cache,target=/m,uid=0 test ! -e /m/x && stat -c %a /m | grep -qx 755\nRUN --mount=type=cache,target=/m,mode=0700,gid=9 test $(stat -c %a:%g /m) = 700:9",
  ],
  [
    "a cache of a relative target by its name",
    "RUN --mount=type=cache,target=./m/ touch /w/m/x\nRUN --mount=type=cache,id=m,target=/y test -e /y/x",
  ],
  [
    "a cache across stages",
    "COPY --from=one /done /done\nRUN --mount=type=cache,id=z,target=/m,sharing=locked test -e /m/x",
    { files: { before: "FROM BASE AS one\nRUN --mount=type=cache,id=z,target=/m touch /m/x; touch /done\n" } },
  ],
  [
    "a secret in its usual place",
    'RUN --mount=type=secret,id=token test "$(cat /run/secrets/token)" = t0ken-value && test "$TOKEN" = \'from the image\'',
    { secrets },
  ],
  ["by the name of its id", "RUN --mount=type=secret,id=dir/key grep -qx key-value /run/secrets/key", { secrets }],
  [
    "with mode and owner, elsewhere",
    "RUN --mount=type=secret,id=token,target=s/t,mode=0440,uid=5,gid=6 test $(stat -c %a:%u:%g /w/s/t) = 440:5:6",
    { secrets },
  ],
  ["by its target's name", "RUN --mount=type=secret,target=/etc/token test -s /etc/token", { secrets }],
  [
    "as a variable, over one of the image",
    "RUN --mount=type=secret,id=token,env=TOKEN test $TOKEN = t0ken-value && test ! -e /run/secrets",
    { secrets },
  ],
  ["as both", "RUN --mount=type=secret,id=token,env=T,target=/t test $T = $(cat /t)", { secrets }],
  [
    "an optional one that is missing",
    'RUN --mount=type=secret,id=none --mount=type=secret,id=not,env=TOKEN test ! -e /run/secrets && test -z "${TOKEN-unset}"',
  ],
  ["one that is missing and required", "RUN --mount=type=secret,id=none,required true", { fails: /^secret none: not found$/ }],
  [
    "one that is missing and required as a variable",
    "RUN --mount=type=secret,id=none,env=X,required=true true",
    { fails: /^secret none: not found$/ },
  ],
  ["an agent that is missing", "RUN --mount=type=ssh test ! -e $SSH_AUTH_SOCK && test $SSH_AUTH_SOCK = /run/buildkit/ssh_agent.0"],
  ["one that is missing and required", "RUN --mount=type=ssh,id=git,required true", { fails: /^no SSH key "git" forwarded/ }],
  ["a program in a heredoc", "RUN <<EOF\n#!/bin/false\nEOF", { fails: /^process "\/bin\/sh -c \/dev\/pipes\/EOF" did not complete/ }],
  [
    "a script in a heredoc",
    "RUN <<-'DOC'\n\t#!/bin/sh -e\n\ttest $0 = /dev/pipes/DOC\n\ttest $(stat -c %a:%u $0) = 755:0\n\techo out >/out\nDOC\nRUN grep -qx out /out && test ! -e /dev/pipes",
  ],
  ["no network", "RUN --network=none test $(ls /sys/class/net) = lo", { sandbox: "ns" }],
  ["no network by the request", "RUN test $(ls /sys/class/net) = lo", { sandbox: "ns", network: "none" }],
  ["no sockets of the network", "RUN --network=none ! nc -w 1 127.0.0.1 1 2>/err && grep -q unreachable /err", { sandbox: "chroot" }],
  ["no network where that cannot be", "RUN --network=none true", { sandbox: "chroot-bare", fails: /has the network of the machine/ }],
  ["the machine's network", "RUN --network=host true", { allowed: ["network.host"] }],
];

for (const sandbox of ["ns", "userns", "chroot", "chroot-bare"] as const)
  for (const [what, dockerfile, given = {}] of rows.filter(([, , given]) => (given?.sandbox ?? sandbox) === sandbox))
    test(`RUN gets ${what} (${sandbox})`, async (t) => {
      const opened = await open(t);
      if (opened === undefined) return;
      const { builder, fill } = opened;
      const { fails, files: { before = "" } = {}, ...request } = given;
      const text = fill(`${before}FROM BASE AS stage\n${dockerfile}\n`);
      const building = builder.build({ ...files, Dockerfile: text }, { ...request, sandbox });
      if (fails === undefined) await building;
      else
        await assert.rejects(building, (error) => error instanceof BuildFailure && fails.test(error.message) && error.place !== undefined);
    });

for (const sandbox of ["ns", "userns", "chroot", "chroot-bare"] as const)
  test(`a cache is kept from build to build, from a RUN that failed too, and in no layer (${sandbox})`, async (t) => {
    const opened = await open(t);
    if (opened === undefined) return;
    const { builder, fill } = opened;
    const request = { sandbox, stateDir: join(builder.directory, "state"), stateIsPrivate: false };
    const mount = "--mount=type=cache,target=/var/cache/it";
    await assert.rejects(
      builder.build({ Dockerfile: fill(`FROM BASE\nRUN ${mount} touch /var/cache/it/kept; false`) }, request),
      BuildFailure,
    );
    const outputs = { ociLayoutPath: join(builder.directory, "layout") };
    await builder.build({ Dockerfile: fill(`FROM BASE\nRUN ${mount} test -e /var/cache/it/kept && touch /made`) }, { ...request, outputs });
    assert.deepEqual(
      filesOfLayers(outputs.ociLayoutPath).filter((name) => /cache|kept/.test(name)),
      [],
    );
    assert.deepEqual(readdirSync(join(request.stateDir, "work")), [], "nothing of the builds is left");
    await assert.rejects(
      builder.build({ Dockerfile: fill(`FROM BASE\nRUN ${mount} test -e /var/cache/it/kept`) }, { sandbox }),
      /exit code: 1/,
      "a private state directory has caches of its own",
    );
  });

for (const sandbox of ["ns", "userns", "chroot", "chroot-bare"] as const)
  test(`--no-cache empties every variant of the caches that are mounted, once, and for later builds too (${sandbox})`, async (t) => {
    const opened = await open(t);
    if (opened === undefined) return;
    const { builder, fill } = opened;
    const request = { sandbox, stateDir: join(builder.directory, "state"), stateIsPrivate: false };
    const build = (uncached: Partial<Request["uncached"]>, ...tests: readonly string[]) => {
      const runs = tests.map(
        (test) => `RUN --mount=type=cache,target=/c --mount=type=cache,target=/m,id=/c,mode=0773 --mount=type=cache,target=/d ${test}`,
      );
      const text = fill(["FROM BASE AS One", ...runs].join("\n"));
      return builder.build({ Dockerfile: text }, { ...request, uncached: { all: false, stages: [], ...uncached } });
    };
    const shows = (...names: readonly string[]) =>
      ["c", "m", "d"].map((at) => `test "$(echo $(ls /${at}))" = "${names.join(" ")}"`).join(" && ");
    const put = (name: string) => `touch /c/${name} /m/${name} /d/${name}`;
    await build({}, put("a"));
    await build({}, `${shows("a")} && ${put("b")}`);
    await build({ stages: ["other"] }, shows("a", "b"));
    assert.deepEqual(
      builder.events.flatMap((event) => (event.kind === "warning" && /no-cache/.test(event.text) ? [event.text] : [])),
      ['--no-cache-filter: there is no stage "other"'],
    );
    await build({ all: true }, `${shows()} && ${put("d")}`, shows("d"));
    await build({}, shows("d"));
    await build({ stages: ["ONE"] }, `${shows()} && ${put("e")}`, shows("e"));
    await build({}, shows("e"));
  });

/** Every text of an OCI layout: its blobs, those that are gzip as they are inside. */
function blobsOf(layout: string): Buffer[] {
  const folder = join(layout, "blobs/sha256");
  return readdirSync(folder).map((name) => {
    const bytes = readFileSync(join(folder, name));
    return bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync(bytes) : bytes;
  });
}

/** What looks like a name in the headers of the layers above the base. */
function filesOfLayers(layout: string): string[] {
  return blobsOf(layout)
    .filter((bytes) => bytes.subarray(257, 262).toString() === "ustar" && bytes.length < 1 << 16)
    .flatMap((bytes) => bytes.toString("latin1").match(/[\w./-]{3,}/g) ?? []);
}

const main = fileURLToPath(new URL("../../src/main.ts", import.meta.url));

for (const sandbox of ["ns", "userns", "chroot", "chroot-bare"] as const)
  test(`a secret is in no log at any level, layer, configuration, plan or file (${sandbox})`, async (t) => {
    const opened = await open(t);
    if (opened === undefined) return;
    const { builder, fill, registry } = opened;
    const context = await temporaryDirectory(t);
    const [fromFile, fromVariable] = ["f1le-s3cret-one", "var-s3cret-two"];
    writeFileSync(join(context, "secret-file"), `${fromFile}\n`);
    writeFileSync(join(context, ".dockerignore"), "secret-file\n");
    const mounts = "--mount=type=secret,id=file --mount=type=secret,id=variable,env=V --mount=type=secret,id=both,target=/b,env=B";
    const show = "cat /run/secrets/file /b; echo $V $B; echo $V | sed 's/-/_/' >/dev/null";
    const builds: readonly (readonly [dockerfile: string, args: readonly string[], code: number])[] = [
      [`FROM BASE\nRUN ${mounts} ${show}\nRUN env; test ! -e /run/secrets; test -z "$V$B"`, [], 0],
      [`FROM BASE\nRUN ${mounts} ${show}; exit 7`, [], 7],
      [`FROM BASE\nRUN ${mounts} ${show}`, ["--dryrun"], 0],
      [`FROM BASE\nRUN --mount=type=secret,id=file,target=/etc ${show}`, [], 1],
    ];
    for (const [i, [dockerfile, more, code]] of builds.entries()) {
      writeFileSync(join(context, "Dockerfile"), fill(dockerfile));
      const layout = join(builder.directory, `layout-${i}`);
      const state = join(builder.directory, "state");
      const args = [
        ...[
          "--context",
          context,
          "--no-push",
          "--insecure-registry",
          registry.host,
          "--insecure-pull",
          "--verbosity=trace",
          `--sandbox=${sandbox}`,
        ],
        ...["--state-dir", state, "--oci-layout-path", layout, `--secret=id=file,src=${join(context, "secret-file")}`],
        ...["--secret=id=variable,env=SECRET_VARIABLE", "--secret=id=both,type=env,src=SECRET_VARIABLE", ...more],
      ];
      const env = { PATH: process.env.PATH, SECRET_VARIABLE: fromVariable, HOME: context };
      const ran = await promisify(execFile)(process.execPath, [main, ...args], { env }).catch((error) => error);
      assert.equal(ran.code ?? 0, code, ran.stderr);
      const kept = existsSync(layout) ? blobsOf(layout) : [];
      const texts = [ran.stdout, ran.stderr, ...kept.map((bytes) => bytes.toString("latin1")), ...filesBelow(state)];
      for (const secret of [fromFile, fromVariable])
        for (const text of texts) assert.ok(!text.includes(secret), `${secret} is in ${text.slice(0, 200)}`);
      if (code === 7) assert.match(ran.stderr, /\*\*\*/);
    }
  });

function filesBelow(directory: string): string[] {
  if (!existsSync(directory)) return [];
  return readdirSync(directory, { recursive: true, encoding: "utf8" }).flatMap((name) => {
    const status = lstatSync(join(directory, name));
    return status.isFile() && status.size < 1 << 20 ? [readFileSync(join(directory, name), "latin1")] : [name];
  });
}

test("an agent's socket is there for the RUN that mounts it", async (t) => {
  const opened = await open(t);
  if (opened === undefined) return;
  const { builder, fill } = opened;
  const socket = join(builder.directory, "agent");
  const server = createServer((client) => client.resume()).listen(socket);
  t.after(() => server.close());
  const dockerfile = `FROM BASE
RUN --mount=type=ssh test -S $SSH_AUTH_SOCK && test $(stat -c %a:%u $SSH_AUTH_SOCK) = 600:0
RUN --mount=type=ssh,id=git,target=/agent,mode=0666,uid=3 --mount=type=ssh test $SSH_AUTH_SOCK = /agent && test $(stat -c %a:%u /agent) = 666:3 && test -S /run/buildkit/ssh_agent.1
RUN test ! -e /agent && test ! -e /run/buildkit && test -z "$SSH_AUTH_SOCK"
`;
  const ssh = new Map(["default", "git"].map((id) => [id, { kind: "socket", path: socket } as const]));
  for (const sandbox of ["ns", "userns", "chroot", "chroot-bare"] as const)
    await builder.build({ Dockerfile: fill(dockerfile) }, { ssh, sandbox });
});

/** A directory with this machine's ssh-add, the libraries that it needs, and `ld` to start it with. */
async function openOpenssh(t: TestContext): Promise<string> {
  const directory = await temporaryDirectory(t);
  const copy = `cp "$(command -v ssh-add)" $(ldd "$(command -v ssh-add)" | grep -o '/[^ ]*') "$0" && mv "$0"/ld-linux* "$0/ld"`;
  await promisify(execFile)("sh", ["-c", copy, directory]);
  return directory;
}

for (const sandbox of ["ns", "userns", "chroot", "chroot-bare"] as const)
  test(`keys are served to the RUN that mounts them, and lie in no file (${sandbox})`, async (t) => {
    const opened = await open(t);
    if (opened === undefined) return;
    const { builder, fill } = opened;
    const { privateKey } = generateKeyPairSync("ed25519");
    const pem = Buffer.from(privateKey.export({ format: "pem", type: "pkcs8" }));
    const ssh = new Map([["default", { kind: "keys", files: [{ path: "/key", bytes: pem }] } as const]]);
    const stateDir = join(builder.directory, "state");
    const ociLayoutPath = join(builder.directory, "layout");
    const buildContexts = new Map([["openssh", await openOpenssh(t)]]);
    const run = "/o/ld --library-path /o";
    const dockerfile = `FROM BASE
RUN --mount=type=ssh --mount=from=openssh,target=/o ${run} /o/ssh-add -L >/answer && ${run} /o/ssh-add -T /answer && echo holds the key && sleep 2
`;
    const files = { Dockerfile: fill(dockerfile) };
    const building = builder.build(files, { ssh, buildContexts, sandbox, stateDir, stateIsPrivate: false, outputs: { ociLayoutPath } });
    const forms = [pem.toString().split("\n")[1] ?? "", privateKey.export({ format: "jwk" }).d ?? ""];
    const found: string[] = [];
    const runs = () =>
      builder.events.some((event) => event.kind === "step-output" && /holds the key/.test(Buffer.from(event.bytes).toString()));
    while (await Promise.race([building.then(() => false), sleep(50, true)])) {
      if (!runs()) continue;
      const grep = promisify(execFile)("grep", ["-rlaF", ...forms.flatMap((form) => ["-e", form]), stateDir]);
      found.push(
        await grep.then(
          ({ stdout }) => stdout,
          () => "",
        ),
      );
    }
    assert.equal(found.join(""), "");
    assert.ok(found.length > 0, "nobody looked while the command ran");
    const blobs = blobsOf(ociLayoutPath).map((bytes) => bytes.toString("latin1"));
    assert.ok(blobs.some((text) => text.includes(readPrivateKey(pem).blob.toString("base64"))));
    for (const text of blobs) for (const form of forms) assert.ok(!text.includes(form));
    assert.deepEqual(readdirSync(join(stateDir, "work")), []);
    const wrong = new Map([["git", { kind: "keys", files: [{ path: "/k", bytes: Buffer.from("x") }] } as const]]);
    await assert.rejects(builder.build(files, { ssh: wrong, buildContexts, sandbox }), {
      name: "BuildFailure",
      message: 'Cannot use the key "/k" of --ssh git: it is no private key',
    });
  });
