// Builds the executor image with Slipway itself: `npm run image -- [--arch amd64|arm64] FLAGS`, with the flags of a build.

import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { version } from "../src/host/version.ts";
import { findArchitecture } from "./image/architecture.ts";
import { assemble } from "./image/assemble.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

const [, , ...given] = process.argv;
const at = given.indexOf("--arch");
const [, name] = at < 0 ? [] : given.splice(at, 2);
const architecture = findArchitecture(name);
const context = await assemble(root, join(root, "build/image"), architecture);
const epoch = process.env.SOURCE_DATE_EPOCH ?? execFileSync("git", ["log", "-1", "--format=%ct"], { cwd: root, encoding: "utf8" }).trim();
const args = [
  `--context=dir://${context}`,
  `--dockerfile=${join(root, "image/Dockerfile")}`,
  `--custom-platform=linux/${architecture.name}`,
  `--build-arg=SOURCE_DATE_EPOCH=${epoch}`,
  "--rewrite-timestamp",
  `--label=org.opencontainers.image.version=${version}`,
  ...given,
];
execFileSync(process.execPath, [join(root, "dist/slipway.mjs"), ...args], { stdio: "inherit" });
