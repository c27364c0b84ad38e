// What is built is the same image by every route and from every sandbox, and it runs.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { needsRoot } from "../sandbox/root.ts";
import { openRegistryWithBase, openWorkshop, type Workshop } from "./program.ts";

const programs = ["skopeo", "umoci", "podman", "runc"];

const dockerfile = (host: string) => `FROM ${host}/base:1 AS build
WORKDIR /src
COPY app .
RUN sed 's/NAME/world/' greet > /greet && chown 33:33 /greet && chmod 4755 /greet
RUN mkdir -p /made/deep && ln /greet /made/deep/link && ln -s ../../greet /made/deep/symbolic && chmod 1777 /made/deep && mkfifo /made/pipe

FROM ${host}/base:1
COPY --from=build /greet /usr/bin/greet
COPY --from=build --chown=www-data:mail /made /made/
RUN rm -r /home && rm /etc/group && mkdir /home && echo new > /home/new && touch -d @1 /home/new && chmod 600 /etc/passwd
RUN rm -r /home && mkdir /home && chown 8:8 /home
ENV WHO=everyone
USER www-data
WORKDIR /work/here
ENTRYPOINT ["/usr/bin/greet"]
`;

const files = (host: string) => ({
  Dockerfile: dockerfile(host),
  "app/greet": '#!/bin/sh\necho "hello NAME and $WHO, $(id -u) in $(pwd)"\n',
});

/** One line for each file below a root: type, mode, owner, path, content or target; hard links by the first of their names. */
function listTree(root: string): string[] {
  const first = new Map<number, string>();
  const walk = (path: string): string[] => {
    const stat = lstatSync(join(root, path));
    const type = stat.isDirectory() ? "d" : stat.isSymbolicLink() ? "l" : stat.isFIFO() ? "p" : stat.isFile() ? "f" : "other";
    const head = `${type} ${(stat.mode & 0o7777).toString(8)} ${stat.uid}:${stat.gid} ${path}`;
    if (type === "d")
      return [
        head,
        ...readdirSync(join(root, path))
          .sort()
          .flatMap((name) => walk(join(path, name))),
      ];
    if (type === "l") return [`${head} -> ${readlinkSync(join(root, path))}`];
    if (type !== "f") return [head];
    const known = first.get(stat.ino);
    if (known !== undefined) return [`${head} = ${known}`];
    first.set(stat.ino, path);
    return [
      `${head} ${createHash("sha256")
        .update(readFileSync(join(root, path)))
        .digest("hex")}`,
    ];
  };
  return walk(".");
}

function run(program: string, ...args: string[]): string {
  return execFileSync(program, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}

function unpack(layout: string, bundle: string): string[] {
  run("umoci", "unpack", "--image", layout, bundle);
  return listTree(join(bundle, "rootfs"));
}

/** Loads the tar with podman, into a storage of its own, and reads what a container of it would see. */
function loadWithPodman(folder: string, tar: string): string[] {
  const storage = ["--storage-driver", "vfs", "--root", join(folder, "root"), "--runroot", join(folder, "run")];
  const podman = (...args: string[]) => run("podman", ...storage, ...args).trim();
  podman("load", "-q", "-i", tar);
  const [id = ""] = podman("images", "-q").split("\n");
  const root = podman("image", "mount", id);
  try {
    return listTree(root);
  } finally {
    podman("image", "unmount", "--force", id);
  }
}

function start(test: TestContext, bundle: string): string {
  const file = join(bundle, "config.json");
  const config = JSON.parse(readFileSync(file, "utf8"));
  config.process.terminal = false;
  // The base's own tar says 0700 of its root, since it was packed from a temporary directory; container runtimes do not ask it.
  chmodSync(join(bundle, "rootfs"), 0o755);
  writeFileSync(file, JSON.stringify(config));
  const name = `slipway-test-${process.pid}`;
  test.after(() => execFileSync("sh", ["-c", `runc delete --force ${name} 2> /dev/null || true`]));
  return run("runc", "run", "--bundle", bundle, name);
}

interface Built {
  readonly tree: string[];
  readonly said: string;
}

/** Builds, pushes, and unpacks what was pushed; of the stronger sandbox, what the tar and the layout hold must be the same. */
async function buildWith(test: TestContext, workshop: Workshop, host: string, sandbox: string): Promise<Built> {
  const tag = `${host}/app:${sandbox}`;
  const place = (name: string) => join(workshop.directory, `${sandbox}-${name}`);
  const [tar, layout] = [place("tar"), place("layout")];
  const args = ["--insecure", `--destination=${tag}`, `--tar-path=${tar}`, `--oci-layout-path=${layout}`, `--sandbox=${sandbox}`];
  const ended = await workshop.run(files(host), args);
  assert.equal(ended.code, 0, ended.err);
  await workshop.assertNothingLeft("864951");
  run("skopeo", "copy", "--src-tls-verify=false", `docker://${tag}`, `oci:${place("pulled")}:x`);
  const tree = unpack(`${place("pulled")}:x`, place("bundle"));
  if (sandbox === "ns") {
    run("skopeo", "copy", `docker-archive:${tar}`, `oci:${place("loaded")}:x`);
    assert.deepEqual(unpack(`${place("loaded")}:x`, place("loaded-bundle")), tree, "the tar, unpacked by umoci");
    run("skopeo", "copy", `oci:${layout}`, `oci:${place("written")}:x`);
    assert.deepEqual(unpack(`${place("written")}:x`, place("written-bundle")), tree, "the layout, unpacked by umoci");
    mkdirSync(place("podman"));
    assert.deepEqual(loadWithPodman(place("podman"), tar), tree, "the tar, loaded by podman");
  }
  return { tree, said: start(test, place("bundle")) };
}

test("an image of both sandboxes is equal by every route, and runs", async (t) => {
  const host = needsRoot(t) ? await openRegistryWithBase(t) : undefined;
  if (host === undefined) return;
  const missing = programs.filter((program) => !isThere(program));
  if (missing.length > 0 && process.env.CI) throw new Error(`Programs are missing: apt-get install ${missing.join(" ")}`);
  if (missing.length > 0) return t.skip(`not installed: ${missing.join(", ")}`);
  const workshop = await openWorkshop(t);
  const ns = await buildWith(t, workshop, host, "ns");
  const bare = await buildWith(t, workshop, host, "chroot-bare");
  assert.deepEqual(bare.tree, ns.tree);
  for (const { said } of [ns, bare]) assert.equal(said, "hello world and everyone, 33 in /work/here\n");
  const own = ns.tree
    .filter((line) => /(greet|made|home|etc\/group|etc\/passwd|work)/.test(line))
    .map((line) => line.replace(/ [0-9a-f]{64}$/, ""));
  assert.deepEqual(own, [
    "f 600 0:0 etc/passwd",
    "d 755 8:8 home",
    "d 755 33:8 made",
    "d 1777 33:8 made/deep",
    "f 4755 33:8 made/deep/link",
    "l 777 33:8 made/deep/symbolic -> ../../greet",
    "p 644 33:8 made/pipe",
    "f 4755 33:33 usr/bin/greet",
    "d 755 33:33 work",
    "d 755 33:33 work/here",
  ]);
});

function isThere(program: string): boolean {
  try {
    run("sh", "-c", `command -v ${program}`);
    return true;
  } catch {
    return false;
  }
}
