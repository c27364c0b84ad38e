// A program of the differential test: a Dockerfile in blocks, the context as data, and how to build it.

/** `path` is relative to the context. Times are seconds since 1970, with fractions. */
export type ContextFile =
  | { readonly kind: "file"; readonly path: string; readonly text: string; readonly mode: number; readonly time: number }
  | { readonly kind: "directory"; readonly path: string; readonly mode: number; readonly time: number }
  | { readonly kind: "symlink"; readonly path: string; readonly target: string; readonly time: number }
  /** Another name of the file at `target`, a path of the context. */
  | { readonly kind: "hardlink"; readonly path: string; readonly target: string }
  | { readonly kind: "fifo"; readonly path: string; readonly mode: number; readonly time: number }
  | { readonly kind: "archive"; readonly path: string; readonly compression: Compression; readonly members: readonly Member[] };

export type Compression = "none" | "gzip" | "bzip2" | "xz" | "zstd";

/** An entry of an archive, its name as it stands there. */
export interface Member {
  readonly name: string;
  readonly type: "file" | "directory" | "symlink" | "hardlink" | "fifo" | "character" | "block";
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly time: number;
  readonly text?: string;
  readonly link?: string;
  /** Names and values of a PAX header that goes before. */
  readonly pax?: Readonly<Record<string, string>>;
}

export interface Program {
  /** Directives, instructions with their comments, heredocs and continuations; `REGISTRY/` stands for the registry of the bases. */
  readonly blocks: readonly string[];
  readonly files: readonly ContextFile[];
  readonly target?: string;
  readonly buildArgs: Readonly<Record<string, string>>;
  /** By id. */
  readonly secrets: Readonly<Record<string, string>>;
}

export function dockerfileOf(program: Program, host: string): string {
  return `${program.blocks.join("\n")}\n`.replaceAll("REGISTRY/", `${host}/`);
}
