// The pods of examples/kubernetes do what they say, started as a cluster starts them.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { pushBase } from "../end-to-end/program.ts";
import { startGitServer } from "../support/git-server.ts";
import { type Cluster, listPushed, openCluster } from "./cluster.ts";
import { type EndedContainer, type Objects, startPods } from "./kubelet.ts";

const folder = fileURLToPath(new URL("../../examples/kubernetes/", import.meta.url));

const login = (host: string) => ({
  regcred: { ".dockerconfigjson": JSON.stringify({ auths: { [host]: { auth: Buffer.from("builder:secret").toString("base64") } } }) },
});

const sources = (host: string) => ({ Dockerfile: `FROM ${host}/base:1\nCOPY hello /srv/\nRUN cat /srv/hello > /made\n`, hello: "hello\n" });
const withoutRun = (host: string) => ({ ...sources(host), Dockerfile: `FROM ${host}/base:1\nCOPY --chown=mail hello /srv/\n` });

interface Row {
  readonly file: string;
  /** The pods are started so many times. */
  readonly times?: number;
  readonly objects?: (cluster: Cluster) => Promise<Objects>;
  /** Containers that ended well each time. */
  readonly ended: readonly string[];
  /** Of `app:1`. */
  readonly paths: RegExp;
  readonly last?: (container: EndedContainer | undefined, cluster: Cluster) => void;
}

const rows: readonly Row[] = [
  {
    file: "pod.yaml",
    objects: async ({ registry }) => ({ secrets: login(registry.host) }),
    ended: ["build/build"],
    paths: /etc\/motd/,
  },
  {
    file: "non-root.yaml",
    objects: async ({ registry, makeVolume }) => ({
      secrets: login(registry.host),
      claims: { sources: await makeVolume(withoutRun(registry.host)) },
    }),
    ended: ["build/build"],
    paths: /srv\/hello/,
  },
  {
    file: "few-capabilities.yaml",
    objects: async ({ registry, makeVolume }) => ({
      secrets: login(registry.host),
      claims: { sources: await makeVolume(sources(registry.host)) },
    }),
    ended: ["build/build"],
    paths: /srv\/hello[\s\S]*made/,
    last: (container) => assert.match(container?.err ?? "", /sandbox: inplace: /),
  },
  {
    file: "persistent-volume.yaml",
    times: 2,
    objects: async ({ registry, makeVolume }) => ({
      claims: { sources: await makeVolume(sources(registry.host)), layers: await makeVolume() },
    }),
    ended: ["build/build"],
    paths: /srv\/hello[\s\S]*made/,
    last: (container) => {
      assert.match(container?.message ?? "", /^sha256:[0-9a-f]{64}$/);
      assert.match(container?.err ?? "", /RUN .*\n.* cached,/);
    },
  },
  {
    file: "warmer.yaml",
    objects: async ({ registry, makeVolume }) => ({
      claims: { sources: await makeVolume(sources(registry.host)), bases: await makeVolume() },
    }),
    ended: ["warm/warm", "build/build"],
    paths: /srv\/hello[\s\S]*made/,
    last: (_, { registry }) => {
      const read = registry
        .requests()
        .filter(({ method, uri, written }) => method === "GET" && /^\/v2\/base\/blobs/.test(uri) && written > 100_000);
      assert.equal(read.length, 1, "the base was downloaded once, by the warmer");
    },
  },
  { file: "git.yaml", objects: async () => ({ secrets: { git: { password: "secret" } } }), ended: ["build/build"], paths: /app\/file/ },
  {
    file: "init-container.yaml",
    ended: ["build/clone", "build/build"],
    paths: /app\/file/,
    last: (container) => assert.match(container?.out ?? "", /^built from [0-9a-f]{40}\n$/),
  },
];

async function openGit(t: TestContext, file: string) {
  const isSecret = file === "git.yaml";
  const server = await startGitServer(t, isSecret ? `basic ${Buffer.from("builder:secret").toString("base64")}` : undefined, true);
  return { address: server.url("smart", "app").replace("https://", ""), authority: readFileSync(server.certificate, "utf8") };
}

for (const { file, times = 1, objects, ended, paths, last } of rows)
  test(file, async (t) => {
    const cluster = await openCluster(t);
    if (cluster === undefined || !(await pushBase(t, cluster.registry.host))) return;
    const git = await openGit(t, file);
    const names = { "registry.example": cluster.registry.host, "git.example/team/app.git": git.address };
    const given = { configMaps: { company: { "company.crt": git.authority } }, ...(await objects?.(cluster)) };
    let containers: EndedContainer[] = [];
    for (let time = 0; time < times; time++) {
      containers = await startPods(cluster, `${folder}${file}`, names, given);
      assert.deepEqual(
        containers.map(({ name, code }) => ({ name, code })),
        ended.map((name) => ({ name, code: 0 })),
        containers.at(-1)?.err,
      );
    }
    assert.match((await listPushed(cluster.registry, "app:1")).join("\n"), paths);
    last?.(containers.at(-1), cluster);
  });

test("every example is tried", () => assert.deepEqual(rows.map(({ file }) => file).sort(), readdirSync(folder).sort()));
