// A lock between processes that a killed one does not leave shut: a symlink, made in one step, that says who holds it.

import { randomUUID } from "node:crypto";
import { readFile, readlink, rename, rm, symlink } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { codeOf } from "./disk.ts";

/** What is done under a lock takes milliseconds; who has held it for so long without being seen alive is gone. */
const silenceMs = 10_000;
const patienceMs = 60_000;

/** Runs `work` while nobody else has the lock. `isHeld` tells whether it still is ours: asked last before what counts. */
export async function withLock<T>(file: string, work: (isHeld: () => Promise<boolean>) => Promise<T>): Promise<T> {
  const own = `${randomUUID()} ${await describeSelf()}`;
  await take(file, own);
  const isHeld = async () => (await holderOf(file)) === own;
  try {
    return await work(isHeld);
  } finally {
    if (await isHeld()) await rm(file, { force: true });
  }
}

async function take(file: string, own: string): Promise<void> {
  const began = performance.now();
  let seen: { readonly holder: string; readonly since: number } | undefined;
  for (;;) {
    try {
      await symlink(own, file);
      return;
    } catch (error) {
      if (codeOf(error) !== "EEXIST") throw error;
    }
    const holder = await holderOf(file);
    if (holder === undefined) continue;
    if (seen?.holder !== holder) seen = { holder, since: performance.now() };
    if (performance.now() - seen.since > silenceMs || (await isDead(holder))) await breakLock(file, holder);
    else if (performance.now() - began > patienceMs) throw new Error(`"${file}" was not free for ${patienceMs / 1000} s`);
    else await sleep(2 + Math.random() * 10);
  }
}

async function holderOf(file: string): Promise<string | undefined> {
  return readlink(file).catch((error: unknown) => {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  });
}

/** Of those who find the same dead holder one does it; who came too late and got hold of a fresh lock puts it back. */
async function breakLock(file: string, holder: string): Promise<void> {
  const aside = `${file}.${randomUUID()}`;
  try {
    await rename(file, aside);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return;
    throw error;
  }
  const taken = await readlink(aside);
  if (taken !== holder) await symlink(taken, file).catch(() => {});
  await rm(aside, { force: true });
}

/** `PID START WHERE`: numbers of processes mean something within one container of one boot alone. */
async function describeSelf(): Promise<string> {
  const { pid } = process;
  return `${pid} ${await startOf(pid)} ${await findOutWhere()}`;
}

async function isDead(holder: string): Promise<boolean> {
  const [, pid = "", start, where] = holder.split(" ");
  return where === (await findOutWhere()) && /^\d+$/.test(pid) && start !== (await startOf(Number(pid)));
}

/** When a process started, in ticks since boot; "gone" where there is none of this number. */
async function startOf(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, "latin1").catch(() => "");
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "gone";
}

let whereabouts: Promise<string> | undefined;

function findOutWhere(): Promise<string> {
  whereabouts ??= Promise.all([readFile("/proc/sys/kernel/random/boot_id", "latin1"), readlink("/proc/self/ns/pid")]).then(
    ([boot, namespace]) => `${boot.trim()}/${namespace}`,
    () => randomUUID(),
  );
  return whereabouts;
}
