// Archives that are unpacked, by ADD and as contexts: recognised by content, put into a draft as tar(1) would put them on disk.

import { randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open } from "node:fs/promises";
import { join } from "node:path";
import { type Draft, type FileView, joinPath, type NewDirectory, parentOf, resolvePath } from "../filesystem/filesystem.ts";
import { type Attributes, type Content, type RawPath, toBytes, toRaw } from "../layer/entry.ts";
import { decompress, MissingProgramError, readTar, runProgram } from "../layer/layer.ts";

export interface ArchiveTools {
  /** A directory, made when it is needed, that keeps what files of archives hold for as long as it is needed. */
  readonly scratch: string;
  readonly signal: AbortSignal;
}

export interface ArchiveOptions {
  /** Whose everything becomes; undefined: as the archive says. */
  readonly owner: { readonly uid: number; readonly gid: number } | undefined;
  /** Seconds since 1970: the time of directories that the archive needs and does not hold. */
  readonly now: number;
}

type ArchiveKind = "tar" | "gzip" | "bzip2" | "xz" | "zstd";

const magics: readonly (readonly [ArchiveKind, readonly number[]])[] = [
  ["gzip", [0x1f, 0x8b, 0x08]],
  ["bzip2", [0x42, 0x5a, 0x68]],
  ["xz", [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
  ["zstd", [0x28, 0xb5, 0x2f, 0xfd]],
];

/** Thrown for an archive that this machine cannot look into. */
class UnpackError extends Error {
  readonly hint: string;
  constructor(message: string, hint: string, cause: unknown) {
    super(message, { cause });
    this.hint = hint;
  }
}

/** Debian's names; elsewhere they are much the same. */
const packages: Readonly<Record<string, string>> = { bzip2: "bzip2", xz: "xz-utils" };

/** The tar inside. */
async function* openArchive(archive: Content): AsyncIterable<Uint8Array> {
  const kind = await sniff(archive);
  if (kind === "bzip2" || kind === "xz") yield* runProgram(kind, ["-dc"], readRange(archive));
  else yield* decompress(readRange(archive));
}

/** The bytes of a file, wherever they are. */
export async function* readRange(content: Content): AsyncIterable<Uint8Array> {
  if (content.kind === "bytes") yield content.bytes;
  else if (content.size > 0)
    yield* createReadStream(toBytes(content.path), {
      start: content.offset,
      end: content.offset + content.size - 1,
      highWaterMark: 1 << 20,
    });
}

/** What wraps a file's content, by its first bytes; undefined when it can be no archive. */
async function sniff(content: Content): Promise<ArchiveKind | undefined> {
  for await (const start of readRange(content)) {
    const found = magics.find(([, magic]) => magic.every((byte, i) => start[i] === byte));
    return found === undefined ? "tar" : found[0];
  }
  return undefined;
}

/**
 * Whether a file is a tar, plain or compressed, whose first header parses. Throws with advice where the program for it is missing, to
 * which `otherwise` adds what can be done instead.
 */
export async function isArchive(content: Content, otherwise = ""): Promise<boolean> {
  try {
    for await (const _ of readTar(openArchive(content))) return true;
  } catch (error) {
    if (!(error instanceof MissingProgramError)) return false;
    const { program } = error;
    const hint = `install the package ${packages[program] ?? program}${otherwise}`;
    throw new UnpackError(`Cannot tell whether a file compressed with ${program} is an archive: ${program} is not installed`, hint, error);
  }
  return false;
}

/** What an archive's hard links may name. */
interface UnpackedFile {
  /** Those of its last header so far. */
  attributes: Attributes;
  readonly inode: object;
  readonly content: Content | undefined;
  /** Where it has been put, though something else may stand there by now. */
  readonly names: RawPath[];
}

/**
 * Unpacks an archive below a directory, which is made where it is absent; directories that it lacks are root's. Nothing is written to
 * disk under a name of the archive's. Gives the newest time of its files.
 */
export async function unpackArchive(
  draft: Draft,
  archive: Content,
  destination: RawPath,
  options: ArchiveOptions,
  tools: ArchiveTools,
): Promise<{ readonly newest: number | undefined }> {
  const made: NewDirectory = { mode: 0o755, owner: options.owner, mtime: options.now };
  const implied: NewDirectory = { ...made, owner: undefined, isPlain: true };
  const root = resolvePath(draft, destination).path;
  draft.makeDirectories(root, made);
  const below: FileView = { lstat: (path) => draft.lstat(joinPath(root, path)), list: (path) => draft.list(joinPath(root, path)) };
  await mkdir(tools.scratch, { recursive: true, mode: 0o700 });
  const spoolPath = join(tools.scratch, randomUUID());
  await using spool = await open(spoolPath, "w");
  let offset = 0;
  let newest: number | undefined;
  const files = new Map<RawPath, UnpackedFile>();
  for await (const { entry, content } of readTar(openArchive(archive))) {
    tools.signal.throwIfAborted();
    const { path: name, sha256: _, text: __, ...attributes } = entry;
    if (entry.type === "file" || entry.type === "hardlink") newest = Math.max(entry.mtime, newest ?? entry.mtime);
    const owned = { ...attributes, ...options.owner, mtimeNs: 0 };
    if (name === "") continue;
    // Links in an archive lead no further than where it is unpacked.
    const parent = joinPath(root, resolvePath(below, parentOf(name)).path);
    draft.makeDirectories(parent, implied);
    const path = joinPath(parent, name.slice(name.lastIndexOf("/") + 1));
    if (entry.type === "hardlink") {
      const target = files.get(joinPath(root, resolvePath(below, entry.link, { followLast: false }).path));
      if (target === undefined) throw new Error(`Cannot unpack archive: hard link "${name}" names "${entry.link}", which it does not hold`);
      // Like the archive package of Docker, which gives the file what the header of its last name says.
      const { type, size, link, devMajor, devMinor } = target.attributes;
      target.attributes = { ...owned, type, size, link, devMajor, devMinor };
      target.names.push(path);
      files.set(path, target);
      draft.put(path, target);
      continue;
    }
    const start = offset;
    for await (const chunk of content) {
      await spool.write(chunk, 0, chunk.length, offset);
      offset += chunk.length;
    }
    if (entry.type === "directory") {
      const existing = draft.lstat(path)?.attributes.type;
      if (existing !== undefined && existing !== "directory") draft.remove(path);
      files.delete(path);
      draft.put(path, { attributes: owned });
      continue;
    }
    const spooled: Content = { kind: "file", path: toRaw(spoolPath), offset: start, size: offset - start };
    const file = { attributes: owned, inode: {}, content: spooled.size > 0 ? spooled : undefined, names: [path] };
    files.set(path, file);
    draft.put(path, file);
  }
  settleLinks(draft, files.values());
  return { newest };
}

/** Gives all names of a file what its last header said. */
function settleLinks(draft: Draft, files: Iterable<UnpackedFile>): void {
  for (const file of new Set(files)) {
    if (file.names.length === 1) continue;
    for (const name of file.names) if (draft.lstat(name)?.inode === file.inode) draft.put(name, file);
  }
}
