// Random things that a command may do to a file system, as lines of a shell script.

import fc from "fast-check";

const name = fc.constantFrom("a", "b", "c", "d", "e");
const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((parts) => parts.join("/"));
const mode = fc.constantFrom("0755", "0600", "4755", "1777", "2700");
const capability = "0x0100000200040000000000000000000000000000";

const mutation: fc.Arbitrary<string> = fc.oneof(
  fc.tuple(path, fc.nat(99)).map(([to, n]) => `echo ${n} > ${to}`),
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
  path.map((to) => `touch -h -d @1000000001.5 ${to}`),
  path.map((to) => `test -L ${to} || setfattr -n security.capability -v ${capability} ${to}`),
  path.map((to) => `test -L ${to} || setfattr -x security.capability ${to}`),
  path.map((to) => `test -f ${to} && exec 3<> ${to} && exec 3>&-`),
  path.map((to) => `mknod ${to} c 1 3`),
  path.map((to) => `mkfifo ${to}`),
);

/** A script that goes on where one of its commands fails. Its working directory is the root of what it changes. */
export const mutations: fc.Arbitrary<string> = fc
  .array(mutation, { maxLength: 12 })
  .map((lines) => ["true", ...lines.map((line) => `(${line}) 2>/dev/null || true`)].join("; "));
