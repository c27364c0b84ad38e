// Gives the bundle's lazy chunks names that stay the same from build to build, where the bundler would put hashes.

import { basename } from "node:path";
import type { Metafile } from "esbuild";

/** Takes file name → text as the bundler wrote them; gives the same files, renamed, with every mention of a name changed. */
export function nameChunks(texts: ReadonlyMap<string, string>, metafile: Metafile): Map<string, string> {
  const names = new Map<string, string>();
  const shared: { name: string; key: string }[] = [];
  for (const [path, { entryPoint, inputs }] of Object.entries(metafile.outputs)) {
    const name = basename(path);
    if (!name.startsWith("chunk-")) continue;
    if (entryPoint === undefined) shared.push({ name, key: Object.keys(inputs).sort()[0] ?? "" });
    else names.set(name, `${nameEntry(entryPoint)}.mjs`);
  }
  shared.sort((a, b) => (a.key < b.key ? -1 : 1));
  for (const [index, { name }] of shared.entries()) names.set(name, `shared-${index + 1}.mjs`);
  const taken = new Set(names.values());
  if (taken.size !== names.size || taken.has("slipway.mjs"))
    throw new Error(`Cannot name chunks: two of ${[...names.values()].sort().join(", ")} are the same`);

  const result = new Map<string, string>();
  for (const [name, text] of texts) {
    result.set(
      names.get(name) ?? name,
      text.replaceAll(/chunk-[A-Z0-9]{8}\.mjs/g, (mention) => names.get(mention) ?? mention),
    );
  }
  return new Map([...result].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** `src/cache/ci.ts` → `cache-ci`, `node_modules/tar-stream/index.js` → `tar-stream`. */
function nameEntry(path: string): string {
  const inPackage = /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1];
  const name = inPackage ?? path.replace(/^src\//, "").replace(/\.ts$/, "");
  const [folder, file] = name.split("/");
  return folder === file ? name.slice(0, folder?.length) : name.replace(/^@/, "").replaceAll("/", "-");
}
