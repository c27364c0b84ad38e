// Writes down whose the files of a directory are that nobody has given to anybody.

import { writeFile } from "node:fs/promises";
import { type ScanTools, scanFrames } from "./scan.ts";

/** For a helper that records owners: what has none is this user's from now on. */
export async function settleOwners(root: string, { uid, gid }: { readonly uid: number; readonly gid: number }, tools: ScanTools) {
  // `struct owner` of native/record.h: for all that has no other.
  const owner = Buffer.alloc(32);
  owner.writeUInt32LE(uid, 16);
  owner.writeUInt32LE(gid, 20);
  await writeFile(`${root}.owners`, owner);
  for await (const _ of scanFrames(root, tools));
}
