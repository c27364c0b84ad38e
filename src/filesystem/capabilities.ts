// The capabilities of files on disk, which Node.js cannot read, as the helper's `capabilities` tells them.

import { once } from "node:events";
import type { Writable } from "node:stream";
import { type RawPath, toBytes } from "../layer/entry.ts";
import { FrameReader, readFrames } from "./frames.ts";
import type { ScanTools } from "./scan.ts";

/** Of paths that are written at once. */
const pieceChars = 1 << 16;
const endKind = "z".charCodeAt(0);

/** Extended attributes by path, as `Attributes` has them: of those files that have `security.capability`, that alone. */
export type Capabilities = ReadonlyMap<RawPath, ReadonlyMap<string, string>>;

/** Looks at all paths, relative to an absolute directory, with one process. Symlinks at their ends are not followed. */
export async function readCapabilities(root: string, paths: Iterable<RawPath>, { helper, signal }: ScanTools): Promise<Capabilities> {
  const found = new Map<RawPath, ReadonlyMap<string, string>>();
  const pieces = piecesOf(paths);
  const first = pieces.next();
  if (first.done) return found;
  const process = helper.start(["capabilities", root], { signal });
  const written = write(process.stdin, first.value, pieces);
  let isComplete = false;
  for await (const frames of readFrames(process.stdout))
    for (const frame of frames) {
      isComplete = frame[0] === endKind;
      if (isComplete) break;
      const reader = new FrameReader(frame);
      const path = reader.text();
      found.set(path, new Map([["security.capability", reader.text()]]));
    }
  const { code, signal: killed, stderr } = await process.exited;
  signal?.throwIfAborted();
  if (!isComplete || code !== 0)
    throw new Error(stderr || `Cannot read the capabilities of files in "${root}": the helper ended with ${killed ?? `exit code ${code}`}`);
  await written;
  return found;
}

function* piecesOf(paths: Iterable<RawPath>): Generator<string, void, void> {
  let piece = "";
  for (const path of paths) {
    piece += `${path}\0`;
    if (piece.length < pieceChars) continue;
    yield piece;
    piece = "";
  }
  if (piece !== "") yield piece;
}

/** Ends early where nobody reads any more. */
async function write(stream: Writable, first: string, others: Iterable<string>): Promise<void> {
  const closed = new Promise((resolve) => stream.once("close", resolve));
  stream.write(toBytes(first));
  for (const piece of others) {
    if (stream.destroyed) return;
    if (!stream.write(toBytes(piece))) await Promise.race([once(stream, "drain").catch(() => {}), closed]);
  }
  stream.end();
}
