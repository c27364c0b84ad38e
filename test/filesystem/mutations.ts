// Random things that a command may do to a file system, as lines of a shell script.

import { existsSync } from "node:fs";
import type { TestContext } from "node:test";
import fc from "fast-check";

const name = fc.constantFrom("a", "b", "c", "d", "e");
const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((parts) => parts.join("/"));
const mode = fc.constantFrom("0755", "0600", "4755", "1777", "2700");
const capability = "0x0100000200040000000000000000000000000000";

const inside: fc.Arbitrary<string> = fc
  .oneof(
    fc.tuple(path, fc.nat(99)).map(([to, n]) => `test -p ${to} || echo ${n} > ${to}`),
    fc.tuple(path, fc.nat(99)).map(([to, n]) => `rm -rf ${to}; echo ${n} > ${to}`),
    path.map((to) => `rm -rf ${to}`),
    path.map((to) => `mkdir -p ${to}`),
    path.map((to) => `rm -rf ${to}; mkdir -p ${to}`),
    fc.tuple(path, path).map(([from, to]) => `mv -T ${from} ${to}`),
    fc.tuple(path, path).map(([from, to]) => `ln -sfn ${from} ${to}`),
    fc.tuple(path, path).map(([from, to]) => `ln -fT ${from} ${to}`),
    fc.tuple(path, path).map(([from, to]) => `cp -aT ${from} ${to}`),
    fc.tuple(path, mode).map(([to, bits]) => `test -L ${to} || chmod ${bits} ${to}`),
    path.map((to) => `chown -h 7:8 ${to}`),
    path.map((to) => `touch -h -d @1000000001 ${to}`),
    path.map((to) => `test -f ${to} && exec 3<> ${to}`),
    path.map((to) => `mknod ${to} c 1 3`),
    path.map((to) => `mkfifo ${to}`),
  )
  // Symlinks of a random tree lead anywhere: nothing but a change of root keeps a script in it.
  .map((line) => `chroot . /busybox sh -c '${line}'`);

/** Not through symlinks: the tool is the machine's and runs outside. */
const outside = fc.oneof(
  name.map((to) => `setfattr -h -n security.capability -v ${capability} ${to}`),
  name.map((to) => `setfattr -h -x security.capability ${to}`),
);

/** A script that goes on where one of its commands fails. It starts in the root of what it changes, which has /busybox while it runs. */
export const mutations: fc.Arbitrary<string> = fc
  .array(fc.oneof({ arbitrary: inside, weight: 7 }, { arbitrary: outside, weight: 1 }), { maxLength: 12 })
  .map((lines) => [`cp ${busybox} .`, ...lines.map((line) => `${line} >/dev/null 2>&1 || true`), "rm busybox"].join("\n"));

const busybox = ["/bin/busybox", "/usr/bin/busybox"].find((file) => existsSync(file));

/** Whether scripts can run; else the test is skipped, except in CI, where it fails. */
export function hasBusybox(t: TestContext): boolean {
  if (busybox !== undefined) return true;
  if (process.env.CI === "true") throw new Error("this test needs busybox-static");
  t.skip("needs busybox-static");
  return false;
}
