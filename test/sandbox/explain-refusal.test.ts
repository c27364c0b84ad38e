// What is said of a sandbox that does not work, from the helper's words.

import assert from "node:assert/strict";
import { test } from "node:test";
import { explainRefusal, showRefusal } from "../../src/sandbox/explain-refusal.ts";
import { needsRoot } from "./root.ts";

const rows: readonly (readonly [message: string, shown: RegExp])[] = [
  ["Cannot make namespaces: Operation not permitted", /^making namespaces is forbidden here \(EPERM\): it needs CAP_SYS_ADMIN/],
  [
    "Cannot make user namespaces: Operation not permitted",
    /^making user namespaces is forbidden here \(EPERM\): .*seccompProfile Unconfined/,
  ],
  ["Cannot make user namespaces: No space left on device", /\(ENOSPC\): .*user\.max_user_namespaces/],
  ["Cannot make user namespaces: Function not implemented", /^Cannot make user namespaces: Function not implemented: .*kernel/],
  ['Cannot map the ids of a user namespace in "uid_map": Operation not permitted', /CAP_SETFCAP/],
  ["Cannot mount a tmpfs: Permission denied", /AppArmor.*appArmorProfile Unconfined/],
  ["Cannot mount a tmpfs: Operation not permitted", /kernel\.apparmor_restrict_unprivileged_userns/],
  [
    "Cannot mount the overlay: the state directory is itself on an overlayfs: Invalid argument",
    /^the state directory "\/s" is on an overlayfs/,
  ],
  ["Cannot chroot: Operation not permitted", /^Cannot chroot: Operation not permitted: it needs CAP_SYS_CHROOT$/],
  ["Cannot do something new: No such device", /^Cannot do something new: No such device$/],
];

for (const [message, shown] of rows) {
  test(message, (t) => {
    if (!needsRoot(t)) return;
    const refusal = explainRefusal(message, "/s", true);
    assert.match(showRefusal(refusal), shown);
    assert.equal(refusal.message, message);
  });
}
