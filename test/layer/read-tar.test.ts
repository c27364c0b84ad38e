// Tests what the tar reader makes of every form that archives come in.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Entry } from "../../src/layer/entry.ts";
import { readTar } from "../../src/layer/layer.ts";
import { base256, chunked, collect, end, gnu, header, member, pax, readAll, ustar } from "./raw-tar.ts";

const oldSparse = (pieces: readonly (readonly [number, number])[], realSize: number, more = false): readonly [number, string][] => [
  ...pieces.flatMap(([offset, length], i): [number, string][] => [
    [386 + i * 24, offset.toString(8).padStart(11, "0")],
    [398 + i * 24, length.toString(8).padStart(11, "0")],
  ]),
  [482, more ? "\x01" : "\0"],
  [483, realSize.toString(8).padStart(11, "0")],
];
const holes = (...parts: (string | number)[]) =>
  Buffer.concat(parts.map((part) => (typeof part === "number" ? Buffer.alloc(part) : Buffer.from(part))));
const long = `${"d/".repeat(80)}${"n".repeat(90)}`;

interface Row {
  readonly what: string;
  readonly tar: readonly Buffer[];
  /** What is expected of each entry. */
  readonly entries: readonly (Partial<Entry> & { content?: string | Buffer })[];
}

const rows: Row[] = [
  { what: "an empty archive", tar: [end], entries: [] },
  { what: "no bytes at all", tar: [], entries: [] },
  {
    what: "a ustar file",
    tar: [member({ name: "a", mode: "0004755", mtime: 7 }, "text"), end],
    entries: [{ path: "a", type: "file", mode: 0o4755, mtime: 7, size: 4, content: "text" }],
  },
  { what: "a ustar prefix", tar: [member({ prefix: "some/folder", name: "a" }), end], entries: [{ path: "some/folder/a" }] },
  {
    what: "a star prefix, which is shorter",
    tar: [
      header({
        prefix: "p",
        name: "a",
        at: [
          [476, "00000000123 00000000123"],
          [508, "tar\0"],
        ],
      }),
      end,
    ],
    entries: [{ path: "p/a" }],
  },
  {
    what: "a GNU header, whose prefix field holds something else",
    tar: [header({ magic: gnu, prefix: "12345670123", name: "a" }), end],
    entries: [{ path: "a" }],
  },
  {
    what: "a V7 file",
    tar: [member({ name: "a", flag: "\0", magic: "" }, "x"), end],
    entries: [{ path: "a", type: "file", content: "x" }],
  },
  {
    what: "a V7 directory, told by its slash",
    tar: [member({ name: "a/", flag: "\0", magic: "" }), end],
    entries: [{ path: "a", type: "directory" }],
  },
  {
    what: "a file of type 0 with a slash, which stays a file",
    tar: [member({ name: "a/" }, "x"), end],
    entries: [{ path: "a", type: "file", content: "x" }],
  },
  { what: "a contiguous file", tar: [member({ flag: "7" }, "x"), end], entries: [{ type: "file", content: "x" }] },
  {
    what: "a directory",
    tar: [header({ name: "d/", flag: "5", mode: "0001777" }), end],
    entries: [{ path: "d", type: "directory", mode: 0o1777 }],
  },
  {
    what: "a directory that states a size",
    tar: [header({ name: "d/", flag: "5", size: 4096 }), header({ name: "e" }), end],
    entries: [{ path: "d", size: 0 }, { path: "e" }],
  },
  {
    what: "a symlink, its target verbatim",
    tar: [header({ name: "l", flag: "2", link: "/../x/./y/" }), end],
    entries: [{ type: "symlink", link: "/../x/./y/" }],
  },
  {
    what: "a hard link, its target a path",
    tar: [header({ name: "l", flag: "1", link: "./x//y", size: 99 }), end],
    entries: [{ type: "hardlink", link: "x/y", size: 0 }],
  },
  {
    what: "a character device",
    tar: [header({ flag: "3", devMajor: "0000001", devMinor: "0000003" }), end],
    entries: [{ type: "char", devMajor: 1, devMinor: 3 }],
  },
  {
    what: "a block device",
    tar: [header({ flag: "4", devMajor: "0000010", devMinor: "0000377" }), end],
    entries: [{ type: "block", devMajor: 8, devMinor: 255 }],
  },
  { what: "a pipe", tar: [header({ flag: "6" }), end], entries: [{ type: "fifo" }] },
  {
    what: "names that are not plain",
    tar: ["./a", "/b", "c/../d", "../../e", "f//g/.", "h/../../i"].map((name) => header({ name })),
    entries: ["a", "b", "d", "e", "f/g", "i"].map((path) => ({ path })),
  },
  {
    what: "names of the root",
    tar: ["./", "/", ".", "a/.."].map((name) => header({ name, flag: "5" })),
    entries: [{ path: "" }, { path: "" }, { path: "" }, { path: "" }],
  },
  { what: "a name of raw bytes", tar: [header({ name: "\xff\xfe\xe9" }), end], entries: [{ path: "\xff\xfe\xe9" }] },
  {
    what: "a name that fills its field",
    tar: [header({ name: "n".repeat(100), flag: "2", link: "l".repeat(100) }), end],
    entries: [{ path: "n".repeat(100), link: "l".repeat(100) }],
  },
  {
    what: "the same name twice",
    tar: [member({}, "1"), member({}, "2"), end],
    entries: [
      { path: "f", content: "1" },
      { path: "f", content: "2" },
    ],
  },
  {
    what: "whiteouts, as they are",
    tar: [header({ name: "a/.wh.b" }), header({ name: "a/.wh..wh..opq" }), end],
    entries: [{ path: "a/.wh.b" }, { path: "a/.wh..wh..opq" }],
  },
  {
    what: "PAX names",
    tar: [pax(["path", `${long}\xff`], ["linkpath", long]), header({ flag: "2" }), end],
    entries: [{ path: `${long}\xff`, link: long }],
  },
  {
    what: "PAX owners",
    tar: [pax(["uid", "4294967294"], ["gid", "3000000"]), header(), end],
    entries: [{ uid: 4294967294, gid: 3000000 }],
  },
  {
    what: "a PAX size",
    tar: [pax(["size", "3"]), header({ size: 0 }), Buffer.from("abc".padEnd(512, "\0")), end],
    entries: [{ size: 3, content: "abc" }],
  },
  { what: "a PAX time with a fraction", tar: [pax(["mtime", "12.5"]), header(), end], entries: [{ mtime: 12, mtimeNs: 500_000_000 }] },
  { what: "a PAX time before 1970", tar: [pax(["mtime", "-12.25"]), header(), end], entries: [{ mtime: -13, mtimeNs: 750_000_000 }] },
  { what: "a PAX time finer than nanoseconds", tar: [pax(["mtime", "1.0000000019"]), header(), end], entries: [{ mtime: 1, mtimeNs: 1 }] },
  {
    what: "an empty PAX value, which changes nothing",
    tar: [pax(["path", ""], ["uid", ""]), header({ name: "a", uid: "0000007" }), end],
    entries: [{ path: "a", uid: 7 }],
  },
  { what: "a PAX keyword twice: the last counts", tar: [pax(["path", "a"], ["path", "b"]), header(), end], entries: [{ path: "b" }] },
  {
    what: "PAX keywords that mean nothing here",
    tar: [pax(["comment", "x"], ["LIBARCHIVE.creationtime", "1"], ["atime", "nonsense"]), header(), end],
    entries: [{ path: "f" }],
  },
  {
    what: "extended attributes with NUL, newline and equals sign",
    tar: [pax(["SCHILY.xattr.security.capability", "\x01\0\n=\xff"], ["SCHILY.xattr.user.a=b", "c"]), header(), end],
    entries: [
      {
        xattrs: new Map([
          ["security.capability", "\x01\0\n=\xff"],
          ["user.a", "b=c"],
        ]),
      },
    ],
  },
  {
    what: "a PAX header that applies to one entry alone",
    tar: [pax(["path", "a"]), header(), header(), end],
    entries: [{ path: "a" }, { path: "f" }],
  },
  {
    what: "the later of two PAX headers",
    tar: [pax(["path", "a"], ["uid", "5"]), pax(["path", "b"]), header(), end],
    entries: [{ path: "b", uid: 0 }],
  },
  {
    what: "a global PAX header, ignored",
    tar: [member({ flag: "g" }, "14 path=global\n"), header({ name: "a" }), end],
    entries: [{ path: "a" }],
  },
  {
    what: "GNU long names",
    tar: [member({ flag: "L", magic: gnu }, `${long}\0`), member({ flag: "K", magic: gnu }, `${long}2\0`), header({ flag: "2" }), end],
    entries: [{ path: long, link: `${long}2` }],
  },
  {
    what: "a GNU long name and a PAX path: GNU's counts",
    tar: [pax(["path", "a"]), member({ flag: "L" }, "b\0"), header(), end],
    entries: [{ path: "b" }],
  },
  { what: "a volume label, ignored", tar: [header({ flag: "V", name: "label" }), header({ name: "a" }), end], entries: [{ path: "a" }] },
  {
    what: "numbers in base 256",
    tar: [header({ uid: base256(3_000_000n, 8), gid: base256(5n, 8), mtime: base256(-5n, 12) }), end],
    entries: [{ uid: 3_000_000, gid: 5, mtime: -5 }],
  },
  {
    what: "a size in base 256",
    tar: [header({ size: base256(3n, 12) }), Buffer.from("abc".padEnd(512, "\0")), end],
    entries: [{ size: 3, content: "abc" }],
  },
  {
    what: "numbers padded with spaces",
    tar: [header({ mode: "   755 \0", uid: " 12 \0\0\0\0" }), end],
    entries: [{ mode: 0o755, uid: 10 }],
  },
  { what: "file type bits in the mode", tar: [header({ mode: "0100755" }), end], entries: [{ mode: 0o755 }] },
  { what: "a checksum of signed bytes", tar: [header({ name: "\xff\xff", checksum: "signed" }), end], entries: [{ path: "\xff\xff" }] },
  { what: "no trailer", tar: [member({ name: "a" }, "x")], entries: [{ path: "a", content: "x" }] },
  { what: "half a trailer", tar: [member({ name: "a" }, "x"), Buffer.alloc(512)], entries: [{ path: "a" }] },
  { what: "no padding after the last content", tar: [header({ size: 3 }), Buffer.from("abc")], entries: [{ content: "abc" }] },
  {
    what: "anything after the trailer",
    tar: [header({ name: "a" }), end, Buffer.from("garbage"), header({ name: "b" })],
    entries: [{ path: "a" }],
  },
  {
    what: "a GNU sparse file",
    tar: [
      header({
        flag: "S",
        magic: gnu,
        size: 6,
        at: oldSparse(
          [
            [2, 3],
            [8, 3],
          ],
          20,
        ),
      }),
      Buffer.from("abcdef".padEnd(512, "\0")),
      header({ name: "z" }),
      end,
    ],
    entries: [{ type: "file", size: 20, content: holes(2, "abc", 3, "def", 9) }, { path: "z" }],
  },
  {
    what: "a GNU sparse file of one hole",
    tar: [header({ flag: "S", magic: gnu, size: 0, at: oldSparse([[200_000, 0]], 200_000) }), end],
    entries: [{ size: 200_000, content: Buffer.alloc(200_000) }],
  },
  {
    what: "a GNU sparse file with more pieces than its header holds",
    tar: [
      header({
        flag: "S",
        magic: gnu,
        size: 6,
        at: oldSparse(
          [
            [0, 1],
            [10, 1],
            [20, 1],
            [30, 1],
          ],
          60,
          true,
        ),
      }),
      Buffer.concat([
        Buffer.from(
          [
            [40, 1],
            [50, 1],
          ]
            .map(([a, b]) => `${a?.toString(8).padStart(11, "0")}\0${b?.toString(8).padStart(11, "0")}\0`)
            .join(""),
        ),
        Buffer.alloc(512 - 48),
      ]),
      Buffer.from("abcdef".padEnd(512, "\0")),
      header({ name: "z" }),
    ],
    entries: [{ size: 60, content: holes("a", 9, "b", 9, "c", 9, "d", 9, "e", 9, "f", 9) }, { path: "z" }],
  },
  {
    what: "a PAX sparse file 0.0",
    tar: [
      pax(
        ["GNU.sparse.size", "10"],
        ["GNU.sparse.numblocks", "2"],
        ["GNU.sparse.offset", "1"],
        ["GNU.sparse.numbytes", "2"],
        ["GNU.sparse.offset", "6"],
        ["GNU.sparse.numbytes", "1"],
      ),
      member({}, "abc"),
      end,
    ],
    entries: [{ size: 10, content: holes(1, "ab", 3, "c", 3) }],
  },
  {
    what: "a PAX sparse file 0.1",
    tar: [
      pax(["GNU.sparse.name", "real"], ["GNU.sparse.size", "10"], ["GNU.sparse.map", "1,2,6,1"]),
      member({ name: "GNUSparseFile.1/real" }, "abc"),
      end,
    ],
    entries: [{ path: "real", size: 10, content: holes(1, "ab", 3, "c", 3) }],
  },
  {
    what: "a PAX sparse file 1.0",
    tar: [
      pax(["GNU.sparse.major", "1"], ["GNU.sparse.minor", "0"], ["GNU.sparse.name", "real"], ["GNU.sparse.realsize", "10"]),
      member({ name: "x" }, `${"2\n1\n2\n6\n1\n".padEnd(512, "\0")}abc`),
      header({ name: "z" }),
      end,
    ],
    entries: [{ path: "real", size: 10, content: holes(1, "ab", 3, "c", 3) }, { path: "z" }],
  },
];

