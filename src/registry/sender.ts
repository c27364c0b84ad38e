// Brings blobs into repositories. Whoever asks, the bytes go to a registry once; its other repositories mount them.

import { createReadStream } from "node:fs";
import { type BackOff, orAbort } from "../http/http.ts";
import type { Digest } from "../image/digest.ts";
import type { EncodedBlob } from "../image/encode.ts";
import type { Layer } from "../image/image.ts";
import { normalizeRegistry } from "../image/reference.ts";
import type { Report } from "../report/report.ts";
import { openLimit } from "./limit.ts";
import { retryWhole } from "./retry-whole.ts";
import type { Transfers } from "./transfer.ts";
import { type UploadSource, type UploadTarget, uploadBlob } from "./upload.ts";

/** A layer, or a small document. */
export type SentBlob = Pick<Layer, "descriptor" | "open" | "file" | "origin"> | EncodedBlob;

export interface Sender {
  /** Makes sure that a repository has the blob. */
  send(target: UploadTarget, blob: SentBlob, options: SendOptions): Promise<void>;
}

export interface SendOptions {
  /** Of the whole. */
  readonly retries: number;
  /** Of each request; the client's own where it is left out. */
  readonly tries?: number;
  readonly signal?: AbortSignal | undefined;
}

export interface SenderTools {
  readonly report: Report;
  readonly backOff: BackOff;
  readonly transfers: Transfers;
  /** Repositories of a registry that are known to have a blob. */
  knownAt(registry: string, digest: Digest): readonly string[];
}

/** Uploads at a time: small blobs wait for answers, large ones for the line. */
const uploads = { small: 16, large: 4 };
const smallBytes = 1024 * 1024;
/** Of a local file, per read. */
const readBytes = 256 * 1024;

export function openSender(tools: SenderTools): Sender {
  const { report, transfers } = tools;
  const limits = { small: openLimit(uploads.small), large: openLimit(uploads.large) };
  /** By registry and digest: the repositories that have the blob, or will where the promise says so. */
  const arrivals = new Map<string, Map<string, Promise<boolean>>>();

  async function upload(
    { client, repository }: UploadTarget,
    blob: SentBlob,
    mountFrom: readonly string[],
    { retries, tries = tools.backOff.tries, signal }: SendOptions,
  ): Promise<void> {
    const where = `${client.registry}/${repository}`;
    const shared = { backOff: { ...tools.backOff, tries }, report, signal };
    const work = async () => {
      if ("bytes" in blob) {
        await uploadBlob({ client, repository }, sourceOf(blob, signal), mountFrom, shared);
        return;
      }
      const transfer = transfers.start("push", where, blob.descriptor);
      const count = (bytes: number) => transfers.count("push", bytes);
      transfer.end(await uploadBlob({ client, repository }, sourceOf(blob, signal), mountFrom, { ...shared, transfer, count }));
    };
    const limit = blob.descriptor.size <= smallBytes ? limits.small : limits.large;
    await limit.run(() => retryWhole(retries, `push to ${where}`, shared, work), signal);
  }

  return {
    async send(target, blob, options) {
      const { registry } = target.client;
      const { digest } = blob.descriptor;
      const key = `${registry} ${digest}`;
      const known = arrivals.get(key) ?? new Map<string, Promise<boolean>>();
      arrivals.set(key, known);
      const here = known.get(target.repository);
      // None of those waits for this one: they were here before.
      const elsewhere = [...known].filter(([repository]) => repository !== target.repository);
      const work = async () => {
        if (await orAbort(here ?? Promise.resolve(false), options.signal)) return;
        const arrived = await orAbort(firstArrival(elsewhere), options.signal);
        const origin = "origin" in blob && blob.origin !== undefined ? [blob.origin] : [];
        const own = origin.filter((place) => normalizeRegistry(place.registry) === registry).map(({ repository }) => repository);
        await upload(target, blob, [...new Set([...arrived, ...own, ...tools.knownAt(registry, digest)])], options);
      };
      const sent = work();
      const coming = sent.then(
        () => true,
        () => false,
      );
      known.set(target.repository, coming);
      await sent;
    },
  };
}

/** The first of the repositories that gets a blob; none where all fail. */
function firstArrival(coming: readonly (readonly [repository: string, coming: Promise<boolean>])[]): Promise<readonly string[]> {
  const successes = coming.map(async ([repository, isThere]) => {
    if (!(await isThere)) throw new Error(`"${repository}" did not get it`);
    return [repository];
  });
  return Promise.any(successes).catch(() => []);
}

function sourceOf(blob: SentBlob, signal: AbortSignal | undefined): UploadSource {
  const { descriptor } = blob;
  if ("bytes" in blob) return { descriptor, open: (offset) => once(blob.bytes.subarray(offset)) };
  const { file } = blob;
  if (file !== undefined)
    return {
      descriptor,
      open: (offset) => createReadStream(file, { start: offset, highWaterMark: readBytes, ...(signal === undefined ? {} : { signal }) }),
    };
  return { descriptor, open: (offset) => skipBytes(blob.open(signal), offset) };
}

async function* skipBytes(bytes: AsyncIterable<Uint8Array>, count: number): AsyncGenerator<Uint8Array, void, void> {
  let left = count;
  for await (const chunk of bytes) {
    const rest = chunk.subarray(Math.min(left, chunk.byteLength));
    left -= chunk.byteLength - rest.byteLength;
    if (rest.byteLength > 0) yield rest;
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, void> {
  yield bytes;
}
