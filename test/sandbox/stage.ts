// A stage to run commands in: the busybox base of the conformance cases in a sandbox of its own, which the test's end removes.

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { gunzipSync } from "node:zlib";
import { emptyTree, openLayerFiles, type Tree } from "../../src/filesystem/filesystem.ts";
import { openHelper } from "../../src/helper/helper.ts";
import { digestOf } from "../../src/image/encode.ts";
import type { Layer } from "../../src/image/image.ts";
import type { LayerItem } from "../../src/layer/entry.ts";
import { openBlobs, writeLayer } from "../../src/layer/layer.ts";
import type { Event } from "../../src/report/report.ts";
import { type Command, openSandbox, type Root, type Sandbox, type SandboxChoice } from "../../src/sandbox/sandbox.ts";
import { sharedFolder } from "../support/shared.ts";

export const path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

export interface Ran {
  readonly code: number;
  readonly signal: string | undefined;
  readonly hint: string | undefined;
  readonly out: string;
  readonly err: string;
  /** One for each item: type letter, octal mode, uid:gid, path, and where it points. */
  readonly changes: readonly string[];
  readonly items: readonly LayerItem[];
  /** Of the layer that was made of them. */
  readonly diffId: string | undefined;
  /** How long it took until the changes were known, in milliseconds. */
  readonly runMs: number;
}

export type RunOptions = Partial<Omit<Command, "args" | "stdout" | "stderr">> & {
  readonly signal?: AbortSignal;
  onOutput?(text: string): void;
};

export interface Stage {
  readonly sandbox: Sandbox;
  readonly root: Root;
  readonly stateDir: string;
  readonly events: readonly Event[];
  tree(): Tree;
  add(layer: Layer): Promise<void>;
  /** Runs a shell script, or a program with its arguments, and keeps what it changed as the next layer. */
  run(command: string | readonly string[], options?: RunOptions): Promise<Ran>;
}

let base: Layer | undefined;

/** The base, made once by each test process; undefined after the test was marked as skipped. */
export function openBase(test: TestContext): Layer | undefined {
  const conformance = sharedFolder(test, "conformance");
  if (conformance === undefined) return undefined;
  if (base === undefined) {
    const folder = mkdtempSync(join(tmpdir(), "slipway-base-"));
    const file = join(folder, "base.tar.gz");
    execFileSync(join(conformance, "make-base"), [file]);
    base = layerOf(readFileSync(file), "gzip");
    execFileSync("rm", ["-rf", folder]);
  }
  return base;
}

/** A layer that lies in memory. */
export function layerOf(bytes: Buffer, compression: "gzip" | "none"): Layer {
  const tar = compression === "gzip" ? gunzipSync(bytes) : bytes;
  return {
    descriptor: { mediaType: "application/vnd.oci.image.layer.v1.tar", digest: digestOf(bytes), size: bytes.length },
    diffId: `sha256:${createHash("sha256").update(tar).digest("hex")}`,
    compression,
    async *open() {
      yield bytes;
    },
  };
}

export async function openStage(test: TestContext, choice: SandboxChoice, layers: readonly Layer[], stateDir?: string): Promise<Stage> {
  const directory = stateDir ?? mkdtempSync(join(tmpdir(), "slipway-sandbox-"));
  const helper = await openHelper();
  const blobs = await openBlobs(directory);
  const files = openLayerFiles(join(directory, "spool"));
  const events: Event[] = [];
  const report = { emit: (event: Event) => void events.push(event), mask() {} };
  const sandbox = await openSandbox(choice, {
    ...{ stateDir: directory, stateIsPrivate: stateDir === undefined, sudo: true, freshCaches: new Set() },
    ...{ blobs, files, helper, report },
  });
  test.after(async () => {
    await sandbox.close();
    // Another stage may still be open in it, which then removes what is not this user's.
    const removed = stateDir === undefined && rm(directory, { recursive: true, force: true });
    await (process.geteuid?.() === 0 ? removed : Promise.resolve(removed).catch(() => {}));
  });
  const root = await sandbox.openRoot();
  let tree = emptyTree;
  const add = async (layer: Layer) => {
    tree = await root.add(Promise.resolve(layer));
  };
  for (const layer of layers) await add(layer);
  return {
    ...{ sandbox, root, stateDir: directory, events, add },
    tree: () => tree,
    async run(command, { signal, onOutput, ...options } = {}) {
      const [out, err]: [Uint8Array[], Uint8Array[]] = [[], []];
      const take = (list: Uint8Array[]) => (bytes: Uint8Array) => {
        list.push(bytes);
        onOutput?.(Buffer.from(bytes).toString());
      };
      const started = performance.now();
      const result = await root.run(
        {
          args: typeof command === "string" ? ["/bin/sh", "-c", command] : command,
          env: [path],
          cwd: "/",
          user: { uid: 0, gid: 0, groups: [] },
          hostname: "buildkitsandbox",
          network: "default",
          mounts: [],
          ...options,
          stdout: take(out),
          stderr: take(err),
        },
        Promise.resolve(tree),
        signal ?? new AbortController().signal,
      );
      const runMs = performance.now() - started;
      let diffId: string | undefined;
      if (result.exitCode === 0) {
        const { layer, index } = await writeLayer(result.changes, { blobs, compression: "gzip", helper });
        tree = tree.with(index);
        diffId = layer.diffId;
        await result.publish(layer, tree);
      }
      return {
        ...{
          code: result.exitCode,
          signal: result.signal,
          hint: result.hint,
          items: result.changes,
          changes: result.changes.map(lineOf),
          ...{ diffId, runMs },
        },
        ...{ out: Buffer.concat(out).toString(), err: Buffer.concat(err).toString() },
      };
    },
  };
}

function lineOf({ entry: { type, mode, uid, gid, path, link } }: LayerItem): string {
  return `${type} ${mode.toString(8)} ${uid}:${gid} ${path}${link === "" ? "" : ` > ${link}`}`;
}
