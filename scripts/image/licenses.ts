// The licences of Debian's packages that the image has something of, and which versions those are: by these their sources are found.

import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, realpathSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { DebianPackage } from "./packages.ts";

const introduction = `This image has files of these packages of Debian, unchanged but for stripped symbols and library paths.
Their licences lie in the folders beside this file, the texts that those refer to in common-licenses.
The source of each is at https://snapshot.debian.org under its name and version.

`;

export function putLicenses(target: string, packages: readonly DebianPackage[], used: ReadonlySet<DebianPackage>): void {
  const shipped = packages.filter((one) => used.has(one));
  for (const { name } of shipped) copy(findCopyright(packages, name), join(target, name, "copyright"));
  // Debian's statements name it there.
  const common = packages.map(({ folder }) => join(folder, "usr/share/common-licenses")).find((folder) => existsSync(folder)) ?? "";
  for (const name of readdirSync(common)) copy(realpathSync(join(common, name)), join(target, "common-licenses", name));
  const lines = shipped.map(({ name, version }) => `${name} ${version}\n`);
  writeFileSync(join(target, "debian-packages.txt"), introduction + lines.join(""), { mode: 0o644 });
}

/** Packages of one source may share a folder: libgcc-s1's is a link to that of gcc-12-base. */
function findCopyright(packages: readonly DebianPackage[], name: string): string {
  for (const { folder } of packages) {
    const place = join(folder, "usr/share/doc", name);
    if (existsSync(join(place, "copyright"))) return join(place, "copyright");
    const other = readLink(place);
    if (other !== undefined) return findCopyright(packages, basename(other));
  }
  throw new Error(`Cannot find the licence of Debian's package "${name}"`);
}

function readLink(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

function copy(source: string, target: string): void {
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, readFileSync(source), { mode: 0o644 });
}
