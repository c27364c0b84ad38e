// Who a name is in an image: /etc/passwd and /etc/group, read as BuildKit and runc read them.

import { toText } from "../layer/entry.ts";

/** The content of the two files as latin1, where the image has them. */
export interface Accounts {
  readonly passwd?: string | undefined;
  readonly group?: string | undefined;
}

export interface User {
  readonly uid: number;
  readonly gid: number;
  /** Supplementary groups, the user's own among them as in containerd. */
  readonly groups: readonly number[];
  /** What HOME is unless the environment says otherwise. */
  readonly home: string;
}

export interface Owner {
  readonly uid: number;
  readonly gid: number;
  /** Names that are in neither file: they became 0, as in BuildKit, and deserve a warning. */
  readonly unknown: readonly string[];
}

interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

interface Group {
  readonly name: string;
  readonly gid: number;
  readonly members: readonly string[];
}

const maxId = 2 ** 31 - 1;

/**
 * The user that `USER spec` runs commands as; an empty spec is root with root's groups. `uid:gid` is taken as it is, anything else
 * goes through the two files like in github.com/moby/sys/user's GetExecUser. Throws with the name that is in neither of them.
 */
export function findUser(accounts: Accounts, spec: string): User {
  const passwd = readPasswd(accounts.passwd);
  const [userPart = "", groupPart = ""] = splitSpec(spec);
  const numericUser = readNumber(userPart);
  const numericGroup = readNumber(groupPart);
  const homeOf = (uid: number) => passwd.find((account) => account.uid === uid)?.home || "/";
  if (numericUser !== undefined && numericGroup !== undefined)
    return { uid: checkId(spec, numericUser), gid: checkId(spec, numericGroup), groups: [numericGroup], home: homeOf(numericUser) };

  const wanted = userPart === "" ? 0 : numericUser;
  const account = passwd.find(({ name, uid }) => (wanted === undefined ? name === userPart : uid === wanted));
  if (account === undefined && wanted === undefined)
    throw new Error(`Cannot run as user "${spec}": there is no user "${userPart}" in the image's /etc/passwd`);
  const uid = account?.uid ?? checkId(spec, wanted ?? 0);
  const home = homeOf(uid);
  const groups = readGroups(accounts.group);
  if (groupPart === "") {
    const memberships = groups.filter(({ members }) => account !== undefined && members.includes(account.name));
    const own = account?.gid ?? 0;
    return { uid, gid: own, groups: [...new Set([own, ...memberships.map(({ gid }) => gid)])], home };
  }
  const group = groups.find(({ name, gid }) => (numericGroup === undefined ? name === groupPart : gid === numericGroup));
  if (group === undefined && numericGroup === undefined)
    throw new Error(`Cannot run as user "${spec}": there is no group "${groupPart}" in the image's /etc/group`);
  const own = group?.gid ?? checkId(spec, numericGroup ?? 0);
  return { uid, gid: own, groups: [own], home };
}

/**
 * The owner that `--chown=spec` gives: a number alone is user and group, a name alone brings its group from /etc/passwd, what stands
 * empty beside a colon is 0 (moby/buildkit#3555).
 */
export function findOwner(accounts: Accounts, spec: string): Owner {
  const parts = splitSpec(spec);
  const [userPart = "", groupPart] = parts;
  const unknown: string[] = [];
  let uid = 0;
  let gid = 0;
  const numericUser = readOwnerNumber(userPart);
  if (numericUser !== undefined) {
    uid = checkId(spec, numericUser);
    gid = uid;
  } else if (userPart !== "") {
    const account = readPasswd(accounts.passwd).find(({ name }) => name === userPart);
    if (account === undefined) unknown.push(userPart);
    uid = account?.uid ?? 0;
    gid = account?.gid ?? 0;
  }
  if (groupPart === undefined) return { uid, gid, unknown };
  const numericGroup = readOwnerNumber(groupPart);
  if (numericGroup !== undefined) return { uid, gid: checkId(spec, numericGroup), unknown };
  const group = readGroups(accounts.group).find(({ name }) => name === groupPart);
  if (group !== undefined) return { uid, gid: group.gid, unknown };
  if (groupPart === "") return { uid, gid: 0, unknown };
  // BuildKit leaves the group that the user brought.
  return { uid, gid, unknown: [...unknown, groupPart] };
}

function splitSpec(spec: string): readonly string[] {
  const colon = spec.indexOf(":");
  return colon < 0 ? [spec] : [spec.slice(0, colon), spec.slice(colon + 1)];
}

function readNumber(text: string): number | undefined {
  return /^[+-]?\d+$/.test(text) ? Number(text) : undefined;
}

/** Of an owner, BuildKit takes `root` for a number, whatever the image's accounts say. */
function readOwnerNumber(text: string): number | undefined {
  return text === "root" ? 0 : readNumber(text);
}

/** Whether a part of `--chown` needs no account to be known. */
export function isOwnerNumber(text: string): boolean {
  return readOwnerNumber(text) !== undefined;
}

function checkId(spec: string, id: number): number {
  if (id >= 0 && id <= maxId) return id;
  throw new Error(`Cannot use user "${spec}": an id must be between 0 and ${maxId}`);
}

// A field that is missing or no number counts as zero or empty, as in the Go package.
function readLines(text: string | undefined): string[][] {
  const lines = toText(text ?? "").split("\n");
  return lines.flatMap((line) => (line.trim() === "" ? [] : [line.trim().split(":")]));
}

function readPasswd(text: string | undefined): Account[] {
  return readLines(text).map(([name = "", , uid = "", gid = "", , home = ""]) => ({
    name,
    uid: readNumber(uid) ?? 0,
    gid: readNumber(gid) ?? 0,
    home,
  }));
}

function readGroups(text: string | undefined): Group[] {
  return readLines(text).map(([name = "", , gid = "", members = ""]) => ({
    name,
    gid: readNumber(gid) ?? 0,
    members: members === "" ? [] : members.split(","),
  }));
}
