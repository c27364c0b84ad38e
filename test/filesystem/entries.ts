// Short ways to write the entries of a layer down.

import type { Attributes, Entry, EntryType, RawPath } from "../../src/layer/entry.ts";

const defaults: Attributes = {
  type: "file",
  mode: 0o644,
  uid: 0,
  gid: 0,
  mtime: 0,
  mtimeNs: 0,
  size: 0,
  link: "",
  devMajor: 0,
  devMinor: 0,
};

export function entry(path: RawPath, type: EntryType = "file", more: Partial<Entry> = {}): Entry {
  return { ...defaults, mode: type === "directory" ? 0o755 : type === "symlink" ? 0o777 : 0o644, ...more, path, type };
}

/** `a/` a directory, `a -> b` a symlink, `a => b` a hard link, else a file whose size tells it from others. */
export function layer(...lines: string[]): { entries: Entry[] } {
  return {
    entries: lines.map((line, i) => {
      const [path = "", link] = line.split(/ [=-]> /);
      if (line.includes(" -> ")) return entry(path, "symlink", { link: link ?? "" });
      if (line.includes(" => ")) return entry(path, "hardlink", { link: link ?? "" });
      if (path === "/") return entry("", "directory", { mtime: i });
      if (path.endsWith("/")) return entry(path.slice(0, -1), "directory", { mtime: i + 1 });
      const [name = "", size] = path.split("#");
      return entry(name, "file", { size: Number(size ?? 0) });
    }),
  };
}
