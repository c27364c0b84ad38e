// Which foreign platforms' programs this machine can run.

import { readdir, readFile } from "node:fs/promises";
import { hostPlatform, type Platform } from "../image/platform.ts";

const registrations = "/proc/sys/fs/binfmt_misc";

/** By what stands in an ELF header: class, byte order and machine. */
const architectures: Readonly<Record<string, string>> = {
  "1 1 3": "386",
  "1 1 8": "mipsle",
  "1 1 40": "arm",
  "1 2 8": "mips",
  "2 1 8": "mips64le",
  "2 1 21": "ppc64le",
  "2 1 62": "amd64",
  "2 1 183": "arm64",
  "2 1 243": "riscv64",
  "2 1 258": "loong64",
  "2 2 8": "mips64",
  "2 2 21": "ppc64",
  "2 2 22": "s390x",
};

/** Architectures for which an interpreter is registered and enabled, whatever it is called. */
export async function findEmulators(): Promise<readonly string[]> {
  const names = await readdir(registrations).catch(() => []);
  const texts = await Promise.all(names.map((name) => readFile(`${registrations}/${name}`, "utf8").catch(() => "")));
  return texts.flatMap((text) => emulatedArchitecture(text) ?? []);
}

/** What programs a registration is for, if it is enabled: https://docs.kernel.org/admin-guide/binfmt-misc.html */
export function emulatedArchitecture(registration: string): string | undefined {
  const magic = /^offset 0\nmagic (7f454c46(?:[0-9a-f]{2}){16,})$/m.exec(registration)?.[1];
  if (magic === undefined || !registration.startsWith("enabled\n")) return undefined;
  const bytes = Buffer.from(magic, "hex");
  const machine = bytes[5] === 2 ? bytes.readUInt16BE(18) : bytes.readUInt16LE(18);
  return architectures[`${bytes[4]} ${bytes[5]} ${machine}`];
}

/** Whether commands for a platform run here, by the processor itself or by an emulator. */
export function canRun(platform: Platform, emulators: readonly string[]): boolean {
  const host = hostPlatform();
  if (platform.os !== host.os) return false;
  if (platform.architecture === host.architecture || emulators.includes(platform.architecture)) return true;
  return host.architecture === "amd64" && platform.architecture === "386";
}
