// Lets the bundle take Node's modules as they are: where one is imported, Node evaluates every name that it exports.

import { readFile } from "node:fs/promises";
import { isBuiltin } from "node:module";
import type { Plugin } from "esbuild";

/**
 * Some names are made when they are first asked for, and at a great cost: `WebSocket` of node:http stands for a whole HTTP client,
 * `ReadStream` of node:fs for all of Node's streams.
 */
export const takeBuiltins: Plugin = {
  name: "take-builtins",
  setup(build) {
    build.onLoad({ filter: /\/src\/.*\.ts$/ }, async ({ path }) => ({ contents: takeFrom(await readFile(path, "utf8")), loader: "ts" }));
    // What packages require.
    build.onResolve({ filter: /^[a-z0-9_:/]+$/ }, ({ path, kind }) =>
      kind === "require-call" && isBuiltin(path) ? { path: path.replace(/^(?:node:)?/, "node:"), namespace: "builtin" } : undefined,
    );
    build.onLoad({ filter: /./, namespace: "builtin" }, ({ path }) => ({ contents: `module.exports = ${take(path)};` }));
  },
};

/** A file's text in which imports of Node's modules are assignments, on the lines where they were. */
export function takeFrom(text: string): string {
  return text.replaceAll(/^import (\w+|\{[^}]*\}) from "(node:[^"]+)";$/gm, (_, names: string, module: string) => {
    const lines = "\n".repeat(names.split("\n").length - 1);
    return `const ${names.startsWith("{") ? destructure(names) : names} = ${take(module)};${lines}`;
  });
}

/** `{ type A, b, c as d }` → `{ b, c: d }`. */
function destructure(names: string): string {
  const all = names.replace(/[{}]/g, "").split(",");
  const values = all.map((name) => name.trim()).filter((name) => name !== "" && !name.startsWith("type "));
  return `{ ${values.map((name) => name.replace(" as ", ": ")).join(", ")} }`;
}

function take(module: string): string {
  return `process.getBuiltinModule(${JSON.stringify(module)})`;
}
