// A user who is not root, made for a test: accounts, subordinate ids and what sudo lets him do are mounted over the machine's files in a
// mount namespace of his own, and the machine's stay as they are.

import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";

export interface Rights {
  /** Lines of a sudoers file about the user "slip"; without them he may do nothing. */
  readonly sudo?: string;
  /** How many subordinate ids he has. */
  readonly ids?: number;
}

const id = 4711;

/** sudo and newuidmap read them; a file that is missing is made empty, to be mounted over. */
const accounts: readonly (readonly [file: string, line: string])[] = [
  ["/etc/passwd", `slip:x:${id}:${id}::/:/bin/sh\n`],
  ["/etc/group", `slip:x:${id}:\n`],
  ["/etc/shadow", "slip:*:19000:0:99999:7:::\n"],
];

/** A command line that runs `command` as that user; `folder` is a directory of his own. */
export function asUser(
  test: TestContext,
  { sudo = "", ids = 0 }: Rights,
): { readonly folder: string; command(...words: string[]): string[] } {
  const etc = mkdtempSync(join(tmpdir(), "slipway-user-"));
  test.after(() => rm(etc, { recursive: true, force: true, maxRetries: 3 }));
  const mounts: string[] = [];
  const place = (target: string, source: string) => mounts.push(`mount --bind '${source}' '${target}'`);
  chmodSync(etc, 0o755);
  for (const [file, line] of accounts) {
    const copy = join(etc, file.slice("/etc/".length));
    copyFileSync(file, copy);
    writeFileSync(copy, line, { flag: "a" });
    place(file, copy);
  }
  for (const name of ["subuid", "subgid"]) {
    writeFileSync(join(etc, name), ids === 0 ? "" : `slip:200000:${ids}\n`);
    place(`/etc/${name}`, join(etc, name));
  }
  const rules = join(etc, "sudoers");
  writeFileSync(rules, `${readFileSync("/etc/sudoers", "utf8").replaceAll(/^@include.*$/gm, "")}\n${sudo}\n`, { mode: 0o440 });
  place("/etc/sudoers", rules);
  const folder = join(etc, "tmp");
  mkdirSync(folder);
  chmodSync(folder, 0o1777);
  const script = `${mounts.join(" && ")} && exec setpriv --reuid=${id} --regid=${id} --clear-groups --inh-caps=-all -- "$@"`;
  return { folder, command: (...words) => ["unshare", "-m", "--propagation", "private", "sh", "-c", script, "sh", ...words] };
}
