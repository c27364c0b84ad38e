// Drives the helper's `apply` and `unpack`, which write files below one directory.

import { type FrameWriter, type Helper, Session } from "../helper/helper.ts";
import type { Attributes, RawPath } from "../layer/entry.ts";
import type { HeldBytes } from "../layer/layer.ts";

/** Longer contents are sent in pieces. */
const maxInline = 1 << 16;

const deviceTypes: Readonly<Record<string, number>> = { char: 0o020000, block: 0o060000, fifo: 0o010000 };

const reserved = ["trusted.overlay.", "user.overlay.", "user.slipway."];

/**
 * Extended attributes that are put on disk: overlayfs must not take its own from a layer, no layer has records of owners, and the labels
 * and signatures of security modules belong to the machine that made them.
 */
function isKeptXattr(name: string): boolean {
  if (name.startsWith("security.")) return name === "security.capability";
  return !reserved.some((prefix) => name.startsWith(prefix));
}

/** Where overlayfs looks for what it has noted: in `trusted.overlay.*`, or in `user.overlay.*`. */
export type OverlayMarks = "trusted" | "user";

const opaqueMarks = { trusted: 1, user: 2 } as const;

/**
 * Writes below one directory. Paths are relative, without symlinks on their way; what is there already is replaced. Each method's
 * promise says only that more can be sent; `finish` says that all is done, and rejects with what went wrong first.
 */
export class Applier {
  readonly #session: Session;
  readonly #frames: FrameWriter;

  /** Of the helper's `apply` or `unpack`. */
  constructor(session: Session) {
    this.#session = session;
    this.#frames = session.frames;
  }

  /** What is held must be of the session's own layer. */
  async file(path: RawPath, attributes: Attributes, content: AsyncIterable<Uint8Array> | HeldBytes): Promise<void> {
    if ("offset" in content) {
      this.#attributes(this.#frames.begin("P").text(path), attributes).u64(content.offset).u64(content.size);
      return this.#end();
    }
    const chunks: Uint8Array[] = [];
    if (attributes.size <= maxInline) {
      for await (const chunk of content) chunks.push(chunk);
      this.#attributes(this.#frames.begin("F").text(path), attributes).u8(1).bytes(chunks);
      return this.#end();
    }
    this.#attributes(this.#frames.begin("F").text(path), attributes).u8(0).bytes([]);
    await this.#end();
    for await (const chunk of content) {
      for (let at = 0; at < chunk.length; at += maxInline) {
        this.#frames.begin("C").bytes([chunk.subarray(at, at + maxInline)]);
        await this.#end();
      }
    }
    this.#frames.begin("E");
    return this.#end();
  }

  /** A file whose content is a range of a local file, given by its absolute raw path. */
  copy(path: RawPath, attributes: Attributes, source: { path: RawPath; offset: number; size: number }): Promise<void> | undefined {
    this.#attributes(this.#frames.begin("X").text(path), attributes).text(source.path).u64(source.offset).u64(source.size);
    return this.#end();
  }

  /** Makes a directory, 0700, or leaves the one that is there. */
  directory(path: RawPath): Promise<void> | undefined {
    this.#frames.begin("D").text(path);
    return this.#end();
  }

  /** Gives a directory its attributes; to be sent when nothing is written into it any more. */
  directoryAttributes(path: RawPath, attributes: Attributes, opaque: OverlayMarks | undefined): Promise<void> | undefined {
    this.#attributes(this.#frames.begin("A").text(path), attributes).u8(opaque === undefined ? 0 : opaqueMarks[opaque]);
    return this.#end();
  }

  /** A symlink, device or named pipe. */
  special(path: RawPath, attributes: Attributes): Promise<void> | undefined {
    if (attributes.type === "symlink") this.#attributes(this.#frames.begin("S").text(path), attributes).text(attributes.link);
    else {
      const type = deviceTypes[attributes.type];
      if (type === undefined) throw new Error(`Cannot create a ${attributes.type} as a device`);
      this.#attributes(this.#frames.begin("N").text(path), attributes).u32(type).u32(attributes.devMajor).u32(attributes.devMinor);
    }
    return this.#end();
  }

  link(path: RawPath, target: RawPath): Promise<void> | undefined {
    this.#frames.begin("H").text(path).text(target);
    return this.#end();
  }

  whiteout(path: RawPath): Promise<void> | undefined {
    this.#frames.begin("W").text(path);
    return this.#end();
  }

  remove(path: RawPath): Promise<void> | undefined {
    this.#frames.begin("R").text(path);
    return this.#end();
  }

  finish(): Promise<void> {
    return this.#session.finish("write files");
  }

  /** Ends the helper without finishing; its own error, if it had one, wins over `reason`. */
  fail(reason: unknown): Promise<never> {
    return this.#session.fail(reason);
  }

  #end(): Promise<void> | undefined {
    return this.#session.end();
  }

  #attributes(frames: FrameWriter, { mode, uid, gid, mtime, mtimeNs, xattrs }: Attributes): FrameWriter {
    frames.u32(mode).u32(uid).u32(gid).u64(mtime).u32(mtimeNs);
    const kept = [...(xattrs ?? [])].filter(([name]) => isKeptXattr(name));
    frames.u32(kept.length);
    for (const [name, value] of kept) frames.text(name).text(value);
    return frames;
  }
}

/** Writes what does not come from a layer. */
export function openApplier(root: string, { helper, signal }: { helper: Helper; signal?: AbortSignal | undefined }): Applier {
  const process = helper.start(["apply", root], { signal });
  process.stdout.resume();
  return new Applier(new Session(process));
}
