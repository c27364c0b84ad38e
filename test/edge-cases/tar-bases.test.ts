// Base images whose archives are strange: each is read twice, as a tree by COPY and from the disk by a command, and both must agree.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { openSync, truncateSync, writeSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { toRaw } from "../../src/layer/entry.ts";
import { base256, end, gnu, header, member, padded, pax, paxRecord } from "../layer/raw-tar.ts";
import { openWorkbench } from "./workbench.ts";

const bench = openWorkbench();

const directory = (name: string, mode = "0000755") => header({ name, flag: "5", mode });
const file = (name: string, content: string) => member({ name }, content);
const symlink = (name: string, link: string) => header({ name, flag: "2", link });
const hardlink = (name: string, link: string) => header({ name, flag: "1", link });
const longName = (flag: string, name: string) => member({ name: "././@LongLink", flag, magic: gnu }, `${name}\0`);

/** The ways that GNU tar writes holes, each of a file `hole` of 300,000 bytes with an `x` at 100,000. */
function sparseTars(folder: string): readonly (readonly [form: string, tar: Buffer])[] {
  const handle = openSync(join(folder, "hole"), "w");
  writeSync(handle, "x", 100_000);
  truncateSync(join(folder, "hole"), 300_000);
  const forms = [
    ["--format=oldgnu"],
    ["--format=gnu"],
    ["--format=pax", "--sparse-version=0.0"],
    ["--format=pax", "--sparse-version=0.1"],
    ["--format=pax", "--sparse-version=1.0"],
  ];
  return forms.map((form): readonly [string, Buffer] => {
    const tar = execFileSync("tar", ["-C", folder, "--sparse", "--owner=0", "--group=0", ...form, "-cf", "-", "hole"]);
    assert.ok(tar.length < 100_000, "GNU tar has left the holes out");
    return [form.join(" "), tar];
  });
}

const deep = `${"d".repeat(60)}/${"e".repeat(60)}/${"f".repeat(60)}`;
const wide = `w/${"n".repeat(254)}`;

test("7.21 files with holes are read whole in every form that GNU tar gives them, as a base and by ADD", async (t) => {
  const tars = sparseTars(bench.directory());
  const whole = `f 644 0:0 hole ${"\0".repeat(100_000)}x${"\0".repeat(199_999)}`;
  const stages: string[] = [];
  for (const [i, [, tar]] of tars.entries()) {
    await bench.image(`sparse-${i}`, [tar]);
    stages.push(`COPY --from=sparse-${i} /hole /copied/${i}/`, `ADD sparse-${i}.tar /added/${i}/`);
  }
  const built = await bench.build({
    dockerfile: `FROM scratch\n${stages.join("\n")}`,
    files: Object.fromEntries(tars.map(([, tar], i) => [`sparse-${i}.tar`, tar])),
  });
  for (const [i, [form]] of tars.entries()) {
    const copied = await built.layer(2 * i);
    assert.equal(copied.at(-1), whole.replace("hole", `copied/${i}/hole`), form);
    assert.equal((await built.layer(2 * i + 1)).at(-1), whole.replace("hole", `added/${i}/hole`), form);
  }
  if (
    !(await bench.shell(
      t,
      "shell-sparse",
      tars.slice(0, 1).map(([, tar]) => tar),
    ))
  )
    return;
  const ran = await bench.build({ dockerfile: "FROM shell-sparse\nRUN stat -c %s /hole; tr -d '\\0' </hole" });
  assert.equal(ran.output, "300000\nx");
});

interface Case {
  readonly what: string;
  /** The layers from the bottom. */
  readonly layers: readonly (readonly Buffer[])[];
  /** What they come to, whole. */
  readonly gives: readonly string[];
}

