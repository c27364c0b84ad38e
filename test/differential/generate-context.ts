// Makes up a context: files, directories, links of every kind, archives, and an ignore file.

import type { ContextFile, Member } from "./program.ts";
import type { Random } from "./random.ts";

const names = [
  "a",
  "b",
  "c.txt",
  "d.txt",
  "e.go",
  "f.md",
  "src",
  "lib",
  "x y",
  "ü.txt",
  "日本",
  ".hidden",
  "-dash",
  "a[1]",
  "q'uote",
  "back\\slash",
  "UPPER",
  "v1.2",
  "#hash",
  "tab\tin",
  "$dollar",
  "%41",
  "e\u0301",
];
const plainNames = names.slice(0, 8);
const texts = ["", "one\n", "two\nlines\n", "no end", "$HOME ${A}\n", "\u0000\u0001binary", "#!/bin/sh\necho hi\n", "x".repeat(250)];
const fileModes = [0o644, 0o644, 0o644, 0o755, 0o600, 0o4755, 0o2755, 0o1644, 0o666, 0o777, 0o400, 0];
const directoryModes = [0o755, 0o755, 0o755, 0o700, 0o1777, 0o2775, 0o555, 0o777, 0o711];

export const pickTime = (random: Random): number =>
  random.pick([1_500_000_000, 1_000_000_000.75, 1, 0, 1_612_345_678.999, 1_650_000_000.5]);

export function generateContext(random: Random): ContextFile[] {
  const files: ContextFile[] = [];
  const taken = new Set<string>();
  const directories = [""];
  const fresh = (odd: number): string | undefined => {
    const parent = random.pick(directories);
    const name = random.chance(odd) ? random.pick(names) : random.pick(plainNames);
    const path = parent === "" ? name : `${parent}/${name}`;
    if (taken.has(path)) return undefined;
    taken.add(path);
    return path;
  };
  for (let left = 4 + random.int(14); left > 0; left--) {
    const path = fresh(25);
    if (path === undefined) continue;
    const file = generateFile(random, path, files);
    if (file.kind === "directory") directories.push(path);
    files.push(file);
  }
  if (random.chance(35)) files.push(...random.times(1, 2, (index) => generateArchive(random, index)));
  if (random.chance(25)) files.push(generateIgnoreFile(random, files));
  return files;
}

function generateFile(random: Random, path: string, files: readonly ContextFile[]): ContextFile {
  const time = pickTime(random);
  const regular = files.filter(({ kind }) => kind === "file");
  const kind = random.weigh([
    [50, "file"],
    [28, "directory"],
    [14, "symlink"],
    [regular.length > 0 ? 6 : 0, "hardlink"],
    [1, "fifo"],
  ] as const);
  switch (kind) {
    case "file":
      return { kind, path, text: random.pick(texts), mode: random.pick(fileModes), time };
    case "directory":
      return { kind, path, mode: random.pick(directoryModes), time };
    case "symlink":
      return { kind, path, target: pickTarget(random, files), time };
    case "hardlink":
      return { kind, path, target: random.pick(regular).path };
    case "fifo":
      return { kind, path: `${path}.fifo`, mode: 0o640, time };
  }
}

function pickTarget(random: Random, files: readonly ContextFile[]): string {
  const some = files.length > 0 ? random.pick(files).path : "a";
  return random.pick([
    some,
    some,
    some.split("/").at(-1) ?? some,
    `/${some}`,
    `../${some}`,
    "nowhere",
    "/etc/passwd",
    ".",
    "..",
    "../../../../etc",
    "loop",
  ]);
}

const memberNames = [
  "f",
  "d/g",
  "d/e/h",
  "./dot",
  "d/",
  "lib/",
  "l",
  "x y",
  "ü",
  "bin/tool",
  "//double",
  "d/../up",
  "/absolute",
  `${"long-".repeat(24)}name`,
  "p/q/r/s",
  "lnk/through",
  "data/new",
  "etc/passwd",
];

function generateArchive(random: Random, index: number): ContextFile {
  const compression = random.pick(["none", "gzip", "gzip", "bzip2", "xz", "zstd"] as const);
  const suffix = { none: "tar", gzip: "tar.gz", bzip2: "tbz2", xz: "txz", zstd: "tar.zst" }[compression];
  const members: Member[] = [];
  for (let left = 1 + random.int(7); left > 0; left--) members.push(generateMember(random, members));
  const name = random.chance(15) ? `plain${index}` : `archive${index}.${suffix}`;
  return { kind: "archive", path: name, compression, members };
}

function generateMember(random: Random, members: readonly Member[]): Member {
  const files = members.filter(({ type }) => type === "file");
  const name = random.pick(memberNames);
  const type = name.endsWith("/")
    ? "directory"
    : random.weigh([
        [55, "file"],
        [15, "directory"],
        [18, "symlink"],
        [files.length > 0 ? 10 : 0, "hardlink"],
        [2, "character"],
      ] as const);
  const base = {
    name,
    type,
    mode: random.pick(type === "directory" ? directoryModes : fileModes),
    uid: random.pick([0, 0, 1000, 12345, 2000000]),
    gid: random.pick([0, 0, 1000, 54321]),
    time: Math.floor(pickTime(random)),
  };
  if (type === "file") return { ...base, text: random.pick(texts), ...(random.chance(5) ? { pax: { mtime: "1400000000.25" } } : {}) };
  if (type === "symlink") return { ...base, mode: 0o777, link: random.pick(["f", "d", "../data", "/opt", "nowhere", "..", "/tmp"]) };
  if (type === "hardlink") return { ...base, link: random.pick(files).name };
  return base;
}

function generateIgnoreFile(random: Random, files: readonly ContextFile[]): ContextFile {
  const some = () => random.pick(files).path;
  const lines = random.times(1, 5, () => {
    const path = some();
    const [first = ""] = path.split("/");
    const pattern = random.pick([
      path,
      `/${path}`,
      `**/${path.split("/").at(-1)}`,
      `${first}/*`,
      `${first}/**`,
      "*.txt",
      "**/*.txt",
      "*",
      "?",
      "[a-c]*",
      "**",
      "#comment",
      "",
      `  ${path}  `,
      `./${path}`,
      `${path}/`,
      `${first}/../${first}`,
      "lib/*/",
      "**/src",
    ]);
    return random.chance(25) ? `!${pattern}` : pattern;
  });
  return { kind: "file", path: ".dockerignore", text: `${lines.join("\n")}\n`, mode: 0o644, time: 1_500_000_000 };
}
