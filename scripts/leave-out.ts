// Leaves out of the bundle what its packages could do and is never asked of them.

import type { Plugin } from "esbuild";

/** Files by the ends of their paths, and what stands for each. */
const leftOut: readonly (readonly [path: string, stand: string])[] = [
  // HTTP/2 is off unless a pool is told to use it; loading this loads Node's own.
  ["undici/lib/dispatcher/client-h2.js", "module.exports = undefined;"],
  // No proxy of another scheme than HTTP gets so far.
  ["undici/lib/dispatcher/socks5-proxy-agent.js", "module.exports = class {};"],
  // Bodies that are forms.
  ["undici/lib/web/fetch/body.js", "module.exports = {};"],
];

export const leaveOut: Plugin = {
  name: "leave-out",
  setup(build) {
    for (const [path, contents] of leftOut)
      build.onLoad({ filter: new RegExp(`/${path.replaceAll(".", "\\.")}$`) }, () => ({ contents, loader: "js" }));
  },
};
