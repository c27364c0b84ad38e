// The executor image as the field's pods start it: in its place of kaniko's, with kaniko's command lines, mounts and environment.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { pushBase } from "../end-to-end/program.ts";
import { startGitServer } from "../support/git-server.ts";
import { builderLine, type LocalRegistryOptions } from "../support/local-registry.ts";
import { listPushed, openCluster, type Pod, runInPod, runPod } from "./cluster.ts";

const listTar = (file: string) => execFileSync("tar", ["-tf", file], { encoding: "utf8" }).trim().split("\n");

const isBuilders = (path: string) => /^(?:kaniko|busybox|workspace)\//.test(path);

const copying = { Dockerfile: 'FROM scratch\nCOPY hello /srv/\nCMD ["/srv/hello"]\n', hello: "hello\n" };

const kanikos = (host: string, ...more: string[]) => [
  "--context",
  "dir:///workspace",
  "--dockerfile",
  "Dockerfile",
  "--destination",
  `${host}/app:1`,
  ...more,
];

describe("the entrypoint", () => {
  for (const environment of ["docker", "k8s", "docker-user", "k8s-user", "restricted"])
    test(`pushes what it copied in ${environment}`, async (t) => {
      const cluster = await openCluster(t);
      if (cluster === undefined) return;
      const { image, registry } = cluster;
      const workspace = await cluster.makeVolume(copying);
      const args = kanikos(registry.host, "--insecure", "--digest-file=/workspace/digest");
      const { code, err } = await runPod(image, { environment, args, volumes: { "/workspace": workspace } });
      assert.equal(code, 0, err);
      assert.deepEqual(await listPushed(registry, "app:1"), ["srv/", "srv/hello"]);
      assert.match(readFileSync(join(workspace, "digest"), "utf8"), /^sha256:[0-9a-f]{64}$/);
    });

  test("writes a tar with --no-push", async (t) => {
    const cluster = await openCluster(t);
    if (cluster === undefined) return;
    const workspace = await cluster.makeVolume(copying);
    const args = kanikos("registry.example", "--no-push", "--tarPath", "/workspace/image.tar");
    const { code, err } = await runPod(cluster.image, { environment: "k8s", args, volumes: { "/workspace": workspace } });
    assert.equal(code, 0, err);
    assert.ok(listTar(join(workspace, "image.tar")).includes("manifest.json"));
  });
});

describe("a RUN", () => {
  // What it sees is the image: also where that has files of the names that the builder's have.
  const commands = [
    "RUN test ! -e /kaniko && test ! -e /busybox && test ! -e /workspace",
    "RUN mkdir /kaniko /busybox /workspace && for name in kaniko/executor kaniko/node busybox/sh bin/sh.new; do echo mine > /$name; done",
    "RUN echo changed >> /kaniko/executor && rm /kaniko/node",
  ];
  const places = [["docker"], ["k8s"], ["podman"], ["privileged"], ["privileged", "/tmp"]] as const;
  for (const [environment, volume] of places)
    test(`in ${environment}${volume ? ` with a volume at ${volume}` : ""} sees the image's files alone, and leaves the builder's alone`, async (t) => {
      const cluster = await openCluster(t);
      if (cluster === undefined || !(await pushBase(t, cluster.registry.host))) return;
      const { image, registry } = cluster;
      const { host } = registry;
      const workspace = await cluster.makeVolume({ Dockerfile: [`FROM ${host}/base:1`, ...commands].join("\n") });
      const build = `/kaniko/executor ${kanikos(host, "--insecure", "--insecure-pull").join(" ")}`;
      const script = `${build} && ls -d /* && ! ls -d /kaniko/slipway-* && exec /kaniko/executor version`;
      const volumes = { "/workspace": workspace, ...(volume ? { [volume]: await cluster.makeVolume() } : {}) };
      const pod = { environment, command: ["/busybox/sh", "-ec"], args: [script], volumes };
      const { code, out, err } = await runPod(image, pod);
      assert.equal(code, 0, err);
      const builders = (await listPushed(registry, "app:1")).filter(isBuilders);
      const made = ["busybox/", "busybox/sh", "kaniko/", "kaniko/executor", "kaniko/node", "workspace/"];
      assert.deepEqual(builders.sort(), [...made, "kaniko/", "kaniko/executor", "kaniko/.wh.node"].sort());
      const roots = ["bin", "busybox", "dev", "etc", "kaniko", "proc", "sys", ...(volume ? ["tmp"] : []), "workspace"];
      assert.equal(out.replace(/^slipway .*/ms, ""), roots.map((name) => `/${name}\n`).join(""));
    });
});

