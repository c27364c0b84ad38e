// Writes tar archives whose headers say what they are told, however odd.

import { execFileSync } from "node:child_process";
import type { Compression, Member } from "./program.ts";

const block = 512;
const typeFlags = { file: "0", hardlink: "1", symlink: "2", character: "3", block: "4", directory: "5", fifo: "6" } as const;

/** An archive in the ustar format, with PAX headers where members ask for them or names are too long. */
export function writeArchive(members: readonly (Member & { readonly bytes?: Buffer })[]): Buffer {
  const parts = members.flatMap((member) => {
    const long: Record<string, string> = {};
    if (Buffer.byteLength(member.name) > 100) long.path = member.name;
    if (Buffer.byteLength(member.link ?? "") > 100) long.linkpath = member.link ?? "";
    const pax = { ...long, ...member.pax };
    const content = member.bytes ?? Buffer.from(member.text ?? "");
    return [
      ...(Object.keys(pax).length === 0 ? [] : writeMember({ ...member, name: "pax" }, "x", paxRecords(pax))),
      ...writeMember(member, typeFlags[member.type], content),
    ];
  });
  return Buffer.concat([...parts, Buffer.alloc(2 * block)]);
}

export function compressArchive(archive: Buffer, compression: Compression): Buffer {
  if (compression === "none") return archive;
  const args = compression === "gzip" ? ["-n", "-c"] : ["-c"];
  return execFileSync(compression, args, { input: archive, maxBuffer: 1 << 28, stdio: ["pipe", "pipe", "ignore"] });
}

function writeMember(member: Member, flag: string, content: Buffer): Buffer[] {
  const header = Buffer.alloc(block);
  const octal = (value: number, at: number, length: number) =>
    header.write(`${value.toString(8).padStart(length - 1, "0")}\0`, at, length, "latin1");
  const text = (value: string, at: number, length: number) => Buffer.from(value).copy(header, at, 0, length);
  text(member.name, 0, 100);
  octal(member.mode, 100, 8);
  octal(member.uid, 108, 8);
  octal(member.gid, 116, 8);
  octal(content.length, 124, 12);
  octal(Math.floor(member.time), 136, 12);
  header.fill(" ", 148, 156);
  text(flag, 156, 1);
  text(member.link ?? "", 157, 100);
  text("ustar\u000000", 257, 8);
  const isDevice = member.type === "character" || member.type === "block";
  octal(isDevice ? 1 : 0, 329, 8);
  octal(isDevice ? 3 : 0, 337, 8);
  octal(
    header.reduce((sum, byte) => sum + byte, 0),
    148,
    7,
  );
  return [header, content, Buffer.alloc((block - (content.length % block)) % block)];
}

function paxRecords(values: Readonly<Record<string, string>>): Buffer {
  return Buffer.concat(
    Object.entries(values).map(([key, value]) => {
      const rest = Buffer.from(` ${key}=${value}\n`);
      let length = rest.length + 1;
      while (`${length}`.length + rest.length !== length) length = `${length}`.length + rest.length;
      return Buffer.concat([Buffer.from(`${length}`), rest]);
    }),
  );
}
