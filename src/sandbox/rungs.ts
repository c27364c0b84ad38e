// The sandboxes that there are, from the strongest to the weakest: where each puts a command's root, and how it is opened.

import { join } from "node:path";
import type { Helper } from "../helper/helper.ts";
import { openChroot } from "./chroot.ts";
import type { Deputy, Right } from "./deputy.ts";
import { homeInPlace, isExecutorImage, openInPlace, placeInPlace } from "./in-place.ts";
import { type NsName, openNs } from "./ns.ts";
import type { Sandbox, SandboxName, SandboxOptions } from "./sandbox.ts";
import type { Place, UserNamespace } from "./start-command.ts";

type RungTools = SandboxOptions & { readonly helper: Helper; readonly deputy: Deputy };

/** What may be lacking without a whole sandbox being impossible: a fresh /proc, a mount of overlayfs, a listener to system calls. */
export type Need = "proc" | "overlay" | "listener";

/** One way in which a sandbox can be had. */
export interface Form {
  readonly needs: readonly Need[];
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
  readonly right: Right;
  /** Nobody else can do it for the builder, and it must be root itself. */
  readonly needsRoot?: boolean;
  /** The next one is tried where the one before it is refused for something that it does not need. */
  readonly forms: readonly [Form, ...Form[]];
}

export const rungs: readonly Rung[] = [
  { name: "ns", right: "root", forms: [inNamespaces("ns", "namespaces and overlayfs", undefined)] },
  {
    name: "userns",
    right: "ids",
    forms: [
      inNamespaces("userns", "a user namespace and overlayfs", { processes: "own", ids: "all" }),
      inNamespaces("userns", "a user namespace and overlayfs", { processes: "shared", ids: "all" }),
    ],
  },
  { name: "chroot", right: "own", needsRoot: true, forms: [inChroot("chroot", "/proc and /sys from a supervisor, no_new_privs")] },
  { name: "inplace", right: "own", needsRoot: true, isOffered: isExecutorImage, forms: [inPlace()] },
  {
    name: "userns-single",
    right: "own",
    forms: [
      withOneId({ processes: "own", ids: "recorded" }),
      withOneId({ processes: "shared", ids: "recorded" }),
      withOneId({ processes: "own", ids: "one" }),
      withOneId({ processes: "shared", ids: "one" }),
    ],
  },
  { name: "chroot-bare", right: "own", needsRoot: true, forms: [inChroot("chroot-bare", "no /proc and /sys")] },
];

/** Where commands run, and who sees to it. */
export function describeTrial(form: Form, { description }: Deputy, stateDir: string): string {
  const place = form.describe(stateDir);
  return description === "" ? place : `${place}, ${description}`;
}

function needsOf(user: UserNamespace | undefined): readonly Need[] {
  return [...(user?.processes === "own" ? ["proc" as const] : []), ...(user?.ids === "recorded" ? ["listener" as const] : [])];
}

function withOneId(user: UserNamespace): Form {
  const lack = user.ids === "one" ? ", but not those that a command gives them" : "";
  return inNamespaces("userns-single", `a user namespace with one id, owners of files by record${lack}, and overlayfs`, user);
}

function inNamespaces(name: NsName, what: string, user: UserNamespace | undefined): Form {
  return {
    needs: ["overlay", ...needsOf(user)],
    directories: ["upper", "work", "stage"],
    place: (home) => ({
      kind: "namespaces",
      lowers: [],
      ...{ upper: join(home, "upper"), work: join(home, "work"), stage: join(home, "stage") },
      ...(user && { user }),
    }),
    describe: (stateDir) =>
      `${what} below "${stateDir}"${user?.processes === "shared" ? ", with the processes of this container in sight" : ""}`,
    open: (tools, why) => openNs(name, tools, why, user),
  };
}

function inChroot(name: "chroot" | "chroot-bare", what: string): Form {
  return {
    needs: [],
    directories: ["root", "scratch"],
    place: (home) => ({ kind: "chroot", root: join(home, "root"), scratch: join(home, "scratch"), supervised: name === "chroot" }),
    describe: () => `no isolation from this job, ${what}, changes found by scanning`,
    open: (tools, why) => openChroot(name, tools, why),
  };
}

function inPlace(): Form {
  return {
    needs: [],
    directories: ["root", "scratch"],
    homeIn: homeInPlace,
    place: (home, stateDir) => placeInPlace(join(home, "root"), join(home, "scratch"), [stateDir]),
    describe: () => "no isolation from this job, in the root of this container, changes found by scanning",
    open: openInPlace,
  };
}
