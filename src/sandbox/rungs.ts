// The sandboxes that there are, from the strongest to the weakest: where each puts a command's root, and how it is opened.

import { join } from "node:path";
import type { Helper } from "../helper/helper.ts";
import { openChroot } from "./chroot.ts";
import { homeInPlace, isExecutorImage, openInPlace, placeInPlace } from "./in-place.ts";
import { openNs } from "./ns.ts";
import type { Sandbox, SandboxName, SandboxOptions } from "./sandbox.ts";
import type { Place, UserNamespace } from "./start-command.ts";

type RungTools = SandboxOptions & { readonly helper: Helper };

/** One way in which a sandbox can be had. */
export interface Form {
  /** Directories below `home` that must be there, and empty. */
  readonly directories: readonly string[];
  /** Where a command's files lie; the state directory where it is left out. Throws a SandboxError where the form cannot be had. */
  homeIn?(stateDir: string): string;
  place(home: string, stateDir: string): Place;
  describe(stateDir: string): string;
  open(tools: RungTools, why: string): Sandbox;
}

export interface Rung {
  readonly name: SandboxName;
  /** Whether it comes into question; it does where this is left out. */
  readonly isOffered?: () => boolean;
  /** The next one is tried where the one before it is refused. */
  readonly forms: readonly [Form, ...Form[]];
}

export const rungs: readonly Rung[] = [
  { name: "ns", forms: [inNamespaces("namespaces and overlayfs", undefined)] },
  {
    name: "userns",
    forms: [
      inNamespaces("a user namespace and overlayfs", { processes: "own" }),
      inNamespaces("a user namespace and overlayfs", { processes: "shared" }),
    ],
  },
  { name: "chroot", forms: [inChroot("chroot", "/proc and /sys from a supervisor, no_new_privs")] },
  { name: "inplace", isOffered: isExecutorImage, forms: [inPlace()] },
  { name: "chroot-bare", forms: [inChroot("chroot-bare", "no /proc and /sys")] },
];

function inNamespaces(what: string, user: UserNamespace | undefined): Form {
  return {
    directories: ["upper", "work", "stage"],
    place: (home) => ({
      kind: "namespaces",
      lowers: [],
      ...{ upper: join(home, "upper"), work: join(home, "work"), stage: join(home, "stage") },
      ...(user && { user }),
    }),
    describe: (stateDir) =>
      `${what} below "${stateDir}"${user?.processes === "shared" ? ", with the processes of this container in sight" : ""}`,
    open: (tools, why) => openNs(tools, why, user),
  };
}

function inChroot(name: "chroot" | "chroot-bare", what: string): Form {
  return {
    directories: ["root", "scratch"],
    place: (home) => ({ kind: "chroot", root: join(home, "root"), scratch: join(home, "scratch"), supervised: name === "chroot" }),
    describe: () => `no isolation from this job, ${what}, changes found by scanning`,
    open: (tools, why) => openChroot(name, tools, why),
  };
}

function inPlace(): Form {
  return {
    directories: ["root", "scratch"],
    homeIn: homeInPlace,
    place: (home, stateDir) => placeInPlace(join(home, "root"), join(home, "scratch"), [stateDir]),
    describe: () => "no isolation from this job, in the root of this container, changes found by scanning",
    open: openInPlace,
  };
}
