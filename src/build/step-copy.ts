// Carries out COPY, ADD and WORKDIR: what they select, as the items of a new layer.

import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { type ArchiveTools, isArchive, unpackArchive } from "../context/context.ts";
import type { LateRuleName } from "../dockerfile/dockerfile.ts";
import { Draft, directoryAttributes, type FileView, findOwner, nameOf, resolvePath, type Tree } from "../filesystem/filesystem.ts";
import { type Attributes, type Content, type LayerItem, type RawPath, toBytes, toRaw, toText } from "../layer/entry.ts";
import { accountsOf } from "./accounts.ts";
import { type CopyOptions, type CopySource, copyPath } from "./copy.ts";
import type { Downloads } from "./downloads.ts";
import { blaming } from "./failure.ts";
import { Filter } from "./filter.ts";
import type { CopyOperand, CopyStep, WorkdirStep } from "./plan.ts";
import { cleanPath, selectSources, splitPivot } from "./select.ts";
import type { ReadXattrs } from "./xattrs.ts";

/** Files to copy from, and how to get at their bytes once it is known which are needed. */
export interface StepSource {
  readonly view: FileView;
  readonly keepsOwners: boolean;
  /** Finds the bytes of these files, and of no others. */
  locate(paths: Iterable<RawPath>): Promise<(path: RawPath) => Content | undefined>;
  /** Extended attributes of files that the view does not tell. */
  readonly xattrs?: ReadXattrs | undefined;
}

export interface StepTools extends ArchiveTools {
  /** Seconds since 1970. */
  readonly now: number;
  readonly downloads: Pick<Downloads, "download" | "checkOut">;
  /** Resolves when the tree has the digests of all its files; left out where it has. */
  readonly digested?: (() => Promise<unknown>) | undefined;
  warn(rule: LateRuleName, text: string): void;
}

/** The layer of a WORKDIR: each directory it had to make, owned by the USER in force. */
export function makeWorkdir(step: WorkdirStep, tree: Tree, tools: StepTools): AsyncIterable<LayerItem> {
  const draft = new Draft(tree);
  const owner = step.user === "" ? undefined : lookUpOwner("USER", step.user, tree, tools);
  draft.makeDirectories(resolvePath(draft, step.path).path, { mode: 0o755, owner, mtime: tools.now });
  return draft.items({ locate: () => undefined, hasDigest });
}

/** The layer of a COPY or ADD, whose items can be taken once. */
export async function copyFiles(step: CopyStep, tree: Tree, source: StepSource, tools: StepTools): Promise<AsyncIterable<LayerItem>> {
  const draft = new Draft(tree);
  const options: CopyOptions = {
    owner: step.chown === undefined ? undefined : lookUpOwner("--chown", step.chown, tree, tools),
    mode: step.chmod,
    filter: undefined,
    now: tools.now,
  };
  const namedOutright: RawPath[] = [];
  for (const [index, operand] of step.sources.entries()) await blaming({ of: "source", index }, () => take(operand));
  if (namedOutright.length > 0) tools.warn("NamedFileNotExcluded", excludeWarning(namedOutright));
  draft.addXattrs((await source.xattrs?.(draft.sources())) ?? new Map());
  return draft.items({ locate: await source.locate(draft.sources()), digested: tools.digested, hasDigest });

  async function take(operand: CopyOperand): Promise<void> {
    if (operand.kind === "inline") {
      const bytes = Buffer.from(operand.text);
      const attributes = { ...plainFile, mode: 0o644, mtime: tools.now, size: bytes.length };
      copyPath(draft, fileSource(operand.name, attributes, { kind: "bytes", bytes }), operand.name, step.destination, options);
      return;
    }
    if (operand.kind === "url") {
      const { path, size, mtime } = await tools.downloads.download(operand);
      const content: Content = { kind: "file", path: toRaw(path), offset: 0, size };
      const file = fileSource(operand.name, { ...plainFile, mode: 0o600, mtime, size }, content);
      if (operand.unpack && (await isArchive(content, orWhole)))
        await unpackArchive(draft, content, cleanPath(step.destination), options, tools);
      else copyPath(draft, file, operand.name, step.destination, options);
      return;
    }
    if (operand.kind === "git") {
      const checkout = await tools.downloads.checkOut(operand);
      const source = { view: checkout, keepsOwners: false, content: (path: RawPath) => checkout.content(path) };
      copyPath(draft, source, checkout.base, step.destination, { ...options, filter: filterOf(step, "") });
      return;
    }
    const filter = filterOf(step, operand.path);
    const selected = selectSources(source.view, operand.path, step.parents);
    if (selected.length === 0) tools.warn("WildcardSelectsNothing", `"${toText(operand.path)}" matches nothing, so nothing is copied`);
    for (const path of selected) {
      if (filter?.wouldExclude(nameOf(path)) && resolvePath(source.view, path).node?.attributes.type !== "directory")
        namedOutright.push(path);
      const archive = operand.unpack ? await archiveAt(source, path) : undefined;
      if (archive === undefined) copyPath(draft, source, path, step.destination, { ...options, filter });
      else await unpackArchive(draft, archive, cleanPath(step.destination), options, tools);
    }
  }
}

