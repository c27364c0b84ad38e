// What this machine lets a build do: the helper, the state directory, and each sandbox tried.

import { statfs } from "node:fs/promises";
import { openHelper } from "../helper/helper.ts";
import { type SandboxReport, surveySandboxes } from "../sandbox/sandbox.ts";
import { makeStateDirectory } from "./fetching.ts";

export interface DoctorRequest {
  /** Absolute. */
  readonly stateDir: string;
  readonly stateIsPrivate: boolean;
  /** Whether it may be asked. */
  readonly sudo: boolean;
}

export interface Diagnosis {
  /** Its verified file, or why there is none. */
  readonly helper: { readonly path: string } | { readonly problem: string };
  /** What the state directory is on: `ext4`, or the type's number in hexadecimal. */
  readonly fileSystem: string;
  readonly freeBytes: number;
  /** From the strongest to the weakest; none where there is no helper. */
  readonly sandboxes: readonly SandboxReport[];
}

/** As statfs(2) has them. */
const fileSystems: Readonly<Record<number, string>> = {
  61267: "ext4",
  1481003842: "xfs",
  2435016766: "btrfs",
  16914836: "tmpfs",
  2035054128: "overlayfs",
  26985: "nfs",
  1702057286: "fuse",
  16914839: "9p",
  801189825: "zfs",
  4076150800: "f2fs",
};

/** Throws where the state directory cannot be made. */
export async function diagnose(request: DoctorRequest): Promise<Diagnosis> {
  const { stateDir } = request;
  await makeStateDirectory(stateDir);
  const { type, bavail, bsize } = await statfs(stateDir);
  const place = { fileSystem: fileSystems[type] ?? `0x${type.toString(16)}`, freeBytes: bavail * bsize };
  const helper = await openHelper().catch((error: Error) => error);
  if (helper === undefined || helper instanceof Error) {
    const problem = helper?.message ?? `there is no helper program for ${process.platform}/${process.arch}`;
    return { helper: { problem }, ...place, sandboxes: [] };
  }
  return { helper: { path: helper.path }, ...place, sandboxes: await surveySandboxes({ ...request, helper }) };
}
