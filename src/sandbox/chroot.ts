// The sandboxes for root without CAP_SYS_ADMIN: a chroot without mounts, "chroot" with a supervisor that serves /proc, /sys and devices,
// "chroot-bare" without. They isolate nothing; they run commands on an image's files.

import { type FlatTools, openFlat } from "./flat-root.ts";
import type { Command, Sandbox } from "./sandbox.ts";

type Rung = "chroot" | "chroot-bare";

export function openChroot(name: Rung, tools: FlatTools, why: string): Sandbox {
  const supervised = name === "chroot";
  return openFlat(tools, {
    ...{ name, why },
    place: (root, scratch) => ({ kind: "chroot", root, scratch, supervised }),
    expect({ network }) {
      if (network === "none" && !supervised)
        throw new Error('Cannot run without network: the sandbox "chroot-bare" has the network of the machine');
    },
    ...(supervised ? { explain: explainPrivileges } : {}),
  });
}

/** With no_new_privs, which the filter of the supervisor needs, nobody becomes root again. */
function explainPrivileges({ args, user }: Command): string | undefined {
  const [program] = /\b(sudo|su|doas|ping|newuidmap)\b/.exec(args.join(" ")) ?? [];
  if (program === undefined || user.uid === 0) return undefined;
  return `setuid programs and file capabilities, which ${program} needs, have no effect in the sandbox "chroot"; do it as root, with USER, or give the job CAP_SYS_ADMIN`;
}
