// Where builds are killed: a workspace and a state directory of their own, and what must hold of both afterwards.

import { type ChildProcess, spawn } from "node:child_process";
import { createHash, randomUUID } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { chown } from "node:fs/promises";
import { join } from "node:path";

export type Rung = "ns" | "userns" | "chroot" | "userns-single" | "chroot-bare";

// A command that is killed fails its step, which must not come to another image.
// One RUN writes files, one leaves daemons behind that ignore signals, one has a cache and a secret.
const dockerfile = `FROM scratch
COPY busybox /bin/busybox
SHELL ["/bin/busybox", "sh", "-ec"]
ENV PATH=/bin
RUN for name in cp dd ln mkdir rm seq setsid sh sleep wc; do busybox ln -s busybox /bin/$name; done
RUN mkdir -p /made/deep; seq 200 >/made/list; while read i; do echo $i >/made/deep/$i; done </made/list; dd if=/bin/busybox of=/made/big bs=64k count=16; rm /made/deep/1; ln /made/big /made/twin
RUN trap '' TERM INT HUP; (setsid sh -c '(sleep 3600 &); sleep 3601' & ); sleep 0.1; echo daemon >/daemon
RUN --mount=type=cache,target=/kept --mount=type=secret,id=token wc -c </run/secrets/token >/made/size; echo more >>/kept/list; sleep 0.1; cp -a /made /copied
`;

const nobody = 65534;

export interface Ended {
  readonly code: number | null;
  readonly err: string;
  /** Of the image; undefined where there is none. */
  readonly digest: string | undefined;
  readonly ms: number;
}

export interface RunningBuild {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
}

export interface Place {
  /** Absolute, and part of a path or of the mounts of every process of a build. */
  readonly directory: string;
  start(): RunningBuild;
  /** Of all that the workspace holds, with modes and times. */
  hashWorkspace(): string;
  /** Files below the state directory that hold the secret's value. */
  findSecret(): string[];
  /** What builds that did not end have left in the state directory. */
  findUnfinished(): string[];
  remove(): void;
}

/** `program` is the bundled builder, in `folder`; `userns-single` is built in as a user with no rights. */
export async function openPlace(rung: Rung, program: string, folder: string): Promise<Place> {
  const directory = mkdtempSync(join(folder, `${rung}-`));
  const [context, state, out] = ["context", "state", "out"].map((name) => join(directory, name)) as [string, string, string];
  for (const made of [context, state, out]) mkdirSync(made);
  const secret = randomUUID().repeat(4);
  const secretFile = join(directory, "token");
  writeFileSync(secretFile, secret, { mode: 0o644 });
  writeFileSync(join(context, "Dockerfile"), dockerfile);
  copyFileSync("/bin/busybox", join(context, "busybox"));
  chmodSync(join(context, "busybox"), 0o755);
  chmodSync(directory, 0o755);
  const isPlain = rung === "userns-single";
  if (isPlain) for (const own of [state, out]) await chown(own, nobody, nobody);
  const prefix = isPlain ? ["setpriv", `--reuid=${nobody}`, `--regid=${nobody}`, "--clear-groups", "--no-new-privs", "--"] : [];
  const flags = [`--context=${context}`, `--state-dir=${state}`, `--sandbox=${rung}`, "--no-push", "--compression-level=1"];
  const fixed = [`--secret=id=token,src=${secretFile}`, "--build-arg=SOURCE_DATE_EPOCH=1500000000", "--rewrite-timestamp"];
  return {
    directory,
    start() {
      const digestFile = join(out, randomUUID());
      const [command = "", ...args] = [...prefix, process.execPath, program, ...flags, ...fixed, `--digest-file=${digestFile}`];
      const env = { PATH: process.env.PATH, HOME: out, TMPDIR: out };
      const began = performance.now();
      const child = spawn(command, args, { cwd: context, env, stdio: ["ignore", "ignore", "pipe"] });
      let err = "";
      child.stderr.on("data", (text) => (err += text));
      // Not its streams' end: what is left over may hold those.
      const ended = new Promise<Ended>((resolve, reject) => {
        child.once("error", reject);
        child.once("exit", (code) => {
          const digest = existsSync(digestFile) ? readFileSync(digestFile, "utf8") : undefined;
          resolve({ code, err, digest, ms: performance.now() - began });
        });
      });
      return { child, ended };
    },
    hashWorkspace() {
      const hash = createHash("sha256");
      for (const name of list(context)) {
        const { mode, uid, gid, size, mtimeMs } = lstatSync(join(context, name));
        hash.update(JSON.stringify([name, mode, uid, gid, size, mtimeMs])).update(readFileSync(join(context, name)));
      }
      return hash.digest("hex");
    },
    findSecret: () => list(state).filter((name) => isFile(join(state, name)) && readFileSync(join(state, name)).includes(secret)),
    findUnfinished() {
      const below = (name: string) => (existsSync(join(state, name)) ? readdirSync(join(state, name)) : []).map((one) => `${name}/${one}`);
      return [...below("work"), ...below("blobs/unfinished"), ...below("layers").filter((name) => name.startsWith("layers/new-"))];
    },
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}

function list(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: "utf8" }).sort();
}

function isFile(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}
