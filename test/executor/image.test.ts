// What is in the executor image: kaniko's contract and nothing else, the same bytes each time, programs that need nothing of the machine.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { version } from "../../src/host/version.ts";
import { temporaryDirectory } from "../support/build.ts";
import { runPod } from "./cluster.ts";
import { openExecutorImage, rebuildExecutorImage } from "./executor-image.ts";

test("its root has kaniko's paths and nothing else", (t) => {
  const image = openExecutorImage(t);
  if (image === undefined) return;
  const show = (path: string) => {
    const stat = lstatSync(join(image.root, path));
    const target = stat.isSymbolicLink() ? ` -> ${readlinkSync(join(image.root, path))}` : "";
    return `${(stat.mode & 0o7777).toString(8)} ${stat.uid}:${stat.gid} ${path}${stat.isDirectory() ? "/" : ""}${target}`;
  };
  const list = (folder: string) => readdirSync(join(image.root, folder)).map((name) => show(join(folder, name)));
  assert.deepEqual(
    [...list(""), ...list("bin"), ...list("kaniko")],
    [
      "755 0:0 bin/",
      "755 0:0 busybox/",
      "1777 0:0 kaniko/",
      "755 0:0 workspace/",
      "777 0:0 bin/sh -> /busybox/sh",
      "777 0:0 kaniko/.docker/",
      "755 0:0 kaniko/dist/",
      "777 0:0 kaniko/executor -> dist/slipway.mjs",
      "644 0:0 kaniko/executor-image",
      "755 0:0 kaniko/git",
      "755 0:0 kaniko/git-core/",
      "755 0:0 kaniko/lib/",
      "755 0:0 kaniko/licenses/",
      "755 0:0 kaniko/node",
      "755 0:0 kaniko/rm",
      "777 0:0 kaniko/slipway -> dist/slipway.mjs",
      "755 0:0 kaniko/ssl/",
      "777 0:0 kaniko/warmer -> dist/slipway.mjs",
    ],
  );
  assert.deepEqual(
    [...list("workspace"), ...list("kaniko/.docker"), ...list("kaniko/ssl/certs")],
    ["644 0:0 kaniko/ssl/certs/ca-certificates.crt"],
  );
  for (const name of ["sh", "cat", "ls", "sed", "tar", "wget"])
    assert.equal(show(join("busybox", name)), `777 0:0 busybox/${name} -> busybox`);
  assert.ok(image.size < 80e6, `${image.size} bytes`);
});

test("its configuration is kaniko's", (t) => {
  const image = openExecutorImage(t);
  if (image === undefined) return;
  assert.deepEqual(image.config, {
    Env: [
      "PATH=/usr/local/bin:/kaniko:/busybox",
      "HOME=/root",
      "USER=root",
      "SSL_CERT_DIR=/kaniko/ssl/certs",
      "DOCKER_CONFIG=/kaniko/.docker/",
      "DOCKER_CREDENTIAL_GCR_CONFIG=/kaniko/.config/gcloud/docker_credential_gcr_config.json",
    ],
    Entrypoint: ["/kaniko/executor"],
    WorkingDir: "/workspace",
    Labels: { "org.opencontainers.image.version": version },
  });
});

test("each package that something is from has its licence there", (t) => {
  const image = openExecutorImage(t);
  if (image === undefined) return;
  const licenses = join(image.root, "kaniko/licenses");
  const [, list = ""] = readFileSync(join(licenses, "debian-packages.txt"), "utf8").split("\n\n");
  const names = list
    .trim()
    .split("\n")
    .map((line) => line.replace(/ .*/, ""));
  for (const name of ["busybox-static", "git", "libc6", "libcurl3-gnutls"]) assert.ok(names.includes(name), name);
  for (const name of names) assert.match(readFileSync(join(licenses, name, "copyright"), "utf8"), /licen[cs]e|copyright/i);
  for (const path of ["node/LICENSE", "slipway/LICENSE", "common-licenses/GPL-2", "../dist/licenses.txt"])
    assert.ok(existsSync(join(licenses, path)), path);
});

test("put together and built again it is the same", async (t) => {
  const image = openExecutorImage(t);
  if (image === undefined) return;
  assert.equal(await rebuildExecutorImage(t), image.digest);
});

test("its programs start, find each other and start quickly", async (t) => {
  const image = openExecutorImage(t);
  if (image === undefined) return;
  const script = [
    "which node slipway warmer git sh cat",
    "sh -c 'echo $0'",
    "/bin/sh -c 'git --version | cut -d. -f1'",
    "node -p process.execPath",
    "node -p \"child_process.execFileSync(process.execPath, ['-p', '1+1']) + 'again'\"",
    "node -e \"dns.lookup('localhost', (error, address) => console.log(address))\"",
    "ls / | tr '\\n' ' '",
  ];
  const { out, err, code } = await runPod(image, { environment: "docker", command: ["/busybox/sh", "-ec"], args: [script.join("\n")] });
  assert.equal(code, 0, err);
  assert.deepEqual(out.split("\n"), [
    ...["/kaniko/node", "/kaniko/slipway", "/kaniko/warmer", "/kaniko/git", "/busybox/sh", "/busybox/cat"],
    "sh",
    "git version 2",
    "/kaniko/node",
    "2",
    "again",
    "127.0.0.1",
    "bin busybox dev etc kaniko proc sys workspace ",
  ]);
});

test("/kaniko works where it is copied to, in an image with nothing but a shell", async (t) => {
  const image = openExecutorImage(t);
  if (image === undefined) return;
  const root = await temporaryDirectory(t);
  for (const name of ["bin", "workspace"]) mkdirSync(join(root, name));
  cpSync(join(image.root, "busybox/busybox"), join(root, "bin/sh"));
  execFileSync("cp", ["-a", join(image.root, "kaniko"), root]);
  const script = "/kaniko/git --version && echo 'FROM scratch' > Dockerfile && exec /kaniko/executor --no-push --tar-path=image.tar";
  const pod = { environment: "docker", command: ["/bin/sh", "-ec"], args: [script] };
  const { out, err, code } = await runPod({ ...image, root }, pod);
  assert.equal(code, 0, err);
  assert.match(out, /^git version 2/);
});

test("slipway version takes less than 150 ms of a processor", (t) => {
  const image = openExecutorImage(t);
  if (image === undefined) return;
  const before = readChildrensTime();
  for (let run = 0; run < 10; run++) {
    const said = execFileSync("chroot", [image.root, "/kaniko/executor", "version"], { encoding: "utf8" });
    assert.match(said, new RegExp(`^slipway ${version}\nnode v24`));
  }
  const took = (readChildrensTime() - before) / 10;
  assert.ok(took <= 150, `${took} ms`);
});

/** Milliseconds of a processor that ended children of this process took, by proc(5): whoever else uses the machine does not count. */
function readChildrensTime(): number {
  const fields = readFileSync("/proc/self/stat", "utf8")
    .replace(/^.*\) /s, "")
    .split(" ");
  return (Number(fields[13]) + Number(fields[14])) * 10;
}
