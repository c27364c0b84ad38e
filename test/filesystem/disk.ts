// What a tree and a directory have in common, written down so that the two can be compared.

import { execFile, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import type { TestContext } from "node:test";
import { promisify } from "node:util";
import { scanDirectory, type Tree } from "../../src/filesystem/filesystem.ts";
import { type Helper, type HelperOptions, type HelperProcess, openHelper } from "../../src/helper/helper.ts";
import type { Attributes } from "../../src/layer/entry.ts";

const run = promisify(execFile);

/** The helper, where this process may give files away and mount; else the test is skipped, except in CI, where it fails. */
export async function rootHelper(t: TestContext): Promise<Helper | undefined> {
  const helper = await openHelper();
  if (process.getuid?.() === 0 && helper !== undefined) return helper;
  if (process.env.CI === "true") throw new Error("this test needs root and the helper");
  t.skip("needs root and the helper");
  return undefined;
}

/** An empty directory that goes when the test ends. */
export async function temporary(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "slipway-fs-"));
  t.after(() => run("rm", ["-rf", "--one-file-system", directory]));
  return directory;
}

export interface DescribeOptions {
  /** Directories' times follow from what happens in them. */
  readonly directoryTimes?: boolean;
  /** Which paths are one file. */
  readonly links?: boolean;
  readonly nanoseconds?: boolean;
}

type Seen = Omit<Attributes, "type"> & { readonly type: string };

function describe(path: string, seen: Seen, sha256: string | undefined, options: DescribeOptions): string {
  const { type, mode, uid, gid, mtime, mtimeNs, size, link, devMajor, devMinor, xattrs } = seen;
  const time = type === "directory" && options.directoryTimes === false ? "" : `${mtime}.${options.nanoseconds === false ? 0 : mtimeNs}`;
  const capability = xattrs?.get("security.capability") ?? "";
  const parts = [
    type,
    mode.toString(8),
    `${uid}:${gid}`,
    time,
    size,
    link,
    `${devMajor},${devMinor}`,
    Buffer.from(capability, "latin1").toString("hex"),
  ];
  return `${JSON.stringify(path)} ${[...parts, sha256 ?? ""].join(" ")}`;
}

/** Numbers files in the order of their first names. */
function numberLinks(): (inode: unknown, isFile: boolean) => string {
  const numbers = new Map<unknown, number>();
  return (inode, isFile) => {
    if (!isFile) return "";
    if (!numbers.has(inode)) numbers.set(inode, numbers.size);
    return ` #${numbers.get(inode)}`;
  };
}

export function describeTree(tree: Tree, options: DescribeOptions = {}): string[] {
  const number = numberLinks();
  return [...tree.walk()].map(({ path, node }) => {
    const link = options.links === false ? "" : number(node.inode ?? node, node.attributes.type === "file");
    return describe(path, node.attributes, node.attributes.size > 0 ? node.sha256 : undefined, options) + link;
  });
}

export interface DirectoryOptions extends DescribeOptions {
  /** Where a file's content can be read; by default in the directory itself. */
  readonly locate?: (path: string) => string;
}

export async function describeDirectory(root: string, helper: Helper, options: DirectoryOptions = {}): Promise<string[]> {
  const { locate = (path: string) => `${root}/${path}` } = options;
  const number = numberLinks();
  const lines: string[] = [];
  for await (const found of scanDirectory(root, { helper })) {
    const sha256 = found.type === "file" && found.size > 0 ? hashOf(locate(found.path)) : undefined;
    const link = options.links === false ? "" : number(found.inode, found.type === "file");
    lines.push(describe(found.path, found, sha256, options) + link);
  }
  return lines;
}

function hashOf(path: string): string {
  return createHash("sha256")
    .update(readFileSync(Buffer.from(path, "latin1")))
    .digest("hex");
}

/**
 * A helper whose `scan` sees lower directories (the lowest first) stacked by overlayfs, in a mount namespace of its own. With an
 * upper directory the script runs in the mounted directory first.
 */
export function stackingHelper(helper: Helper, work: string, lower: readonly string[], script = "true", upper?: string): Helper {
  const mounted = join(work, "merged");
  const writable = upper === undefined ? "" : `upperdir=${upper},workdir=${join(work, "work")},`;
  const options = `${writable}redirect_dir=off,metacopy=off,index=off,lowerdir=${[...lower].reverse().join(":")}:${join(work, "empty")}`;
  const commands = [
    `mkdir -p ${mounted} ${join(work, "work")} ${join(work, "empty")}`,
    `mount -t overlay overlay -o "${options}" ${mounted}`,
    `cd ${mounted}`,
    `{\n${script}\n} >&2`,
    "cd /",
    `${helper.path} scan ${mounted}`,
    `umount ${mounted}`,
  ];
  return { path: helper.path, start: () => wrapHelper(commands.join("\n")) };
}

/** A shell script in a mount namespace of its own, in place of the helper. */
export function wrapHelper(script: string, extraFds: HelperOptions["extraFds"] = []): HelperProcess {
  const child = spawn("unshare", ["-m", "sh", "-ec", script], { stdio: ["pipe", "pipe", "pipe", ...extraFds] });
  const [stdin, stdout, stderr, ...fds] = child.stdio as readonly [Writable, Readable, Readable, ...(Readable | Writable | null)[]];
  const chunks: Buffer[] = [];
  stderr.on("data", (chunk: Buffer) => chunks.push(chunk));
  stdin.on("error", () => {});
  const exited = new Promise<Awaited<HelperProcess["exited"]>>((resolve) =>
    child.on("close", (code, signal) => resolve({ code, signal, stderr: Buffer.concat(chunks).toString() })),
  );
  return { stdin, stdout, fds, kill: () => void child.kill("SIGKILL"), exited };
}
