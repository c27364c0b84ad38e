// Of many files on disk what Node.js cannot read, their capabilities, or reads one at a time, their digests: as the helper tells it.

import { once } from "node:events";
import type { Writable } from "node:stream";
import { FrameReader, readFrames } from "../helper/helper.ts";
import { type RawPath, toBytes } from "../layer/entry.ts";
import type { ScanTools } from "./scan.ts";

/** Of paths that are written at once. */
const pieceChars = 1 << 16;
const digestKind = "d".charCodeAt(0);
const endKind = "z".charCodeAt(0);
/** Number of the path, size, sha256. */
const digestBytes = 4 + 8 + 32;

/** Extended attributes by path, as `Attributes` has them: of those files that have `security.capability`, that alone. */
export type Capabilities = ReadonlyMap<RawPath, ReadonlyMap<string, string>>;

/** Looks at all paths, relative to an absolute directory, with one process. Symlinks at their ends are not followed. */
export function readCapabilities(root: string, paths: Iterable<RawPath>, tools: ScanTools): Promise<Capabilities> {
  return ask(["capabilities", root], paths, tools, () => {});
}

/** Is told of a file that it had so many bytes, and their sha256, 64 hex digits. */
export type TakeDigest = (path: RawPath, size: number, sha256: string) => void;

/** The same, and reads the files on all cores. A file that is none, or cannot be read, is not told of. */
export function readContents(root: string, paths: readonly RawPath[], tools: ScanTools, take: TakeDigest): Promise<Capabilities> {
  return ask(["contents", root], paths, tools, (frame) => {
    for (let at = 1; at < frame.length; at += digestBytes) {
      const path = paths[frame.readUInt32LE(at)] ?? "";
      const size = frame.readUInt32LE(at + 4) + frame.readUInt32LE(at + 8) * 2 ** 32;
      take(path, size, frame.toString("hex", at + 12, at + digestBytes));
    }
  });
}

async function ask(
  args: readonly [command: string, root: string],
  paths: Iterable<RawPath>,
  { helper, signal }: ScanTools,
  takeDigests: (frame: Buffer) => void,
): Promise<Capabilities> {
  const found = new Map<RawPath, ReadonlyMap<string, string>>();
  const pieces = piecesOf(paths);
  const first = pieces.next();
  if (first.done) return found;
  const process = helper.start(args, { signal });
  const written = write(process.stdin, first.value, pieces);
  let isComplete = false;
  for await (const frames of readFrames(process.stdout))
    for (const frame of frames) {
      if (frame[0] === digestKind) takeDigests(frame);
      else if (frame[0] === endKind) isComplete = true;
      else {
        const reader = new FrameReader(frame);
        const path = reader.text();
        found.set(path, new Map([["security.capability", reader.text()]]));
      }
    }
  const { code, signal: killed, stderr } = await process.exited;
  signal?.throwIfAborted();
  if (!isComplete || code !== 0) {
    const how = `the helper ended with ${killed ?? `exit code ${code}`}`;
    throw new Error(stderr || `Cannot read the ${args[0]} of files in "${args[1]}": ${how}`);
  }
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
