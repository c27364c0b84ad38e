// A tar made on the fly of files with given names; equal files give equal bytes.

import { once } from "node:events";
import type { Pack } from "tar-stream";

/** Adds one file; resolves when it is in the archive. */
export type AddFile = (name: string, size: number, chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>) => Promise<void>;

/** The archive of what `fill` adds, in its order. */
export async function* archiveFiles(fill: (add: AddFile) => Promise<void>): AsyncGenerator<Uint8Array, void, void> {
  const { default: tar } = await import("tar-stream");
  const archive = tar.pack();
  const filling = fill((name, size, chunks) => addFile(archive, name, size, chunks)).then(
    () => archive.finalize(),
    (error: unknown) => archive.destroy(error instanceof Error ? error : new Error(String(error))),
  );
  try {
    yield* archive as AsyncIterable<Uint8Array>;
  } finally {
    archive.destroy();
    await filling;
  }
}

async function addFile(archive: Pack, name: string, size: number, chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<void> {
  const entry = archive.entry({ name, size, mode: 0o644, mtime: new Date(0) });
  const closed = once(entry, "close");
  closed.catch(() => {});
  for await (const chunk of chunks) {
    if (entry.write(chunk)) continue;
    await Promise.race([once(entry, "drain"), closed]);
    if (entry.destroyed) throw new Error(`Cannot write the archive's "${name}": nobody reads it any more`);
  }
  entry.end(null);
  await closed;
}
