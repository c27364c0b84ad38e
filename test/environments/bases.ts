// The images that the battery begins with: Debian roots made once by mmdebstrap, as OCI layouts that the builder itself writes.

import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, linkSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export type BaseName = "busybox" | "packages" | "programs";

interface DebianRoot {
  readonly include: string;
  /** Of mmdebstrap, each a line for a shell with the root as $1. */
  readonly hooks: readonly string[];
}

/** What is installed in RUNs: kept in the image, as an archive that apt reads without a network. */
const archived = "hello cron sudo iputils-ping libcap2-bin python3 git curl";

/** A change of these needs another name. */
const roots: Readonly<Record<Exclude<BaseName, "busybox">, DebianRoot>> = {
  packages: {
    include: "ca-certificates,passwd",
    hooks: [
      `chroot "$1" apt-get -qq install -y --no-install-recommends --download-only ${archived}`,
      'mkdir "$1/archive" && mv "$1"/var/cache/apt/archives/*.deb "$1/archive/"',
      'cd "$1/archive" && for f in *.deb; do dpkg-deb -f "$f"; echo "Filename: ./$f"; echo "Size: $(stat -c %s "$f")"; echo "SHA256: $(sha256sum <"$f" | cut -c1-64)"; echo; done >Packages',
      'echo "deb [trusted=yes] file:/archive ./" >"$1/etc/apt/sources.list"; rm -f "$1"/etc/apt/sources.list.d/*',
    ],
  },
  programs: { include: "ca-certificates,openjdk-17-jre-headless,python3,git,procps", hooks: [] },
};

const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "slipway-environments");
/** Java's package needs the directories of manuals. */
const unneeded = ["doc", "locale"].flatMap((name) => [`--dpkgopt=path-exclude=/usr/share/${name}/*`]);

/** The tar of a Debian root; needs the machine's apt mirror where it is not there yet. */
export function debianRoot(name: keyof typeof roots): string {
  const { include, hooks } = roots[name];
  const file = join(cache, `${name}.tar`);
  if (existsSync(file)) return file;
  mkdirSync(cache, { recursive: true });
  console.error(`Making the base "${name}" with mmdebstrap, once`);
  const options = ["--variant=minbase", `--include=${include}`, ...unneeded, ...hooks.map((hook) => `--customize-hook=${hook}`)];
  execFileSync("mmdebstrap", ["--quiet", ...options, "bookworm", `${file}.part.tar`], { stdio: ["ignore", "ignore", "inherit"] });
  renameSync(`${file}.part.tar`, file);
  return file;
}

/** Writes an image's OCI layout to `folder`/NAME, by the builder. */
export function makeBase(name: BaseName, folder: string, tools: { readonly build: readonly string[]; readonly data: string }): string {
  const [context, layout] = [join(folder, `${name}-context`), join(folder, name)];
  mkdirSync(context);
  const lines = ["FROM scratch", "ADD root.tar /", "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"];
  const root = join(context, "root.tar");
  if (name === "busybox") execFileSync(join(tools.data, "conformance/make-base"), [root], { stdio: ["ignore", "ignore", "inherit"] });
  else copyFile(debianRoot(name), root);
  if (name === "programs") lines.push(`COPY --chmod=755 ${addPrograms(context).join(" ")} /usr/local/bin/`);
  writeFileSync(join(context, "Dockerfile"), `${lines.join("\n")}\n`);
  const [program = "", ...words] = tools.build;
  const flags = [`--context=${context}`, `--oci-layout-path=${layout}`, "--no-push", "--compression-level=1"];
  execFileSync(program, [...words, ...flags], { stdio: ["ignore", "ignore", "pipe"] });
  rmSync(context, { recursive: true });
  return layout;
}

function copyFile(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch {
    copyFileSync(from, to); // another file system
  }
}

/** What is no package: Node, and a program that is linked to nothing. */
function addPrograms(context: string): string[] {
  copyFileSync(process.execPath, join(context, "node"));
  const go = ["/usr/local/go/bin/go", "/usr/bin/go"].find(existsSync);
  if (go === undefined) throw new Error('Cannot make the base "programs": there is no Go (apt-get install golang-go)');
  const source = fileURLToPath(new URL("static.go", import.meta.url));
  const env = { ...process.env, CGO_ENABLED: "0", GO111MODULE: "off", GOCACHE: join(context, "go-cache") };
  execFileSync(go, ["build", "-o", join(context, "static"), source], { env, stdio: ["ignore", "ignore", "inherit"] });
  return ["node", "static"];
}
