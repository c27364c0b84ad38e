// The builders that can be measured: Slipway's bundle, and peers from Debian, each from an empty state.

import { join } from "node:path";
import type { MeasureOptions } from "./measure.ts";

export interface BuildTask {
  readonly context: string;
  /** `127.0.0.1:PORT`, plain http. */
  readonly host: string;
  /** `REPOSITORY:TAG` below the host. */
  readonly destination: string;
  /** Empty; removed after the build. */
  readonly state: string;
}

export interface Builder {
  readonly name: string;
  readonly measured: Pick<MeasureOptions, "program" | "own">;
  /** Arguments of one command that builds and pushes. */
  command(task: BuildTask): string[];
}

export function makeSlipway({ node, bundle, sandbox }: { node: string; bundle: string; sandbox: string }): Builder {
  return {
    name: "slipway",
    measured: { program: "node", own: ["node", "slipway-helper"] },
    command: ({ context, host, destination, state }) => [
      ...[node, bundle, "--context", context, "--dockerfile", join(context, "Dockerfile")],
      ...["--build-arg", `REGISTRY=${host}`, "--destination", `${host}/${destination}`, "--insecure-registry", host],
      ...["--state-dir", state, "--sandbox", sandbox],
    ],
  };
}

const buildah: Builder = {
  name: "buildah",
  measured: { program: "buildah", own: ["buildah"] },
  command({ context, host, destination, state }) {
    const store = ["--root", join(state, "root"), "--runroot", join(state, "runroot"), "--storage-driver", "overlay"];
    const build = [
      "bud",
      "--layers",
      "--isolation",
      "chroot",
      "--tls-verify=false",
      "--build-arg",
      `REGISTRY=${host}`,
      "-t",
      "built",
      context,
    ];
    const push = ["push", "--tls-verify=false", "built", `docker://${host}/${destination}`];
    return ["sh", "-c", `${quote(["buildah", ...store, ...build])} && ${quote(["buildah", ...store, ...push])}`];
  },
};

const quote = (words: readonly string[]): string => words.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");

export const peers: ReadonlyMap<string, Builder> = new Map([[buildah.name, buildah]]);
