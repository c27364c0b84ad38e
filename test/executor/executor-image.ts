// The executor image of the sources as they are, built once for all tests of it and unpacked.

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { needsRoot } from "../sandbox/root.ts";
import { temporaryDirectory } from "../support/build.ts";
import { sharedFolder } from "../support/shared.ts";

const repository = fileURLToPath(new URL("../..", import.meta.url));
const place = join(repository, "build/image/tested");

export interface ExecutorImage {
  /** Its files, unpacked by umoci. */
  readonly root: string;
  /** Compressed, in bytes. */
  readonly size: number;
  readonly digest: string;
  readonly config: {
    readonly Entrypoint: readonly string[];
    readonly Env: readonly string[];
    readonly WorkingDir: string;
    readonly Labels: Readonly<Record<string, string>>;
  };
}

/** undefined after the test was marked as skipped. */
export function openExecutorImage(test: TestContext): ExecutorImage | undefined {
  if (!needsRoot(test) || sharedFolder(test, "environments") === undefined) return undefined;
  for (const program of ["patchelf", "umoci", "runc"]) {
    const found = (process.env.PATH ?? "").split(":").some((folder) => existsSync(join(folder, program)));
    if (found) continue;
    if (process.env.CI) throw new Error(`${program} is missing: apt-get install ${program}`);
    test.skip(`${program} is not installed`);
    return undefined;
  }
  const layout = join(place, nameSources());
  if (!existsSync(join(layout, "rootfs"))) {
    mkdirSync(place, { recursive: true });
    // Files of tests run at the same time: the second waits, and finds the image.
    buildLocked(
      '[ -e "$1/rootfs" ] || { rm -rf "$2"/* && build --oci-layout-path="$1" && umoci raw unpack --image "$1:1" "$1/new" && mv "$1/new" "$1/rootfs"; }',
      layout,
    );
  }
  const read = (digest: string) => JSON.parse(readFileSync(join(layout, "blobs", digest.replace(":", "/")), "utf8"));
  const { digest } = JSON.parse(readFileSync(join(layout, "index.json"), "utf8")).manifests[0];
  const manifest: { config: { digest: string }; layers: { size: number }[] } = read(digest);
  const size = manifest.layers.reduce((sum, layer) => sum + layer.size, 0);
  return { root: join(layout, "rootfs"), size, digest, config: read(manifest.config.digest).config };
}

function buildLocked(script: string, path: string): void {
  const words = ["sh", "-c", `build() { node scripts/image.ts --no-push --destination=executor:1 "$@"; }; ${script}`, "sh", path, place];
  const env = { ...process.env, PATH: `${dirname(process.execPath)}:${process.env.PATH}` };
  execFileSync("flock", [`${place}.lock`, ...words], { cwd: repository, stdio: "pipe", env });
}

/** The digest of the image when it is put together and built once more. */
export async function rebuildExecutorImage(test: TestContext): Promise<string> {
  const file = join(await temporaryDirectory(test), "digest");
  buildLocked('build --digest-file="$1"', file);
  return readFileSync(file, "utf8");
}

/** Changes with all that the image is made of. */
function nameSources(): string {
  const hash = createHash("sha256");
  for (const name of ["src", "scripts", "image", "package-lock.json", "dist/manifest.json"]) {
    const path = join(repository, name);
    const files = statSync(path).isDirectory() ? readdirSync(path, { recursive: true, encoding: "utf8" }).sort() : [""];
    for (const file of files.map((one) => join(path, one))) if (statSync(file).isFile()) hash.update(file).update(readFileSync(file));
  }
  return hash.digest("hex").slice(0, 16);
}
