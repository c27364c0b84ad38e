// Tests that the tar reader refuses archives made to break it, and says what is wrong with them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { defaultLimits, MalformedLayerError } from "../../src/layer/layer.ts";
import { base256, end, gnu, header, member, pax, paxRecord, readAll } from "./raw-tar.ts";

const limits = { maxEntries: 50, maxHeaderBytes: 5000, maxNameBytes: 20_000, maxBytes: 1 << 20, maxDepth: 100 };
const raw = (text: string) => member({ name: "PaxHeaders", flag: "x" }, text);
const sparse = (size: string, map: string, content = "abc") => [
  pax(["GNU.sparse.size", size], ["GNU.sparse.map", map]),
  member({}, content),
];
const sparseInData = (text: string) => [
  pax(["GNU.sparse.major", "1"], ["GNU.sparse.minor", "0"], ["GNU.sparse.realsize", "10"]),
  member({}, text),
];

const rows: [what: string, tar: Buffer[], message: RegExp][] = [
  ["text instead of a header", [Buffer.alloc(1024, "no tar at all ")], /checksum is no number|wrong header checksum/],
  ["a wrong checksum", [header({ checksum: "wrong" })], /wrong header checksum, in the entry at byte 0/],
  [
    "a later wrong checksum",
    [member({ name: "a" }, "x"), header({ checksum: "wrong" })],
    /wrong header checksum, in the entry at byte 1024/,
  ],
  ["half a header", [header().subarray(0, 300)], /ends at byte 300, 212 bytes too early/],
  [
    "content that is cut off",
    [header({ name: "big", size: 2000 }), Buffer.alloc(700)],
    /ends at byte 1212, 1300 bytes before the end of "big"/,
  ],
  ["an extended header that is cut off", [header({ flag: "x", size: 2000 }), Buffer.alloc(700)], /too early/],
  ["a global header that is cut off", [header({ flag: "g", size: 2000 }), Buffer.alloc(700)], /ends in the middle of an extended header/],
  ["an extended header with no entry after it", [pax(["path", "a"])], /belongs to no entry/],
  ["an extended header before the trailer", [pax(["path", "a"]), end], /belongs to no entry/],
  ["a zero block between entries", [header(), Buffer.alloc(512), header(), end], /lone zero block/],
  ["a negative size", [header({ size: base256(-1n, 12) })], /size is -1/],
  ["a size beyond all numbers", [header({ size: base256(1n << 80n, 12) })], /size 1208925819614629174706176 is out of range/],
  ["a size that is no number", [header({ size: "nonsense" })], /size is no number/],
  ["a negative octal size", [header({ size: "-0000000001" })], /size is no number/],
  ["a negative PAX size", [pax(["size", "-1"]), header()], /size "-1" is no number/],
  ["a PAX size beyond all numbers", [pax(["size", "99999999999999999999"]), header()], /is no number/],
  ["a PAX size that lies", [pax(["size", "100000"]), member({}, "x"), end], /before the end of "f"/],
  ["a file larger than the limit", [header({ size: 2 << 20 })], /more than 1048576 bytes/],
  ["a PAX record whose length passes the end", [raw("99 path=a\n")], /PAX record of wrong length/],
  ["a PAX record whose length is too short", [raw("5 path=a\n")], /PAX record of wrong length/],
  ["a PAX record whose length is zero", [raw("0 path=a\n")], /PAX record of wrong length/],
  ["a PAX record whose length is negative", [raw("-9 path=a\n")], /PAX record of wrong length/],
  ["a PAX record without a length", [raw("path=a\n")], /PAX record of wrong length/],
  ["a PAX record without an equals sign", [raw("8 pathaa\n9 path=b\n")], /PAX record/],
  ["a PAX record without a keyword", [raw("6 =abc\n")], /PAX record/],
  ["a PAX record that does not end its line", [raw(`${paxRecord("path", "abc").slice(0, -1)}x`)], /PAX record of wrong length/],
  ["a NUL in a PAX path", [pax(["path", "a\0b"]), header()], /"path" holds a NUL/],
  ["a NUL in a PAX link", [pax(["linkpath", "a\0b"]), header({ flag: "2" })], /"linkpath" holds a NUL/],
  ["a NUL in a PAX keyword", [pax(["pa\0th", "a"]), header()], /holds a NUL/],
  ["a huge PAX header", [header({ flag: "x", size: 6000 })], /extended header of 6000 bytes, more than 5000/],
  ["a huge GNU long name", [header({ flag: "L", size: 6000 })], /extended header of 6000 bytes/],
  ["a PAX header of petabytes", [header({ flag: "x", size: base256(1n << 50n, 12) })], /extended header of 1125899906842624 bytes/],
  ["PAX headers about PAX headers without end", Array.from({ length: 3000 }, () => pax(["path", "a"])), /more than 1048576 bytes/],
  ["a path longer than Linux takes", [pax(["path", "a/".repeat(2040) + "b".repeat(20)]), header()], /name of 4100 bytes is too long/],
  ["a name longer than Linux takes", [pax(["path", "b".repeat(256)]), header()], /name of 256 bytes is too long/],
  ["directories nested too deep", [pax(["path", "a/".repeat(300)]), header({ flag: "5" })], /nested 300 deep/],
  ["a hard link target nested too deep", [pax(["linkpath", "a/".repeat(300)]), header({ flag: "1" })], /nested 300 deep/],
  ["a symlink without a target", [header({ flag: "2" })], /symlink without target/],
  [
    "a symlink with a target longer than Linux takes",
    [member({ flag: "K" }, "x".repeat(4096)), header({ flag: "2" })],
    /target of 4096 bytes is too long/,
  ],
  ["a file in place of the root", [header({ name: "./" })], /a file stands where the root directory is/],
  ["a symlink in place of the root", [header({ name: "a/..", flag: "2", link: "/etc" })], /a symlink stands where the root directory is/],
  ["a hard link to the root", [header({ flag: "1", link: "../.." })], /hard link to the root/],
  ["an owner of -1", [header({ uid: base256(-1n, 8) })], /uid -1 is out of range/],
  ["an owner that the kernel takes for none", [pax(["gid", "4294967295"]), header()], /gid 4294967295 is out of range/],
  ["an owner that is no number", [pax(["uid", "root"]), header()], /uid "root" is no number/],
  ["a time that is no number", [pax(["mtime", "1e9"]), header()], /time "1e9" is no number/],
  ["a time beyond all numbers", [pax(["mtime", "9".repeat(16)]), header()], /is no number/],
  ["an unknown entry type", [header({ flag: "Z" })], /entry type "Z" is unknown/],
  ["a continued volume", [header({ flag: "M" })], /entry type "M" is unknown/],
  ["too many entries", Array.from({ length: 51 }, (_, i) => header({ name: `f${i}` })), /more than 50 entries/],
  [
    "names that fill the memory",
    Array.from({ length: 9 }, (_, i) => Buffer.concat([pax(["SCHILY.xattr.user.a", "x".repeat(3000)]), header({ name: `f${i}` })])),
    /names and attributes take more than 20000 bytes/,
  ],
  ["a sparse file that overlaps itself", sparse("10", "0,2,1,1"), /overlap/],
  ["a sparse file that goes backwards", sparse("10", "5,2,0,1"), /overlap/],
  ["a sparse file that passes its end", sparse("10", "9,3"), /pass the file's end/],
  ["a sparse file that stores more than its map says", sparse("10", "0,2"), /map of 2 bytes does not match the 3 bytes stored/],
  ["a sparse file that stores less than its map says", sparse("10", "0,9"), /map of 9 bytes does not match the 3 bytes stored/],
  ["a sparse map of odd length", sparse("10", "0,3,5"), /ends in the middle/],
  ["a sparse map of words", sparse("10", "a,b"), /is no number/],
  ["a sparse file without a size", [pax(["GNU.sparse.map", "0,3"]), member({}, "abc")], /sparse file without size/],
  [
    "a sparse format from the future",
    [pax(["GNU.sparse.major", "2"], ["GNU.sparse.minor", "0"], ["GNU.sparse.size", "3"]), member({}, "abc")],
    /sparse format 2.0 is unknown/,
  ],
  ["a sparse map that offsets alone", [pax(["GNU.sparse.size", "3"], ["GNU.sparse.offset", "0"]), member({}, "abc")], /sparse map/],
  [
    "a sparse bomb",
    [
      header({
        flag: "S",
        magic: gnu,
        at: [
          [386, base256(1n << 50n, 12)],
          [398, Buffer.from("00000000000")],
          [483, base256(1n << 50n, 12)],
        ],
      }),
    ],
    /more than 1048576 bytes/,
  ],
  ["a sparse map in data that never ends", sparseInData("999\n".padEnd(512, "0\n")), /longer than its entry/],
  [
    "a sparse map in data that promises too many pieces",
    sparseInData(`1000000\n${"0\n".repeat(8000)}`),
    /sparse map of more than 5000 bytes/,
  ],
  ["a sparse map in data without numbers", sparseInData("x".repeat(512)), /not made of numbers/],
  [
    "GNU sparse blocks without end",
    [header({ flag: "S", magic: gnu, at: [[482, "\x01"]] }), ...Array.from({ length: 20 }, () => Buffer.alloc(512, "\x01"))],
    /sparse/,
  ],
];

for (const [what, tar, message] of rows) {
  test(`readTar refuses ${what}`, async () => {
    for (const chunk of [97, 1 << 20]) {
      await assert.rejects(readAll(Buffer.concat(tar), { limits, chunk }), (error) => {
        assert(error instanceof MalformedLayerError, String(error));
        assert.match(error.message, /^Malformed layer: /);
        assert.match(error.message, message);
        return true;
      });
    }
  });
}

test("the default limits take what real layers hold", async () => {
  const deep = `${"d/".repeat(500)}f`;
  const capability = "x".repeat(60_000);
  const tar = [pax(["path", deep], ["SCHILY.xattr.user.large", capability]), member({}, "x"), end];
  const [read] = await readAll(Buffer.concat(tar), { limits: defaultLimits });
  assert.equal(read?.entry.path, deep);
  assert.equal(read.entry.xattrs?.get("user.large"), capability);
});

test("readTar never reads past what a random change of a good archive leaves it", async () => {
  const good = Buffer.concat([
    pax(["path", "a/b"], ["mtime", "1.5"]),
    member({}, "x".repeat(700)),
    member({ flag: "L" }, "name\0"),
    member({ name: "c", flag: "2", link: "d" }),
    end,
  ]);
  let refused = 0;
  for (let at = 0; at < good.length; at += 11) {
    const bad = Buffer.from(good);
    bad[at] = (bad[at] ?? 0) ^ 0x55;
    await readAll(bad, { limits }).catch((error) => {
      assert(error instanceof MalformedLayerError, String(error));
      refused += 1;
    });
  }
  assert(refused > 80, `${refused}`);
});