for (const { what, tar, entries } of rows) {
  test(`readTar reads ${what}`, async () => {
    for (const chunk of [1, 100, 512, 1 << 20]) {
      const read = await readAll(Buffer.concat(tar), { chunk });
      assert.equal(read.length, entries.length);
      for (const [i, { content, ...fields }] of entries.entries()) {
        const found = read[i];
        assert(found);
        for (const [key, value] of Object.entries(fields)) assert.deepEqual(found.entry[key as keyof Entry], value, key);
        if (content !== undefined) assert.deepEqual(found.content, Buffer.from(content));
        assert.equal(found.content.length, found.entry.size);
      }
    }
  });
}

test("readTar skips contents that nobody reads, whole or in part", async () => {
  const tar = Buffer.concat([
    member({ name: "a" }, "x".repeat(2000)),
    member({ name: "b" }, "y".repeat(2000)),
    member({ name: "c" }, "z"),
    end,
  ]);
  const seen: string[] = [];
  for await (const { entry, content } of readTar(chunked(tar, 300))) {
    seen.push(entry.path);
    if (entry.path === "b") for await (const _ of content) break;
  }
  assert.deepEqual(seen, ["a", "b", "c"]);
});

test("readTar refuses to give a content twice or too late", async () => {
  const kept: AsyncIterable<Uint8Array>[] = [];
  for await (const { content } of readTar(chunked(Buffer.concat([member({}, "x"), member({ name: "g" }, "y"), end])))) {
    kept.push(content);
    if (kept.length === 1) continue;
    assert.equal((await collect(content)).toString(), "y");
    await assert.rejects(collect(content), /the archive has moved on/);
  }
  for (const content of kept) await assert.rejects(collect(content), /the archive has moved on/);
});

test("readTar reads its stream to the end, so that a digest over it is whole", async () => {
  let bytes = 0;
  const tar = Buffer.concat([header(), end, Buffer.alloc(5000, "x")]);
  async function* counted() {
    for await (const chunk of chunked(tar, 100)) {
      bytes += chunk.length;
      yield chunk;
    }
  }
  for await (const _ of readTar(counted()));
  assert.equal(bytes, tar.length);
});

test("readTar lets go of its stream when it is left early", async () => {
  let isClosed = false;
  async function* stream() {
    try {
      for (;;) yield member({}, "x");
    } finally {
      isClosed = true;
    }
  }
  for await (const _ of readTar(stream())) break;
  assert(isClosed);
});

test("readTar takes ustar archives whose version field is odd", async () => {
  const [read] = await readAll(header({ name: "a", prefix: "p", magic: `${ustar.slice(0, 6)}\0\0` }));
  assert.equal(read?.entry.path, "p/a");
});
