// RUN in the root of the executor image, where a pod's root may neither mount nor enter another root; and never anywhere else.

import assert from "node:assert/strict";
import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { pushBase } from "../end-to-end/program.ts";
import { archivePrograms, makePackage } from "../sandbox/battery.ts";
import { temporaryDirectory } from "../support/build.ts";
import { type Cluster, listPushed, openCluster, runPod } from "./cluster.ts";

/** As pods drop all and add back what building takes; CAP_SYS_CHROOT is not among it. */
const capabilities = ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_SETGID", "CAP_SETUID"];
const pod = { environment: "drop-all", capabilities, command: ["/busybox/sh", "-c"] } as const;

/** Says what the container has when nothing runs. */
const restored = "ls -d /* /bin/* /etc/* | tr '\\n' ' '; test ! -e /kaniko/in-place/journal";
const containers = "/bin /bin/sh /busybox /dev /etc /etc/hostname /etc/hosts /etc/resolv.conf /kaniko /proc /sys /workspace ";

async function openWorkspace(
  t: TestContext,
  dockerfiles: Readonly<Record<string, readonly string[]>>,
): Promise<(Cluster & { readonly workspace: string; build(dockerfile: string, ...more: string[]): string }) | undefined> {
  const cluster = await openCluster(t);
  if (cluster === undefined || !(await pushBase(t, cluster.registry.host))) return undefined;
  const { host } = cluster.registry;
  const files = Object.entries(dockerfiles).map(([name, lines]) => [name, lines.join("\n").replaceAll("BASE", `${host}/base:1`)]);
  const workspace = await cluster.makeVolume({ ...Object.fromEntries(files), context: "of the job\n" });
  const build = (dockerfile: string, ...more: string[]) =>
    ["/kaniko/executor --dockerfile", dockerfile, `--destination=${host}/app:1 --insecure --insecure-pull`, ...more].join(" ");
  return { ...cluster, workspace, build };
}

const run = ({ image, workspace }: Pick<Cluster, "image"> & { readonly workspace: string }, script: string) =>
  runPod(image, { ...pod, args: [script], volumes: { "/workspace": workspace } });

const everything = [
  "FROM BASE AS one",
  "RUN echo 1 > /made && mkdir -p /a/b && chmod 700 /a && rm /etc/shadow && echo 'me:x:1000:1000::/home/me:/bin/sh' >> /etc/passwd",
  "RUN mkdir /home/me && chown 1000:1000 /home/me && ln -s made /link && ln /made /a/hard && mkfifo /fifo",
  "USER me",
  "RUN id -u > /home/me/id; test ! -w /etc/passwd; (sleep 300 &); (setsid sleep 300 &); test -c /dev/null && test -e /proc/self/fd/0",
  "USER root",
  "RUN --mount=type=cache,target=/var/cache/x echo kept > /var/cache/x/y",
  "RUN --mount=type=cache,target=/var/cache/x --mount=type=tmpfs,target=/scratch cat /var/cache/x/y > /kept && touch /scratch/x",
  "RUN --mount=type=bind,source=context,target=/src/context --mount=type=secret,id=token cat /src/context /run/secrets/token | wc -c > /size",
  "RUN <<EOF",
  "#!/bin/sh",
  "rm -rf /var /home/me/id && mkdir /var",
  "EOF",
  "WORKDIR /work/dir",
  "RUN --network=none pwd > here",
  "FROM one AS two",
  "RUN rm -rf /a /bin.old; mv /home /elsewhere && ln -s elsewhere /home",
  "FROM BASE",
  "COPY --from=one / /one/",
  "COPY --from=two /elsewhere /two",
  "RUN test ! -e /made && ls /one /two > /seen",
];

test("the image is that of ns, to the byte, and the container is as it was", async (t) => {
  const space = await openWorkspace(t, { Dockerfile: everything, token: ["hidden"] });
  if (space === undefined) return;
  const flags = ["--secret=id=token,src=/workspace/token", "--build-arg=SOURCE_DATE_EPOCH=1700000000", "--rewrite-timestamp"];
  const built = await run(space, `${space.build("Dockerfile", ...flags, "--digest-file=/workspace/digest")} && ${restored}`);
  assert.equal(built.code, 0, built.err);
  assert.equal(built.out, containers);
  assert.match(built.err, /sandbox: inplace: /);
  assert.doesNotMatch(built.err, /hidden|own; that is no part/);
  const volumes = { "/workspace": space.workspace, "/tmp": await space.makeVolume() };
  const args = [space.build("Dockerfile", ...flags, "--digest-file=/workspace/expected")];
  const expected = await runPod(space.image, { environment: "privileged", command: pod.command, args, volumes });
  assert.match(expected.err, /sandbox: ns: /);
  assert.equal(readFileSync(join(space.workspace, "digest"), "utf8"), readFileSync(join(space.workspace, "expected"), "utf8"));
});

test("a package is made and installed", async (t) => {
  const script = ['SHELL ["/usr/bin/bash", "-c"]', "RUN <<EOF", makePackage, "EOF"];
  const space = await openWorkspace(t, { Dockerfile: ["FROM BASE", "ADD programs.tar /", ...script] });
  if (space === undefined) return;
  writeFileSync(join(space.workspace, "programs.tar"), archivePrograms());
  const { code, err } = await run(space, space.build("Dockerfile"));
  assert.equal(code, 0, err);
  assert.match(err, /Setting up p \(1\)[\s\S]*install ok installed/);
  assert.ok((await listPushed(space.registry, "app:1")).includes("opt/file"));
});

