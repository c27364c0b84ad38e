// File trees: the merged view of layers, layers on disk, and what a command has changed there.

export type { OverlayMarks } from "./apply.ts";
export { type ChangesOptions, changesFromScan, changesFromUpper, type Snapshot, snapshot } from "./changes.ts";
export { type Capabilities, readCapabilities, readContents, type TakeDigest } from "./contents.ts";
export { Draft, directoryAttributes, type NewDirectory } from "./draft.ts";
export { type LayerFiles, openLayerFiles } from "./files.ts";
export { move, own } from "./foreign.ts";
export { decodeRunes, matchGlob } from "./glob.ts";
export { listDirectory } from "./list-directory.ts";
export { makeDirectories } from "./make-directories.ts";
export { removeTree } from "./remove-tree.ts";
export { type Resolved, resolvePath } from "./resolve.ts";
export { type ScannedEntry, type ScanOptions, type ScanTools, scanDirectory } from "./scan.ts";
export { settleOwners } from "./settle-owners.ts";
export { emptyTree, type Location, type Tree, treeOf } from "./tree.ts";
export { type Lower, type UnpackTarget, type UnpackTools, unpackLayer } from "./unpack.ts";
export { type Accounts, findOwner, findUser, isOwnerNumber, type Owner, type User } from "./users.ts";
export { type FileNode, type FileView, joinPath, nameOf, parentOf } from "./view.ts";
export { writeTree } from "./write-tree.ts";
