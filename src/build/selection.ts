// Digests of what steps take from contexts and stages: names, types, modes, owners, links and contents, and no times.

import { Draft, emptyTree, type FileNode, type FileView, joinPath, resolvePath, type TakeDigest } from "../filesystem/filesystem.ts";
import type { Content, LayerItem, RawPath } from "../layer/entry.ts";
import { digestContent } from "../layer/layer.ts";
import { copyPath } from "./copy.ts";
import { listSource } from "./mount-source.ts";
import type { CopyStep } from "./plan.ts";
import { selectSources } from "./select.ts";
import { filterOf } from "./step-copy.ts";
import { TextHash } from "./text-hash.ts";
import { type ContextFiles, type ReadXattrs, remember } from "./xattrs.ts";

/** Files whose digests can be had: a stage's tree knows them, of a context they are read. */
export interface DigestedView {
  readonly view: FileView;
  readonly keepsOwners: boolean;
  /** 64 hex digits, of a file that is not empty; undefined where nobody knows. */
  digest(path: RawPath): Promise<string | undefined>;
  /** Extended attributes of files that the view does not tell. */
  readonly xattrs?: ReadXattrs | undefined;
  /** Is told of everything that counts: the path in these files, and what stands for it. */
  note?(path: RawPath, mark: string): void;
}

/**
 * A context that stays as it was when it was first looked at: attributes are read once, and a file whose digest has been taken must still
 * have it when its layer is written.
 */
export interface SettledFiles extends ContextFiles {
  digest(path: RawPath): Promise<string>;
}

export function settleFiles(files: ContextFiles): SettledFiles {
  const nodes = new Map<RawPath, FileNode | undefined>();
  const digests = new Map<RawPath, string>();
  const { contents } = files;
  const sizeOf = (path: RawPath) => nodes.get(path)?.attributes.size ?? 0;
  // What has another size by now is read again, which tells what is wrong.
  const take: TakeDigest = (path, size, sha256) => size === sizeOf(path) && digests.set(path, sha256);
  const readAll = contents && ((paths: readonly RawPath[]) => contents(largeFirst(paths, sizeOf), take));
  const read = readAll ?? files.xattrs;
  return {
    ...files,
    xattrs: read && remember(read),
    lstat(path) {
      if (!nodes.has(path)) nodes.set(path, files.lstat(path));
      const node = nodes.get(path);
      const sha256 = digests.get(path);
      return node === undefined || sha256 === undefined ? node : { ...node, sha256 };
    },
    content: (path) => files.content(path, nodes.get(path)?.attributes),
    async digest(path) {
      const known = digests.get(path);
      if (known !== undefined) return known;
      const sha256 = await digestContent(files.content(path, nodes.get(path)?.attributes));
      digests.set(path, sha256);
      return sha256;
    },
  };
}

/** So that no core is left with a large one when the others have nothing to do any more. */
function largeFirst(paths: readonly RawPath[], sizeOf: (path: RawPath) => number): readonly RawPath[] {
  const large: RawPath[] = [];
  const others: RawPath[] = [];
  for (const path of paths) (sizeOf(path) >= 1 << 20 ? large : others).push(path);
  return large.length === 0 ? paths : [...large, ...others];
}

/** What a COPY or ADD takes by paths; undefined where the digest of some file is not known. Throws a SourceNotFound. */
export async function digestCopied(step: CopyStep, source: DigestedView): Promise<string | undefined> {
  const hash = new TextHash("latin1");
  // With --parents, a directory that is there already takes the mode that the source has before --chmod.
  const mode = step.parents ? undefined : step.chmod;
  const copies = step.sources.flatMap((operand) =>
    operand.kind === "path"
      ? selectSources(source.view, operand.path, step.parents).map((path) => {
          const draft = new Draft(emptyTree);
          // Below a directory of its own, so that neither the destination nor another source can be in the way.
          copyPath(draft, source, path, "x/", { owner: undefined, mode, filter: filterOf(step, operand.path), now: 0 });
          return { path, draft };
        })
      : [],
  );
  const xattrs = await source.xattrs?.(sourcesOf(copies));
  for (const { path, draft } of copies) {
    if (xattrs !== undefined) draft.addXattrs(xattrs);
    const items = draft.items({ locate: standIn, hasDigest: async () => false });
    const isDirectory = resolvePath(source.view, path).node?.attributes.type === "directory";
    // What a directory holds may lie elsewhere than a file of the same name.
    hash.update(isDirectory ? "contents\n" : "itself\n");
    const pathOf = (below: RawPath) => (isDirectory ? joinPath(path, below.slice("x/".length)) : path);
    if (!(await addItems(hash, items, source, pathOf))) return undefined;
  }
  return hash.digest("hex");
}

function* sourcesOf(copies: readonly { readonly draft: Draft }[]): Generator<RawPath, void, void> {
  for (const { draft } of copies) yield* draft.sources();
}

/** What a mount shows of a path; undefined and throws as above. */
export async function digestMounted(source: RawPath, files: DigestedView): Promise<string | undefined> {
  const hash = new TextHash("latin1");
  const items = await listSource({ ...files, locate: async () => standIn }, source);
  return (await addItems(hash, items, files, (below) => joinPath(source, below))) ? hash.digest("hex") : undefined;
}

/** The items' contents are the paths they come from. */
function standIn(path: RawPath): Content {
  return { kind: "file", path, offset: 0, size: 0 };
}

function sourceOf({ content }: LayerItem): RawPath | undefined {
  return content?.kind === "file" ? content.path : undefined;
}

async function addItems(
  hash: TextHash,
  items: Iterable<LayerItem> | AsyncIterable<LayerItem>,
  source: DigestedView,
  pathOf: (path: RawPath) => RawPath,
): Promise<boolean> {
  for await (const item of items) {
    const { path, type, mode, uid, gid, size, link, devMajor, devMinor, xattrs } = item.entry;
    const from = sourceOf(item);
    const content = from === undefined ? "" : await source.digest(from);
    if (content === undefined) return false;
    const capability = xattrs?.get("security.capability") ?? "";
    const what = `${type} ${mode} ${uid} ${gid} ${size} ${devMajor} ${devMinor} ${content}`;
    hash.update(`${what} ${path.length}:${path}${link.length}:${link}${capability.length}:${capability}\n`);
    const held = content === "" ? `${type} ${link}` : `${content.slice(0, 12)}${Buffer.from(capability, "latin1").toString("hex")}`;
    // Of contexts that keep their owners; those of others count for nothing.
    const owner = uid === 0 && gid === 0 ? "" : ` ${uid}:${gid}`;
    source.note?.(from ?? pathOf(path), `${mode.toString(8)} ${held}${owner}`);
  }
  return true;
}
