// What reference/sandbox.md has found to work where: nothing of it may fail here.

import { stepNames } from "./battery.ts";

interface Found {
  /** Where it was tried and worked. */
  readonly works: readonly string[];
  /** Steps that failed there. */
  readonly fails: readonly string[];
}

const ids = ["crontab of a group", "chown", "useradd", "su", "setpriv", "sudo of root's", "sudo of a user's", "a file's capability"];
const ofProc = ["/proc", "/dev/fd", "pty", "/sys", "bash <()", "ps", "node", "java", "a package of Java's", "static Go"];

/** By sandbox, from the strongest to the weakest. */
const found: ReadonlyMap<string, Found> = new Map([
  ["ns", { works: ["privileged", "sysadmin", "root", "sudoer"], fails: [] }],
  ["userns", { works: ["privileged", "sysadmin", "k8s", "podman", "root", "subids"], fails: ["mknod"] }],
  ["inplace", { works: ["docker", "k8s"], fails: [] }],
  // no_new_privs
  ["chroot", { works: ["privileged", "sysadmin", "docker", "k8s", "podman", "root"], fails: ["sudo of a user's", "a file's capability"] }],
  ["userns-single", { works: ["k8s-user", "restricted-unconfined", "sudoer", "subids", "user"], fails: [...ids, "mknod"] }],
  ["chroot-bare", { works: ["privileged", "sysadmin", "docker", "k8s", "root"], fails: [...ofProc, "a file's capability"] }],
  ["proot", { works: ["docker", "restricted", "drop-all"], fails: [...ids, "setcap", "mknod"] }],
]);

export const ladder: readonly string[] = [...found.keys()];

/** Steps that the reference saw end well; undefined where it had none. */
export function expectedSteps(environment: string, rung: string): readonly string[] | undefined {
  const { works, fails } = found.get(rung) ?? { works: [], fails: [] };
  if (!works.includes(environment)) return undefined;
  // Without CAP_MKNOD nobody makes a device.
  return stepNames.filter((name) => !fails.includes(name) && !(environment === "podman" && name === "mknod"));
}
