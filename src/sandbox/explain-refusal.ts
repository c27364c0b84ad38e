// Why a sandbox does not work here, from what the helper says: its words name the call that failed, and what they mean here is added
// where it is known.

import type { Need } from "./rungs.ts";

export interface Refusal {
  /** What is so. */
  readonly reason: string;
  /** What would help; empty where that is not known. */
  readonly change: string;
  /** The helper's own words, where they are to the point. */
  readonly message: string;
  /** What alone was not to be had. */
  readonly lack?: Need;
}

interface Row {
  readonly when: RegExp;
  readonly reason: (message: string, stateDir: string) => string;
  readonly change: string;
  readonly lack?: Need;
}

const itself = (message: string) => message;

/** The first that fits. */
const rows: readonly Row[] = [
  {
    when: /sudo -n fails: .*password/,
    reason: itself,
    change: "let this user run sudo without a password, run the job as root, or see userns",
  },
  {
    when: /sudo -n fails: .*(?:tty|terminal)/,
    reason: itself,
    change: "take requiretty from the sudoers file for this user (Defaults:NAME !requiretty)",
  },
  {
    when: /sudo -n fails: .*(?:no new privileges|nosuid)/,
    reason: itself,
    change: "it needs a job without no_new_privs (in Kubernetes allowPrivilegeEscalation) on a file system that is not mounted nosuid",
  },
  {
    when: /sudo -n fails: .*slipway-helper: (?:Permission denied|command not found)/,
    reason: itself,
    change: "the state directory must be where programs may be executed (noexec); pass another as --state-dir",
  },
  {
    when: /sudo -n fails: /,
    reason: itself,
    change: "let this user run sudo without a password, or run the job as root",
  },
  {
    when: /it needs root/,
    reason: itself,
    change: "run the job as root, or with sudo that asks for no password",
  },
  {
    when: /Cannot map ids: /,
    reason: itself,
    change:
      "as root, usermod --add-subuids 100000-165535 --add-subgids 100000-165535 NAME, or a line NAME:100000:65536 in both /etc/subuid and /etc/subgid",
  },
  {
    when: /Cannot run new.idmap: No such file/,
    reason: (message) => `${/new.idmap/.exec(message)?.[0]} is not installed`,
    change: "install the package uidmap, on Fedora shadow-utils",
  },
  {
    when: /Cannot map subordinate ids/,
    reason: (message) => message.split("\n")[0] ?? message,
    change:
      "newuidmap and newgidmap must be setuid root, without no_new_privs; in a container that is not enough, but setcap cap_setuid+ep newuidmap and cap_setgid+ep newgidmap are",
  },
  {
    when: /overlayfs/,
    reason: (_, stateDir) => `the state directory "${stateDir}" is on an overlayfs, which cannot hold another`,
    change: "mount a volume (in Kubernetes an emptyDir) and pass it as --state-dir",
    lack: "overlay",
  },
  { when: /Cannot mount a \/proc of its own/, reason: itself, change: "", lack: "proc" },
  {
    when: /record owners of files/,
    reason: itself,
    change: "it needs a state directory whose file system has extended attributes for users, a tmpfs Linux 6.6",
  },
  {
    when: /user namespaces: Operation not permitted/,
    reason: () => "making user namespaces is forbidden here (EPERM)",
    change: "it needs a seccomp profile that lets it, in Kubernetes seccompProfile Unconfined",
  },
  {
    when: /user namespaces: No space left/,
    reason: () => "this machine has no user namespaces to give (ENOSPC)",
    change: "raise the sysctl user.max_user_namespaces",
  },
  {
    when: /user namespaces: /,
    reason: itself,
    change: "it needs a kernel that has user namespaces",
  },
  {
    when: /Cannot map the ids/,
    reason: itself,
    change: "it needs CAP_SETUID, CAP_SETGID and CAP_SETFCAP",
  },
  {
    when: /namespaces: Operation not permitted/,
    reason: () => "making namespaces is forbidden here (EPERM)",
    change: "it needs CAP_SYS_ADMIN and a seccomp profile that lets it",
  },
  {
    when: /listen to system calls: Device or resource busy/,
    reason: () => "somebody else supervises the system calls of this container already (EBUSY), and the kernel takes one listener",
    change: "",
    lack: "listener",
  },
  {
    when: /listen to system calls|serve \/proc/,
    reason: itself,
    change: "it needs Linux 5.14, and a kernel that lets root read the memory of its own processes",
    lack: "listener",
  },
  {
    when: /[Mm]ount.*: Permission denied/,
    reason: itself,
    change: "a security module such as AppArmor denies mounts; in Kubernetes set appArmorProfile Unconfined",
  },
  {
    when: /(?:mounts private|Cannot mount a tmpfs): Operation not permitted/,
    reason: itself,
    change:
      "the machine takes all rights from user namespaces, as Ubuntu does; unset the sysctl kernel.apparmor_restrict_unprivileged_userns",
  },
  { when: /not the executor image$/, reason: () => "it is for the executor image alone", change: "" },
  {
    when: /Cannot run in place: cannot .* files/,
    reason: itself,
    change: "add the capabilities CHOWN, DAC_OVERRIDE, FOWNER, SETUID and SETGID",
  },
  { when: /Cannot mount the overlay/, reason: itself, change: "it needs Linux 5.11, on a tmpfs Linux 6.6", lack: "overlay" },
  { when: /Cannot chroot: Operation not permitted/, reason: itself, change: "it needs CAP_SYS_CHROOT" },
];

/** With `needsRoot` it must be the builder that is root. */
export function explainRefusal(message: string, stateDir: string, needsRoot: boolean): Refusal {
  const uid = process.geteuid?.() ?? 0;
  if (needsRoot && uid !== 0) {
    const reason = `it needs root, and this is uid ${uid}`;
    return { reason, change: "run the container as root", message: reason };
  }
  const row = rows.find(({ when }) => when.test(message));
  const { change = "", lack } = row ?? {};
  return { reason: row?.reason(message, stateDir) ?? message, change, message, ...(lack && { lack }) };
}

/** Both in one line. */
export function showRefusal({ reason, change }: Refusal): string {
  return change === "" ? reason : `${reason}: ${change}`;
}
