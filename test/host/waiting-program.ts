// A program whose build waits until it is aborted; process.test.ts sends it signals.

import { findHost } from "../../src/host/host.ts";
import { type Build, coreWith } from "./surroundings.ts";

const build: Build = (request, { report, signal }) => {
  const say = (text: string) => report.emit({ kind: "notice", text });
  say("building");
  if (request.buildArgs.has("crash")) setTimeout(() => void crash(), 1);
  const alive = setInterval(() => {}, 1000);
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => {
      if (request.buildArgs.has("stuck")) return say("stuck");
      if (!request.buildArgs.has("crash")) say("cleaned up");
      clearInterval(alive);
      reject(signal.reason);
    });
  });
};

process.exitCode = await findHost().run(coreWith({ build }));

function crash(): never {
  throw new RangeError("crashed");
}
