// The command `slipway merge`: from its flags and the images it names to a request.

import type { MergeRequest } from "../build/build.ts";
import { parseReference, type Reference } from "../image/reference.ts";
import { placeMergeAnnotations, readAnnotation } from "./annotation-flag.ts";
import { checkSupport, type ParsedFlags } from "./parse-flags.ts";
import { readRegistryOptions } from "./registry-options.ts";
import { readDestination, readOutputs } from "./request.ts";
import type { Surroundings } from "./surroundings.ts";
import { UsageError } from "./usage.ts";
import { valuesOf } from "./values.ts";

const taken = ["destination", "annotation", "digest-file", "image-name-with-digest-file", "image-name-tag-with-digest-file", "push-retry"];

/** Throws a UsageError for flags that say nothing here, and where images or destinations are missing. */
export function readMergeRequest({ given, positional }: ParsedFlags, surroundings: Surroundings): MergeRequest {
  const foreign = given.find(({ flag }) => !taken.includes(flag.name) && flag.group !== "Registries and TLS" && flag.group !== "Log");
  if (foreign !== undefined) throw new UsageError(`flag ${foreign.spelling} has no meaning for slipway merge`);
  checkSupport(given);
  const values = valuesOf(given);
  const destinations = values.list("destination").map(readDestination);
  if (destinations.length === 0) throw new UsageError("you must provide --destination");
  if (positional.length === 0) throw new UsageError("name the images to merge: slipway merge --destination IMAGE:TAG IMAGE@DIGEST ...");
  const { digestFile, imageNameWithDigestFile, imageNameTagWithDigestFile } = readOutputs(values, surroundings.directory);
  return {
    sources: positional.map(readSource),
    destinations,
    annotations: placeMergeAnnotations(values.list("annotation").flatMap(readAnnotation)),
    outputs: {
      ...(digestFile === undefined ? {} : { digestFile }),
      ...(imageNameWithDigestFile === undefined ? {} : { imageNameWithDigestFile }),
      ...(imageNameTagWithDigestFile === undefined ? {} : { imageNameTagWithDigestFile }),
    },
    registry: readRegistryOptions(values, surroundings),
  };
}

function readSource(text: string): Reference {
  try {
    return parseReference(text);
  } catch (cause) {
    throw new UsageError(cause instanceof Error ? cause.message : String(cause), { cause });
  }
}
