// Who USER and --chown name, by the accounts of an image.

import assert from "node:assert/strict";
import { test } from "node:test";
import { findOwner, findUser } from "../../src/filesystem/filesystem.ts";
import { toRaw } from "../../src/layer/entry.ts";

const passwd = toRaw(
  "root:x:0:0:root:/root:/bin/sh\n\n app:x:1000:1001:App:/home/app:/bin/sh\nbare:x:7:8\nbj\u00f6rn:x:9:9::/b:\napp:x:5:5::/second:\n",
);
const group = toRaw("root:x:0:root\nbin:x:1:root,daemon\napp:x:1001:\nwheel:x:10:root,app\nempty:x:77:\nstaff:x:50:app\n");
const accounts = { passwd, group };

const users: readonly [spec: string, uid: number, gid: number, groups: number[], home: string][] = [
  ["", 0, 0, [0, 1, 10], "/root"],
  ["root", 0, 0, [0, 1, 10], "/root"],
  ["0", 0, 0, [0, 1, 10], "/root"],
  ["app", 1000, 1001, [1001, 10, 50], "/home/app"],
  ["1000", 1000, 1001, [1001, 10, 50], "/home/app"],
  ["app:wheel", 1000, 10, [10], "/home/app"],
  ["app:99", 1000, 99, [99], "/home/app"],
  ["app:", 1000, 1001, [1001, 10, 50], "/home/app"],
  ["1000:1000", 1000, 1000, [1000], "/home/app"],
  ["1234", 1234, 0, [0], "/"],
  ["1234:1234", 1234, 1234, [1234], "/"],
  ["1234:wheel", 1234, 10, [10], "/"],
  [":wheel", 0, 10, [10], "/root"],
  ["bare", 7, 8, [8], "/"],
  ["bj\u00f6rn", 9, 9, [9], "/b"],
];

for (const [spec, uid, gid, groups, home] of users)
  test(`findUser("${spec}") is ${uid}:${gid}`, () => assert.deepEqual(findUser(accounts, spec), { uid, gid, groups, home }));

test("findUser without the files knows numbers and root alone", () => {
  assert.deepEqual(findUser({}, ""), { uid: 0, gid: 0, groups: [0], home: "/" });
  assert.deepEqual(findUser({}, "12"), { uid: 12, gid: 0, groups: [0], home: "/" });
  assert.throws(() => findUser({}, "app"), /there is no user "app" in the image's \/etc\/passwd/);
});

for (const [spec, error] of [
  ["nobody", /Cannot run as user "nobody": there is no user "nobody"/],
  ["app:nogroup", /there is no group "nogroup"/],
  ["99999999999", /must be between 0 and 2147483647/],
  ["-1:0", /must be between/],
] as const)
  test(`findUser refuses "${spec}"`, () => assert.throws(() => findUser(accounts, spec), error));

const owners: readonly [spec: string, uid: number, gid: number, unknown?: string[]][] = [
  ["root", 0, 0],
  ["7:root", 7, 0],
  ["1000", 1000, 1000],
  ["1000:5", 1000, 5],
  ["app", 1000, 1001],
  ["app:wheel", 1000, 10],
  ["app:", 1000, 0],
  [":wheel", 0, 10],
  [":", 0, 0],
  ["33:wheel", 33, 10],
  ["nobody", 0, 0, ["nobody"]],
  ["app:nogroup", 1000, 1001, ["nogroup"]],
  ["nobody:nogroup", 0, 0, ["nobody", "nogroup"]],
];

for (const [spec, uid, gid, unknown = []] of owners)
  test(`findOwner("${spec}") is ${uid}:${gid}`, () => assert.deepEqual(findOwner(accounts, spec), { uid, gid, unknown }));