test("the builder as the first process of its container leaves no process behind a RUN", async (t) => {
  const cluster = await openCluster(t);
  if (cluster === undefined || !(await pushBase(t, cluster.registry.host))) return;
  const { host } = cluster.registry;
  const lines = [`FROM ${host}/base:1`, "RUN true", "RUN true", "RUN sleep 0.3; ! grep '^State:.*Z' /proc/[0-9]*/status"];
  const volumes = { "/workspace": await cluster.makeVolume({ Dockerfile: lines.join("\n") }), "/tmp": await cluster.makeVolume() };
  const { code, err } = await runPod(cluster.image, { environment: "k8s", args: kanikos(host, "--insecure", "--insecure-pull"), volumes });
  assert.equal(code, 0, err);
  assert.match(err, /sandbox: userns: .* in sight/);
});

describe("a pod", () => {
  interface Row {
    readonly what: string;
    readonly registry?: LocalRegistryOptions;
    readonly pod: (host: string) => Omit<Pod, "environment" | "volumes">;
    /** Path in the container → files there. */
    readonly volumes?: (host: string) => Readonly<Record<string, Readonly<Record<string, string>>>>;
  }
  const login = (host: string) => JSON.stringify({ auths: { [host]: { auth: Buffer.from("builder:secret").toString("base64") } } });
  const rows: readonly Row[] = [
    {
      what: "of GitLab, whose script runs in sh",
      pod: (host) => ({ command: ["sh", "-c"], args: [`/kaniko/executor ${kanikos(host, "--insecure").join(" ")}`] }),
    },
    {
      what: "of Buildkite, whose hook writes config.json",
      registry: { htpasswd: builderLine },
      pod: (host) => ({
        command: ["/busybox/sh", "-c"],
        args: [`echo '${login(host)}' > /kaniko/.docker/config.json && /kaniko/executor ${kanikos(host, "--insecure").join(" ")}`],
      }),
    },
    {
      what: "with a secret mounted at /kaniko/.docker",
      registry: { htpasswd: builderLine },
      pod: (host) => ({ args: kanikos(host, "--insecure") }),
      volumes: (host) => ({ "/kaniko/.docker": { "config.json": login(host) } }),
    },
    {
      what: "with a company's authority appended below /kaniko/ssl/certs",
      registry: { tls: true },
      pod: (host) => ({
        command: ["/busybox/sh", "-c"],
        args: [`cat /ca/ca.pem >> /kaniko/ssl/certs/additional-ca-cert-bundle.crt && /kaniko/executor ${kanikos(host).join(" ")}`],
      }),
    },
    {
      what: "with a company's authority mounted below /kaniko/ssl/certs",
      registry: { tls: true },
      pod: (host) => ({ args: kanikos(host) }),
      volumes: () => ({ "/kaniko/ssl/certs": {} }),
    },
  ];
  for (const { what, registry: options, pod, volumes } of rows)
    test(what, async (t) => {
      const cluster = await openCluster(t, options);
      if (cluster === undefined) return;
      const { image, registry } = cluster;
      const authority = registry.certificate === "" ? "" : readFileSync(registry.certificate, "utf8");
      const mounted: Record<string, string> = {
        "/workspace": await cluster.makeVolume(copying),
        "/ca": await cluster.makeVolume({ "ca.pem": authority }),
      };
      for (const [path, files] of Object.entries(volumes?.(registry.host) ?? {}))
        mounted[path] = await cluster.makeVolume(path.endsWith("certs") ? { "company.crt": authority } : files);
      const { code, err } = await runPod(image, { environment: "k8s", ...pod(registry.host), volumes: mounted });
      assert.equal(code, 0, err);
      assert.match(err, /Pushed .*\/app@sha256:/);
    });

  test("of Jenkins, which /busybox/cat keeps while builds are started in it", async (t) => {
    const cluster = await openCluster(t);
    if (cluster === undefined) return;
    const workspace = await cluster.makeVolume(copying);
    const terminal = join(workspace, "terminal");
    execFileSync("mkfifo", [terminal]);
    const pod = runPod(cluster.image, {
      environment: "k8s",
      command: ["/busybox/cat"],
      args: ["/workspace/terminal"],
      volumes: { "/workspace": workspace },
    });
    const args = kanikos(cluster.registry.host, "--insecure");
    const { code, err } = await runInPod(workspace, ["/kaniko/executor", ...args]);
    writeFileSync(terminal, "");
    assert.equal(code, 0, err);
    assert.equal((await pod).code, 0);
    assert.deepEqual(await listPushed(cluster.registry, "app:1"), ["srv/", "srv/hello"]);
  });

  test("with a git repository on https as its context, submodules and all", async (t) => {
    const cluster = await openCluster(t);
    if (cluster === undefined) return;
    const git = await startGitServer(t, undefined, true);
    const workspace = await cluster.makeVolume({ Dockerfile: "FROM scratch\nCOPY . /\n", "ca.pem": readFileSync(git.certificate, "utf8") });
    const context = git.url("smart").replace("https:", "git:");
    const args = [
      `--context=${context}`,
      "--dockerfile=/workspace/Dockerfile",
      `--destination=${cluster.registry.host}/app:1`,
      "--insecure",
      "--git=recurse-submodules=true",
    ];
    const script = `cat ca.pem >> /kaniko/ssl/certs/additional-ca-cert-bundle.crt && exec /kaniko/executor ${args.join(" ")}`;
    const { code, err } = await runPod(cluster.image, {
      environment: "docker",
      command: ["/busybox/sh", "-c"],
      args: [script],
      volumes: { "/workspace": workspace },
    });
    assert.equal(code, 0, err);
    const paths = await listPushed(cluster.registry, "app:1");
    assert.deepEqual(
      paths.filter((path) => !path.endsWith("/")),
      [".gitmodules", "bin/tool", "deps/sub/lib.txt", "file", "link"],
    );
  });

  for (const [kind, program] of [
    ["xz", "xz"],
    ["bz2", "bzip2"],
    ["zst", "zstd"],
    ["gz", "gzip"],
  ] as const)
    test(`with an archive as its context: .tar.${kind}`, async (t) => {
      const cluster = await openCluster(t);
      if (cluster === undefined) return;
      const workspace = await cluster.makeVolume();
      const source = await cluster.makeVolume(copying);
      execFileSync("tar", ["-cf", join(workspace, "context"), `--use-compress-program=${program}`, "-C", source, "Dockerfile", "hello"]);
      const args = ["--context=tar:///workspace/context", `--destination=${cluster.registry.host}/app:1`, "--insecure"];
      const { code, err } = await runPod(cluster.image, { environment: "k8s", args, volumes: { "/workspace": workspace } });
      assert.equal(code, 0, err);
      assert.deepEqual(await listPushed(cluster.registry, "app:1"), ["srv/", "srv/hello"]);
    });

  test("that the warmer has filled /cache for", async (t) => {
    const cluster = await openCluster(t);
    if (cluster === undefined || !(await pushBase(t, cluster.registry.host))) return;
    const { image, registry } = cluster;
    const volumes = {
      "/cache": await cluster.makeVolume(),
      "/workspace": await cluster.makeVolume({ Dockerfile: `FROM ${registry.host}/base:1\nRUN echo x > /made\n` }),
    };
    const warmer = ["--cache-dir=/cache", `--image=${registry.host}/base:1`, "--insecure-pull"];
    const warmed = await runPod(image, { environment: "k8s", command: ["/kaniko/warmer"], args: warmer, volumes });
    assert.equal(warmed.code, 0, warmed.err);
    const before = registry.requests().length;
    const args = kanikos(registry.host, "--insecure", "--insecure-pull", "--cache", "--cache-dir=/cache");
    const built = await runPod(image, { environment: "k8s", args, volumes });
    assert.equal(built.code, 0, built.err);
    const read = registry
      .requests()
      .slice(before)
      .filter(({ method, uri, written }) => method === "GET" && /^\/v2\/base\/blobs/.test(uri) && written > 100_000);
    assert.deepEqual(read, []);
    assert.ok((await listPushed(registry, "app:1")).includes("made"));
  });
});
