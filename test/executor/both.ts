// The executor image for both processors under one name, and the one that this machine is not running on its emulator: `npm run image:both`.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { temporaryDirectory } from "../support/build.ts";
import { foreign, openEmulator } from "../support/emulator.ts";
import { openLocalRegistry } from "../support/local-registry.ts";

const repository = fileURLToPath(new URL("../..", import.meta.url));

test("both are pushed, merged into one index, and start", async (t) => {
  const registry = await openLocalRegistry(t);
  const emulate = registry && (await openEmulator(t));
  if (registry === undefined || emulate === undefined) return;
  const directory = await temporaryDirectory(t);
  const node = (...words: string[]) => execFileSync(process.execPath, words, { cwd: repository, stdio: "inherit" });
  const name = `${registry.host}/executor`;
  const images = ["amd64", "arm64"].map((architecture) => {
    const file = join(directory, architecture);
    node("scripts/image.ts", "--arch", architecture, `--destination=${name}:${architecture}`, "--insecure", `--digest-file=${file}`);
    return `${name}@${readFileSync(file, "utf8")}`;
  });
  node("dist/slipway.mjs", "merge", `--destination=${name}:1`, "--insecure", ...images);

  const response = await fetch(`http://${registry.host}/v2/executor/manifests/1`, {
    headers: { accept: "application/vnd.oci.image.index.v1+json" },
  });
  const index = (await response.json()) as { manifests: { platform: { os: string; architecture: string } }[] };
  assert.deepEqual(
    index.manifests.map(({ platform }) => `${platform.os}/${platform.architecture}`),
    ["linux/amd64", "linux/arm64"],
  );

  const [layout, root] = [join(directory, "layout"), join(directory, "root")];
  const copy = ["--override-arch", foreign, "copy", "--quiet", "--src-tls-verify=false", `docker://${name}:1`, `oci:${layout}:1`];
  execFileSync("skopeo", copy, { stdio: "inherit" });
  execFileSync("umoci", ["raw", "unpack", "--image", `${layout}:1`, root], { stdio: "ignore" });
  mkdirSync(join(root, "workspace"), { recursive: true });
  writeFileSync(join(root, "workspace/Dockerfile"), "FROM scratch\nCOPY Dockerfile /made\n");
  const said = await emulate("chroot", [root, "/kaniko/executor", "--no-push", "--tar-path=/workspace/image.tar"]);
  assert.match(said, /wrote {2}\/workspace\/image\.tar/);
  const config = execFileSync("tar", ["-xOf", join(root, "workspace/image.tar"), "--wildcards", "sha256:*"], { encoding: "utf8" });
  assert.match(config, new RegExp(`"architecture":"${foreign}"`));
});