describe("a command", () => {
  const rows: readonly { readonly what: string; readonly lines: readonly string[]; readonly code?: number; readonly shows: RegExp }[] = [
    { what: "that fails", lines: ["RUN echo x > /x && exit 3"], code: 3, shows: /exit code: 3/ },
    { what: "that ends all processes it can", lines: ["RUN kill -9 -1"], shows: /Pushed/ },
    {
      what: "that removes all of the image",
      lines: ["RUN rm -rf /bin /etc /home /root /usr /var 2>/dev/null; echo > /x"],
      shows: /Pushed/,
    },
    {
      what: "that cannot replace what the container has",
      lines: ["RUN ! ln -sfn /nowhere /etc/resolv.conf && ! mv /proc /x && ! rmdir /sys && ! rm -r /workspace/nothing"],
      shows: /Pushed/,
    },
    {
      what: "that moves a directory with files of the container",
      lines: ["RUN mv /etc /x && mkdir /etc"],
      code: 1,
      shows: /has moved "\/etc"/,
    },
    {
      what: "that writes to the workspace",
      lines: ["RUN touch /workspace/new"],
      shows: /changed "\/workspace", which is this container's own/,
    },
    {
      what: "in the workspace",
      lines: ["WORKDIR /workspace/app", "RUN pwd"],
      code: 1,
      shows: /working directory "\/workspace\/app" lies in/,
    },
    { what: "of an image with files of /kaniko", lines: ["COPY context /kaniko/x", "RUN pwd"], code: 1, shows: /image has "\/kaniko"/ },
    {
      what: "with a mount on the workspace",
      lines: ["RUN --mount=type=tmpfs,target=/workspace/x pwd"],
      code: 1,
      shows: /mount "\/workspace\/x" lies in/,
    },
  ];
  for (const { what, lines, code = 0, shows } of rows)
    test(`${what} leaves the container as it was`, async (t) => {
      const space = await openWorkspace(t, { Dockerfile: ["FROM BASE", ...lines], Next: ["FROM BASE", "RUN ls / > /seen"] });
      if (space === undefined) return;
      const { out, err } = await run(space, `${space.build("Dockerfile")}; echo $?; ${restored} && ${space.build("Next")} && echo again`);
      assert.equal(out, `${code}\n${containers}again\n`, err);
      assert.match(err, shows);
      assert.equal(readFileSync(join(space.workspace, "context"), "utf8"), "of the job\n");
    });
});

describe("SIGKILL during a RUN", () => {
  const lines = ["FROM BASE", "RUN echo x > /made; (setsid sleep 300 &); touch /workspace/started; sleep 300"];
  for (const [what, kill] of [
    ["of the builder", "kill -9 $!; sleep 3"],
    ["of the builder and the helper", "kill -9 $! $(pidof slipway-helper-x86_64 slipway-helper-aarch64); test -e /made"],
  ])
    test(`${what} leaves a container in which the next build is as the first`, async (t) => {
      const space = await openWorkspace(t, { Dockerfile: lines, Next: ["FROM BASE", "RUN test ! -e /made && ls / > /seen"] });
      if (space === undefined) return;
      const wait = "while [ ! -e started ]; do sleep 0.1; done";
      const after = `${restored}; pidof sleep; ls /workspace | tr '\\n' ' '`;
      const { out, err } = await run(space, `${space.build("Dockerfile")} & ${wait}; ${kill} && ${space.build("Next")} && ${after}`);
      assert.equal(out, `${containers}Dockerfile Next context started `, err);
    });
});

describe("where it is not certain to be in the executor image", () => {
  const rows: readonly { readonly what: string; readonly script: string; readonly shows: RegExp }[] = [
    {
      what: "a file that the image does not have",
      script: "mkdir /srv && echo mine > /srv/file",
      shows: /holds "\/srv\/file", which is not/,
    },
    {
      what: "another shell",
      script: "cp /busybox/busybox /bin/sh.new && mv /bin/sh.new /bin/sh",
      shows: /"\/bin\/sh" of this container is not/,
    },
    { what: "no mark", script: "rm /kaniko/executor-image", shows: /inplace": it is for the executor image alone/ },
  ];
  for (const { what, script, shows } of rows)
    test(`it is refused: ${what}`, async (t) => {
      const space = await openWorkspace(t, { Dockerfile: ["FROM BASE", "RUN touch /made"] });
      if (space === undefined) return;
      const { out, err } = await run(space, `${script}; ${space.build("Dockerfile", "--sandbox=inplace")}; ls -d /*`);
      assert.match(err, shows);
      assert.doesNotMatch(out, /made/);
    });

  test("it is refused: a root with a file of its own", async (t) => {
    const space = await openWorkspace(t, { Dockerfile: ["FROM BASE", "RUN touch /made"] });
    if (space === undefined) return;
    const root = await temporaryDirectory(t);
    cpSync(space.image.root, root, { recursive: true, verbatimSymlinks: true });
    writeFileSync(join(root, "mine"), "");
    const { err } = await run(
      { image: { ...space.image, root }, workspace: space.workspace },
      space.build("Dockerfile", "--sandbox=inplace"),
    );
    assert.match(err, /holds "\/mine"/);
    assert.ok(existsSync(join(root, "mine")) && readdirSync(root).includes("mine"));
  });
});
