// What the benchmark builds: contexts of ../shared/bench, and two that are generated because of their size.

import { execFileSync } from "node:child_process";
import { createCipheriv } from "node:crypto";
import { chmodSync, closeSync, cpSync, existsSync, mkdirSync, openSync, readdirSync, statSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";

const generated: ReadonlyMap<string, (folder: string) => void> = new Map([
  ["layer-2g", (folder) => writeBigFile(folder, 2048)],
  ["files-200k", (folder) => writeManyFiles(folder, 200_000)],
]);

/** Names of inputs; the generated ones last. */
export function listInputs(shared: string): string[] {
  const folders = readdirSync(shared).filter((name) => existsSync(join(shared, name, "Dockerfile")));
  return [...folders.sort(), ...generated.keys()];
}

/** Makes an input's context in `folder`, which must not exist yet. */
export function prepareInput(name: string, shared: string, folder: string): void {
  const generate = generated.get(name);
  if (generate !== undefined) {
    generate(folder);
    return;
  }
  cpSync(join(shared, name), folder, { recursive: true });
  for (const path of [".", ...readdirSync(folder, { recursive: true, encoding: "utf8" })]) {
    chmodSync(join(folder, path), statSync(join(folder, path)).mode | 0o200);
  }
  const prepare = join(folder, "prepare");
  if (existsSync(prepare)) execFileSync(prepare, { cwd: folder, stdio: ["ignore", "ignore", "inherit"] });
}

/** A COPY of a file of `mebibytes`: every other MiB does not compress, the rest is text; the same bytes each time. */
export function writeBigFile(folder: string, mebibytes: number): void {
  writeDockerfile(folder, "COPY big /data/\nRUN stat /data/big\n");
  const size = 1 << 20;
  const noise = createCipheriv("aes-128-ctr", Buffer.alloc(16), Buffer.alloc(16));
  const text = Buffer.alloc(size);
  const file = openSync(join(folder, "big"), "wx");
  for (let block = 0; block < mebibytes; block++) {
    writeSync(file, block % 2 === 0 ? noise.update(Buffer.alloc(size)) : text.fill(`${block} of 1024: a line of text that repeats\n`));
  }
  closeSync(file);
}

/** A COPY of `count` files of about a hundred bytes, a hundred to a directory, and a RUN that removes a hundred of them. */
export function writeManyFiles(folder: string, count: number): void {
  writeDockerfile(folder, "COPY tree /srv/tree\nRUN rm -r /srv/tree/d0 && echo changed > /srv/tree/d1/f1\n");
  for (let directory = 0; directory < count / 100; directory++) {
    const path = join(folder, "tree", `d${directory}`);
    mkdirSync(path, { recursive: true });
    for (let file = 0; file < 100; file++)
      writeFileSync(join(path, `f${file}`), `export const value = ${directory * 100 + file};\n`.repeat(3));
  }
}

/** A context with a Dockerfile of these lines on the base, or on another image of the registry. */
export function writeDockerfile(folder: string, lines: string, base = "base/debian:bookworm"): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "Dockerfile"), `ARG REGISTRY=127.0.0.1:5000\nFROM $REGISTRY/${base}\n${lines}`);
}
