// The ids that a user may give away in a user namespace: https://man7.org/linux/man-pages/man5/subuid.5.html

import { readFileSync } from "node:fs";
import { userInfo } from "node:os";
import { SandboxError } from "./start-command.ts";

export interface SubordinateIds {
  /** For newuidmap and newgidmap: the user is 0, what follows is his. */
  readonly uids: string;
  readonly gids: string;
  /** The ids outside. */
  readonly name: string;
}

/** As many as images use. */
const fewest = 65_536;

interface Range {
  readonly first: number;
  readonly count: number;
}

/** Throws a SandboxError where there are none, or too few. */
export function findSubordinateIds(read: (file: string) => string = readText): SubordinateIds {
  const [uid, gid] = [process.geteuid?.() ?? 0, process.getegid?.() ?? 0];
  const name = nameOf(uid);
  const find = (file: string) => findRanges(read(file), file, [name, String(uid)]);
  const [users, groups] = [find("/etc/subuid"), find("/etc/subgid")];
  return { uids: mapOf(uid, users), gids: mapOf(gid, groups), name: nameRanges(users, groups) };
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

/** In many containers the user has a number alone. */
function nameOf(uid: number): string {
  try {
    return userInfo().username;
  } catch {
    return String(uid);
  }
}

function findRanges(text: string, file: string, [name, uid]: readonly [string, string]): readonly Range[] {
  const ranges = text.split("\n").flatMap((line) => {
    const [owner, first = "", count = ""] = line.trim().split(":");
    return (owner === name || owner === uid) && /^\d+$/.test(first) && /^\d+$/.test(count) ? [{ first: +first, count: +count }] : [];
  });
  const total = ranges.reduce((sum, { count }) => sum + count, 0);
  const who = name === uid ? `uid ${uid}` : `"${name}" (uid ${uid})`;
  if (ranges.length === 0) throw new SandboxError(`Cannot map ids: "${file}" has no range for ${who}`);
  if (total < fewest) throw new SandboxError(`Cannot map ids: "${file}" has ${total} ids for ${who}, and ${fewest} are needed`);
  return ranges;
}

function mapOf(own: number, ranges: readonly Range[]): string {
  let inside = 1;
  const words = [`0 ${own} 1`];
  for (const { first, count } of ranges) {
    words.push(`${inside} ${first} ${count}`);
    inside += count;
  }
  return words.join(" ");
}

function nameRanges(users: readonly Range[], groups: readonly Range[]): string {
  const show = (ranges: readonly Range[]) => ranges.map(({ first, count }) => `${first}-${first + count - 1}`).join(",");
  return show(users) === show(groups) ? show(users) : `${show(users)} and of groups ${show(groups)}`;
}
