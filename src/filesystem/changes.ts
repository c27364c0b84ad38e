// What a command has changed, as the items of a layer: from overlayfs's upper directory, or from two scans of a flat one.

import { setTimeout as sleep } from "node:timers/promises";
import type { LayerItem, RawPath } from "../layer/entry.ts";
import { ChangeCollector, comparePaths, type Found, type Trail } from "./collect.ts";
import { hasContent, isChanged } from "./compare.ts";
import { readableChanges } from "./foreign.ts";
import {
  decodeEntry,
  isDirectoryFrame,
  isSameButForCtime,
  pathOfFrame,
  type ScannedEntry,
  type ScanOptions,
  type ScanTools,
  scanDirectory,
  scanFrames,
} from "./scan.ts";
import type { Tree } from "./tree.ts";
import { type FileNode, joinPath, nameOf, parentOf } from "./view.ts";

export interface ChangesOptions {
  /** Paths that are the builder's own: neither they nor their absence come into the layer. Asked for each path by itself. */
  exclude(path: RawPath): boolean;
  /** Everything may have been moved away and back, which changes ctimes. */
  readonly isMoved?: boolean;
}

/**
 * The upper directory of an overlay mount as a layer on top of `lower`, with what overlayfs says in its own way said in whiteouts.
 * Copied-up objects that are as they were are left out, other names of a changed file too; each change brings the directories above it. The items read their contents
 * from `upper` when they are written.
 */
export async function changesFromUpper(upper: string, lower: Tree, tools: ScanTools, options: ChangesOptions): Promise<LayerItem[]> {
  const collector = new ChangeCollector(upper);
  const compare = { ...tools, hashed: new Map<string, string>() };
  /** Directories through which nothing lower shows, with the names they have on disk. */
  const opaque = new Map<RawPath, { readonly names: Set<RawPath>; readonly trail: Trail }>();
  for await (const entry of scanDirectory(upper, tools)) {
    const { path, type } = entry;
    const above = path === "" ? undefined : opaque.get(parentOf(path));
    if (isWhiteout(entry) || type === "socket") {
      if (above === undefined && lower.lstat(path) !== undefined && !options.exclude(path)) collector.hide(path);
      continue;
    }
    above?.names.add(nameOf(path));
    const found = entry as Found;
    if (type === "directory") {
      const trail = collector.enter(found);
      if (above !== undefined || isOpaque(entry)) opaque.set(path, { names: new Set(), trail });
    }
    if (path === "" || options.exclude(path)) continue;
    const node = lower.lstat(path);
    const owned = withOwner(found, node);
    if (node === undefined || (await isChanged(upper, owned, node, compare))) collector.add(owned);
  }
  for (const [path, { names, trail }] of opaque) {
    for (const name of lower.list(path)) {
      const child = joinPath(path, name);
      if (!names.has(name) && !options.exclude(child)) collector.hide(child, trail);
    }
  }
  const items = collector.items();
  return tools.helper.isForeign ? readableChanges(items, tools) : items;
}

/** Nobody has said whose a link or a pipe is: as it was where it is the same one, else of who made it. */
function withOwner(found: Found, node: FileNode | undefined): Found {
  if (!found.xattrs.has(unrecorded) || node === undefined) return found;
  const { type, link, mtime, mtimeNs, uid, gid } = node.attributes;
  const isSame = found.type === type && found.link === link && found.mtime === mtime && (mtimeNs === 0 || found.mtimeNs === mtimeNs);
  return isSame ? { ...found, uid, gid } : found;
}

/** An attribute that the helper's `scan` adds: native/scan.c. */
const unrecorded = "slipway.unrecorded";

function isWhiteout({ type, devMajor, devMinor }: ScannedEntry): boolean {
  return type === "char" && devMajor === 0 && devMinor === 0;
}

function isOpaque({ xattrs }: ScannedEntry): boolean {
  return xattrs.get("trusted.overlay.opaque") === "y" || xattrs.get("user.overlay.opaque") === "y";
}

/** What was in a directory at some moment: about 150 bytes for each object, outside the heap. */
export interface Snapshot {
  readonly frames: readonly Buffer[];
  readonly options: ScanOptions;
}

/** File systems stamp changes in steps of up to 10 ms; what happens after a snapshot must have another stamp. */
const stampMs = 20;

/** Remembers what is in a directory, so that `changesFromScan` can tell what has changed. */
export async function snapshot(root: string, tools: ScanTools, options: ScanOptions = {}): Promise<Snapshot> {
  const frames: Buffer[] = [];
  for await (const more of scanFrames(root, tools, options)) frames.push(...more);
  await sleep(stampMs);
  return { frames, options };
}

/**
 * What has changed in a flat directory since a snapshot of it, as a layer on top of `lower`, which is what it held then. Only objects
 * whose inode, times, size or attributes differ from the snapshot's are looked at, and only those hashed whose content may differ.
 */
export async function changesFromScan(
  root: string,
  before: Snapshot,
  lower: Tree,
  tools: ScanTools,
  options: ChangesOptions,
): Promise<LayerItem[]> {
  const collector = new ChangeCollector(root);
  const compare = { ...tools, hashed: new Map<string, string>() };
  let at = 0;
  /** What is below it went with it. */
  let gone: RawPath | undefined;
  const isGone = (path: RawPath) => gone !== undefined && path.startsWith(`${gone}/`);
  const hideMissing = (path: RawPath) => {
    if (isGone(path)) return;
    gone = path;
    if (lower.lstat(path) !== undefined && !options.exclude(path)) collector.hide(path);
  };
  const hideUpTo = (path: RawPath | undefined) => {
    for (let old = before.frames[at]; old !== undefined; old = before.frames[at]) {
      const oldPath = pathOfFrame(old);
      if (path !== undefined && comparePaths(oldPath, path) >= 0) return;
      hideMissing(oldPath);
      at += 1;
    }
  };
  for await (const frames of scanFrames(root, tools, before.options)) {
    for (const frame of frames) {
      if (before.frames[at]?.equals(frame) !== true) hideUpTo(pathOfFrame(frame));
      const old = before.frames[at];
      if (old?.equals(frame)) {
        at += 1;
        if (isDirectoryFrame(frame)) collector.enter(decodeEntry(frame) as Found);
        continue;
      }
      const entry = decodeEntry(frame);
      const { path, type } = entry;
      const isOld = old !== undefined && pathOfFrame(old) === path;
      if (isOld) at += 1;
      if (type === "socket") {
        if (isOld) hideMissing(path);
        continue;
      }
      const found = entry as Found;
      if (type === "directory") collector.enter(found);
      else gone = path;
      if (path === "" || options.exclude(path)) continue;
      const node = lower.lstat(path);
      const owned = withOwner(found, node);
      if (options.isMoved && isOld && isSameButForCtime(old, frame) && node && (await hasContent(root, owned, node, compare))) continue;
      if (node === undefined || (await isChanged(root, owned, node, compare))) collector.add(owned);
    }
  }
  hideUpTo(undefined);
  return collector.items();
}