const cases: readonly Case[] = [
  {
    what: "7.22 names and targets of more than 100 and 255 bytes in PAX and in GNU's form",
    layers: [
      [
        ...[pax(["path", `${deep}/a`]), file("short", "A"), longName("L", `${deep}/b`), file("short", "B")],
        ...[pax(["linkpath", deep]), symlink("l1", "short"), longName("K", deep), symlink("l2", "short")],
        ...[longName("K", `${deep}/a`), longName("L", `${deep}/c`), hardlink("short", "short"), pax(["path", wide]), file("short", "W")],
      ],
    ],
    gives: [
      ...[`d 755 0:0 ${"d".repeat(60)}`, `d 755 0:0 ${"d".repeat(60)}/${"e".repeat(60)}`, `d 755 0:0 ${deep}`],
      ...[`f 644 0:0 ${deep}/a A`, `f 644 0:0 ${deep}/b B`, `h ${deep}/c ${deep}/a`, `l l1 ${deep}`, `l l2 ${deep}`],
      ...["d 755 0:0 w", `f 644 0:0 ${wide} W`],
    ],
  },
  {
    what: "7.22 names in UTF-8, and bytes that are none",
    layers: [[pax(["path", toRaw("ünï/ß")]), file("x", "1"), file("\xff\xfe", "2")]],
    gives: [`d 755 0:0 ${toRaw("ünï")}`, `f 644 0:0 ${toRaw("ünï/ß")} 1`, "f 644 0:0 \xff\xfe 2"],
  },
  {
    what: "7.23 owners above seven octal digits, in PAX and in base 256",
    layers: [
      [
        ...[pax(["uid", "3000000"], ["gid", "3000001"]), file("a", "A")],
        member({ name: "b", uid: base256(4_000_000n, 8), gid: base256(4_000_001n, 8) }, "B"),
      ],
    ],
    gives: ["f 644 3000000:3000001 a A", "f 644 4000000:4000001 b B"],
  },
  {
    what: "7.23 a size in base 256 and in PAX",
    layers: [
      [header({ name: "a", size: base256(3n, 12) }), padded("abc"), pax(["size", "4"]), header({ name: "b", size: 0 }), padded("abcd")],
    ],
    gives: ["f 644 0:0 a abc", "f 644 0:0 b abcd"],
  },
  {
    what: "7.28 an opaque directory whose marker stands after what the layer puts there",
    layers: [
      [directory("d/"), file("d/old", "o"), file("d/sub/old", "o")],
      [directory("d/", "0000711"), file("d/new", "n"), file("d/.wh..wh..opq", "")],
    ],
    gives: ["d 711 0:0 d", "f 644 0:0 d/new n"],
  },
  {
    what: "7.28 or before it",
    layers: [
      [directory("d/"), file("d/old", "o")],
      [file("d/.wh..wh..opq", ""), file("d/new", "n")],
    ],
    gives: ["d 755 0:0 d", "f 644 0:0 d/new n"],
  },
  {
    what: "7.28 single whiteouts before and after what takes their place",
    layers: [
      [file("d/a", "1"), file("d/b", "1"), file("d/c", "1")],
      [file("d/.wh.a", ""), file("d/a", "2"), file("d/b", "2"), file("d/.wh.b", ""), file("d/.wh.c", "")],
    ],
    gives: ["d 755 0:0 d", "f 644 0:0 d/a 2", "f 644 0:0 d/b 2"],
  },
  {
    what: "7.29 a file, a directory and a link that take each other's places, without whiteouts",
    layers: [
      [
        directory("d/"),
        file("d/x", "x"),
        file("f", "f"),
        symlink("l", "kept"),
        directory("kept/"),
        file("kept/k", "k"),
        symlink("m", "kept"),
      ],
      [file("d", "now a file"), directory("f/"), file("f/y", "y"), directory("l/"), file("l/z", "z"), file("m", "now a file")],
    ],
    gives: [
      ...["f 644 0:0 d now a file", "d 755 0:0 f", "f 644 0:0 f/y y", "d 755 0:0 kept", "f 644 0:0 kept/k k"],
      ...["d 755 0:0 l", "f 644 0:0 l/z z", "f 644 0:0 m now a file"],
    ],
  },
  {
    what: "7.30 of two entries of a path the last one wins",
    layers: [[file("a", "first"), file("b", "b"), file("a", "second"), directory("c/", "0000700"), directory("c/", "0000711")]],
    gives: ["f 644 0:0 a second", "f 644 0:0 b b", "d 711 0:0 c"],
  },
  {
    what: "7.30 a hard link to a path that comes earlier in its layer, and to one of a lower layer",
    layers: [[file("low", "L")], [file("a", "A"), hardlink("b", "a"), hardlink("c", "low")]],
    gives: ["f 644 0:0 a A", "h b a", "f 644 0:0 c L", "h low c"],
  },
  {
    what: "7.30 a hard link whose target is replaced afterwards keeps the old file",
    layers: [
      [file("a", "1"), hardlink("b", "a"), file("a", "2"), hardlink("c", "a"), file("a", "3"), file("n/x", "x"), hardlink("y", "n/x")],
      [file("p", "P"), hardlink("q", "p"), symlink("p", "q"), file("n", "N"), file("r", "R"), hardlink("s", "r")],
      [file("r", "other")],
    ],
    gives: [
      ...["f 644 0:0 a 3", "f 644 0:0 b 1", "f 644 0:0 c 2", "f 644 0:0 n N", "f 644 0:0 y x", "l p q", "f 644 0:0 q P"],
      ...["f 644 0:0 r other", "f 644 0:0 s R"],
    ],
  },
  {
    what: "7.30 also where a directory made room with it, and came back with another file of the name",
    layers: [
      [
        file("d/f", "1"),
        hardlink("e", "d/f"),
        symlink("d", "e"),
        directory("d/"),
        file("d/f", "2"),
        hardlink("g", "d/f"),
        file("d/f", "3"),
      ],
    ],
    gives: ["d 755 0:0 d", "f 644 0:0 d/f 3", "f 644 0:0 e 1", "f 644 0:0 g 2"],
  },
  {
    what: "7.31 names with ./, a slash at the front, a/../b and a slash at the end of a file",
    layers: [
      [directory("./"), file("./a", "1"), file("/b", "2"), file("x/../c", "3"), file("d//./e", "4"), header({ name: "g/", flag: "0" })],
    ],
    gives: ["f 644 0:0 a 1", "f 644 0:0 b 2", "f 644 0:0 c 3", "d 755 0:0 d", "f 644 0:0 d/e 4", "f 644 0:0 g"],
  },
  {
    what: "7.31 directories that are not listed are 0755, a PAX global header changes nothing, an entry without a name is the root",
    layers: [
      [
        member({ name: "pax_global_header", flag: "g" }, paxRecord("mode", "0777") + paxRecord("uid", "7")),
        file("m/n/o", "O"),
        directory(""),
      ],
    ],
    gives: ["d 755 0:0 m", "d 755 0:0 m/n", "f 644 0:0 m/n/o O"],
  },
  {
    what: "7.31 names that climb out, and links that lead out, stay below the root; targets stay as they are written",
    layers: [
      [
        file("../../../up", "1"),
        symlink("abs", "/etc"),
        file("abs/in", "2"),
        symlink("rel", "../../../etc"),
        file("rel/also", "3"),
        symlink("far", "../../x"),
      ],
    ],
    gives: [
      "l abs /etc",
      "d 755 0:0 etc",
      "f 644 0:0 etc/also 3",
      "f 644 0:0 etc/in 2",
      "l far ../../x",
      "l rel ../../../etc",
      "f 644 0:0 up 1",
    ],
  },
];

