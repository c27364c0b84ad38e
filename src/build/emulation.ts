// Which foreign platforms' programs this machine can run.

import { readdir, readFile } from "node:fs/promises";
import { hostPlatform, type Platform } from "../image/platform.ts";

const registrations = "/proc/sys/fs/binfmt_misc";
/** Architectures by the names of QEMU's programs, where they differ. */
const names: Readonly<Record<string, string>> = { aarch64: "arm64", x86_64: "amd64", i386: "386", mips64el: "mips64le", mipsel: "mipsle" };

/** Architectures for which an interpreter is registered and enabled: https://docs.kernel.org/admin-guide/binfmt-misc.html */
export async function findEmulators(): Promise<readonly string[]> {
  const found: string[] = [];
  for (const name of await readdir(registrations).catch(() => [])) {
    const program = /^qemu-(.+)$/.exec(name)?.[1];
    if (program === undefined) continue;
    const state = await readFile(`${registrations}/${name}`, "utf8").catch(() => "");
    if (state.startsWith("enabled")) found.push(names[program] ?? program);
  }
  return found;
}

/** Whether commands for a platform run here, by the processor itself or by an emulator. */
export function canRun(platform: Platform, emulators: readonly string[]): boolean {
  const host = hostPlatform();
  if (platform.os !== host.os) return false;
  if (platform.architecture === host.architecture || emulators.includes(platform.architecture)) return true;
  return host.architecture === "amd64" && platform.architecture === "386";
}
