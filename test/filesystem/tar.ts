// Layers written by hand: any name, any order, nothing checked.

import { digestOf } from "../../src/image/encode.ts";
import type { Layer } from "../../src/image/image.ts";
import type { Entry, RawPath } from "../../src/layer/entry.ts";

const flags: Readonly<Record<Entry["type"], string>> = {
  ...{ file: "0", hardlink: "1", symlink: "2", char: "3", block: "4", directory: "5", fifo: "6" },
};

export interface RawEntry {
  readonly entry: Entry;
  readonly content?: Buffer | undefined;
}

/** An uncompressed layer with these entries, names and links verbatim. */
export function makeLayer(entries: readonly RawEntry[]): Layer {
  const tar = Buffer.concat([...entries.flatMap(({ entry, content }) => tarEntry(entry, content ?? Buffer.alloc(0))), Buffer.alloc(1024)]);
  const digest = digestOf(tar);
  return {
    descriptor: { mediaType: "application/vnd.oci.image.layer.v1.tar", digest, size: tar.length },
    diffId: digest,
    compression: "none",
    async *open() {
      for (let at = 0; at < tar.length; at += 10007) yield tar.subarray(at, at + 10007);
    },
  };
}

function tarEntry(entry: Entry, content: Buffer): Buffer[] {
  const fraction = entry.mtimeNs === 0 ? "" : `.${String(entry.mtimeNs).padStart(9, "0")}`;
  const records: [string, string][] = [
    ["path", entry.path],
    ["mtime", `${entry.mtime}${fraction}`],
    ["uid", String(entry.uid)],
    ["gid", String(entry.gid)],
  ];
  if (entry.link !== "") records.push(["linkpath", entry.link]);
  for (const [name, value] of entry.xattrs ?? []) records.push([`SCHILY.xattr.${name}`, value]);
  const pax = Buffer.from(records.map(paxRecord).join(""), "latin1");
  return [header("pax", "x", pax.length, entry), pad(pax), header(entry.path, flags[entry.type], content.length, entry), pad(content)];
}

function paxRecord([key, value]: [string, string]): string {
  const rest = ` ${key}=${value}\n`;
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return `${length}${rest}`;
}

function header(path: RawPath, flag: string, size: number, { mode, devMajor, devMinor, link }: Entry): Buffer {
  const block = Buffer.alloc(512);
  block.write(path.slice(0, 100), 0, "latin1");
  const octal = (value: number, at: number, length: number) =>
    block.write(`${value.toString(8).padStart(length - 1, "0")}\0`, at, "latin1");
  octal(mode, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(size, 124, 12);
  octal(0, 136, 12);
  block.write("        ", 148, "latin1");
  block.write(flag, 156, "latin1");
  block.write(link.slice(0, 100), 157, "latin1");
  block.write("ustar\x0000", 257, "latin1");
  octal(devMajor, 329, 8);
  octal(devMinor, 337, 8);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return block;
}

function pad(content: Buffer): Buffer {
  return Buffer.concat([content, Buffer.alloc((512 - (content.length % 512)) % 512)]);
}