/** A shell script that writes the same lines about some paths. */
const lister = `show() {
  for p; do
    if [ -L "/$p" ]; then echo "l $p $(readlink "/$p")"
    elif [ -d "/$p" ]; then echo "d $(stat -c '%a %u:%g' "/$p") $p"
    elif [ -f "/$p" ]; then echo "f $(stat -c '%a %u:%g' "/$p") $p $(cat "/$p")"
    else echo "- $p"; fi
  done
}`;

async function readTwice(t: TestContext, name: string, { layers, gives }: Case): Promise<void> {
  const tars = layers.map((parts) => Buffer.concat([...parts, end]));
  await bench.image(name, tars);
  const copied = await bench.build({ dockerfile: `FROM scratch\nCOPY --from=${name} / /` });
  assert.deepEqual((await copied.layer(-1)).sort(), [...gives].sort(), "as a tree");
  if (!(await bench.shell(t))) return;
  // Bytes that are no UTF-8 come into the script as octal numbers.
  const paths = gives.map((line) => (/^[lh] (\S+)/.exec(line) ?? /^\S \S+ \S+ (\S+)/.exec(line))?.[1] ?? "");
  const quote = (path: string) => `"$(printf '${[...path].map((c) => `\\${c.charCodeAt(0).toString(8).padStart(3, "0")}`).join("")}')"`;
  await bench.shell(t, `shell-${name}`, tars);
  const ran = await bench.build({
    dockerfile: `FROM shell-${name}\nRUN <<'SCRIPT'\n${lister}\nshow ${paths.map(quote).join(" ")}\nSCRIPT`,
  });
  const first = new Map(gives.filter((line) => line.startsWith("f")).map((line) => [line.split(" ")[3], line]));
  const wanted = gives.map((line) => {
    const [, path = "", target = ""] = /^h (\S+) (\S+)$/.exec(line) ?? [];
    return path === "" ? line : (first.get(target)?.replace(` ${target} `, ` ${path} `) ?? line);
  });
  assert.deepEqual(ran.rawOutput.trimEnd().split("\n").sort(), wanted.map((line) => line.trimEnd()).sort(), "on disk");
}

for (const [i, one] of cases.entries()) test(one.what, (t) => readTwice(t, `case-${i}`, one));
