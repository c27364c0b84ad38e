// Writes a finished image to files: nothing can be seen of them before everything else has succeeded.

import path from "node:path";
import type { Release } from "../image/encode.ts";
import { type Reference, repositoryName, withDefaultTag } from "../image/reference.ts";
import { archiveImage } from "./docker-archive.ts";
import { archiveLayout } from "./oci-archive.ts";
import { prepareLayout } from "./oci-layout.ts";
import { checkFile, type Pending, prepareFile } from "./pending.ts";
import { checkRootDirectory, prepareRootDirectory, prepareRootTar, type RootItems } from "./root-files.ts";

export type { RootItems } from "./root-files.ts";

/** Files to write after success; absolute paths, or an `https://` URL for the three digest files. */
export interface FileOutputs {
  /** A tar for `docker load`. */
  readonly tarPath?: string;
  /** A directory, made if need be. */
  readonly ociLayoutPath?: string;
  /** A tar of an OCI layout. */
  readonly ociTarPath?: string;
  /** A plain tar of the image's files; of several platforms each below `os_architecture`. */
  readonly rootTarPath?: string;
  /** A directory for the image's files, likewise. */
  readonly rootPath?: string;
  /** Gets `sha256:<hex>` without a newline. */
  readonly digestFile?: string;
  /** Gets `registry/repository@digest` and a newline for each destination. */
  readonly imageNameWithDigestFile?: string;
  /** Gets `registry/repository:tag@digest` and a newline for each destination. */
  readonly imageNameTagWithDigestFile?: string;
}

export interface OutputTools {
  /** Sends a text with PUT as text/plain; fails unless the host accepts it. */
  put(url: string, text: string): Promise<void>;
  /** The files of all images. */
  readonly rootItems: RootItems;
  readonly signal?: AbortSignal;
}

/** Outputs whose bytes are written, and that nobody sees yet. */
export interface PreparedOutputs {
  /** Shows them all, or none: what could be written in place or sent before another one failed stays. Gives the targets. */
  commit(): Promise<readonly string[]>;
  /** Removes what was prepared. */
  discard(): Promise<void>;
}

/**
 * Writes an image's files into temporaries beside their targets: to be called before the push, and to be committed after it. Throws,
 * with nothing left behind, when a target cannot be written or a layer's bytes are wrong.
 */
export async function prepareOutputs(
  release: Release,
  outputs: FileOutputs,
  destinations: readonly Reference[],
  tools: OutputTools,
): Promise<PreparedOutputs> {
  const prepared: Pending[] = [];
  const discard = async () => {
    for (const pending of prepared.toReversed()) await pending.discard();
  };
  try {
    // The small ones first: what is wrong with them shows before minutes of writing.
    for (const [target, text] of digestTexts(release, outputs, destinations)) prepared.push(await prepareText(target, text, tools));
    const { tarPath, ociLayoutPath, ociTarPath, rootTarPath, rootPath } = outputs;
    if (rootPath !== undefined) prepared.push(await prepareRootDirectory(rootPath, tools.rootItems, tools.signal));
    if (rootTarPath !== undefined) prepared.push(await prepareRootTar(rootTarPath, tools.rootItems, tools.signal));
    if (ociTarPath !== undefined)
      prepared.push(
        await prepareFile(ociTarPath, () => archiveLayout(release, destinations, tools.signal), { mode: 0o644, directoryMode: 0o755 }),
      );
    if (ociLayoutPath !== undefined) prepared.push(await prepareLayout(ociLayoutPath, release, destinations, tools.signal));
    const [image, ...others] = release.images;
    if (tarPath !== undefined && (image === undefined || others.length > 0))
      throw new Error(`Cannot write "${tarPath}": a tar for docker load holds one image, not one for each of several platforms`);
    if (tarPath !== undefined && image !== undefined)
      prepared.push(
        await prepareFile(tarPath, () => archiveImage(image, destinations, tools.signal), {
          mode: 0o644,
          directoryMode: 0o755,
          signal: tools.signal,
        }),
      );
  } catch (error) {
    await discard();
    throw error;
  }
  return { commit: () => commitAll(prepared, discard), discard };
}

/** Finds out, before anything is built, what could not be written; nothing is. Throws an error about the first such target. */
export async function checkOutputs(outputs: FileOutputs): Promise<void> {
  const { tarPath, ociTarPath, rootTarPath, digestFile, imageNameWithDigestFile, imageNameTagWithDigestFile } = outputs;
  const files = [digestFile, imageNameWithDigestFile, imageNameTagWithDigestFile, rootTarPath, ociTarPath, tarPath];
  for (const file of files) if (file !== undefined && !file.startsWith("https://")) await checkFile(file);
  if (outputs.rootPath !== undefined) await checkRootDirectory(outputs.rootPath);
  if (outputs.ociLayoutPath !== undefined) await checkFile(path.join(outputs.ociLayoutPath, "index.json"), outputs.ociLayoutPath);
}

/** First what cannot be taken back and may fail, then the renames. */
async function commitAll(prepared: readonly Pending[], discard: () => Promise<void>): Promise<readonly string[]> {
  const ordered = [...prepared.filter((pending) => pending.isInPlace), ...prepared.filter((pending) => !pending.isInPlace)];
  try {
    for (const pending of ordered) await pending.commit();
  } catch (error) {
    await discard();
    throw error;
  }
  return prepared.map((pending) => pending.target);
}

/** Kaniko's formats, to the byte. */
function digestTexts({ top }: Release, outputs: FileOutputs, destinations: readonly Reference[]): [target: string, text: string][] {
  const { digest } = top.descriptor;
  const names = destinations.map((reference) => repositoryName(reference));
  const tagged = destinations.map((reference) => `${repositoryName(reference)}:${withDefaultTag(reference).tag ?? "latest"}`);
  const lines = (subjects: readonly string[]) => subjects.map((subject) => `${subject}@${digest}\n`).join("");
  const texts: [target: string | undefined, text: string][] = [
    [outputs.digestFile, digest],
    [outputs.imageNameWithDigestFile, lines(names)],
    [outputs.imageNameTagWithDigestFile, lines(tagged)],
  ];
  return texts.filter((pair): pair is [string, string] => pair[0] !== undefined);
}

async function prepareText(target: string, text: string, tools: OutputTools): Promise<Pending> {
  if (target.startsWith("https://")) return { target, isInPlace: true, commit: () => tools.put(target, text), async discard() {} };
  return prepareFile(target, () => encode(text), { mode: 0o644, directoryMode: 0o700, signal: tools.signal });
}

async function* encode(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}