/** What `--parents` and `--exclude` leave of a source. */
export function filterOf(step: CopyStep, source: RawPath): Filter | undefined {
  if (step.parents) return new Filter(splitPivot(source).pattern, step.exclude);
  return step.exclude.length === 0 ? undefined : new Filter(undefined, step.exclude);
}

/** https://github.com/moby/buildkit/issues/5489 */
function excludeWarning([first = "", ...rest]: readonly RawPath[]): string {
  const others = rest.length === 0 ? "" : ` and ${rest.length} more`;
  return `--exclude does not keep "${toText(first)}"${others} out: as in BuildKit, it hides what is in a copied directory, not a file that a source names or matches`;
}

async function archiveAt(source: StepSource, path: RawPath): Promise<Content | undefined> {
  const followed = resolvePath(source.view, path);
  if (followed.node?.attributes.type !== "file" || followed.node.attributes.size === 0) return undefined;
  const content = (await source.locate([followed.path]))(followed.path);
  return content !== undefined && (await isArchive(content, orWhole)) ? content : undefined;
}

/** `word` is what asks for the owner. */
function lookUpOwner(word: string, spec: string, tree: Tree, tools: StepTools): { uid: number; gid: number } {
  const { uid, gid, unknown } = findOwner(accountsOf(tree), spec);
  for (const name of unknown) tools.warn("UnknownOwner", `${word}: "${name}" is not in the image's accounts; as in BuildKit, 0 is used`);
  return { uid, gid };
}

const plainFile = { type: "file", uid: 0, gid: 0, mtimeNs: 0, link: "", devMajor: 0, devMinor: 0 } as const;

const orWhole = ", or take the file as it is with ADD --unpack=false";

/** A view of one file that is in no tree. */
function fileSource(name: RawPath, attributes: Attributes, content: Content): CopySource {
  const file = { attributes, inode: undefined };
  const root = { attributes: directoryAttributes(0o755, 0, 0, attributes.mtime), inode: undefined };
  return {
    view: { lstat: (path) => (path === "" ? root : path === name ? file : undefined), list: (path) => (path === "" ? [name] : []) },
    keepsOwners: false,
    content: () => content,
  };
}

async function hasDigest(content: Content | undefined, sha256: string): Promise<boolean> {
  const hash = createHash("sha256");
  if (content?.kind === "bytes") hash.update(content.bytes);
  else if (content !== undefined && content.size > 0)
    for await (const chunk of createReadStream(toBytes(content.path), { start: content.offset, end: content.offset + content.size - 1 }))
      hash.update(chunk);
  return hash.digest("hex") === sha256;
}
