// Dynamic programs that bring their loader and libraries along: they start in a root that has nothing else.

import { chmodSync, copyFileSync, existsSync, mkdirSync, readdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { Architecture } from "./architecture.ts";
import { type DebianPackage, run } from "./packages.ts";

const libraries = "/kaniko/lib";

/** Puts programs into a root, and remembers what they need. */
export class Programs {
  readonly #architecture: Architecture;
  readonly #packages: readonly DebianPackage[];
  readonly #needed = new Set<string>();
  /** Packages that something was taken from. */
  readonly used = new Set<DebianPackage>();

  constructor(architecture: Architecture, packages: readonly DebianPackage[]) {
    this.#architecture = architecture;
    this.#packages = packages;
  }

  /** Copies a program without its symbols. Its interpreter stays itself in `/proc/self/exe`, so that it can start itself again. */
  put(source: string, target: string): void {
    mkdirSync(dirname(target), { recursive: true });
    run(`${this.#architecture.triplet}-strip`, ["--strip-all", "-o", target, source]);
    const interpreter = basename(run("patchelf", ["--print-interpreter", source]).trim());
    // The old kind of path, which counts for what libraries need as well.
    const path = ["--set-interpreter", `${libraries}/${interpreter}`, "--force-rpath", "--set-rpath", libraries];
    run("patchelf", [...path, target]);
    chmodSync(target, 0o755);
    this.#needed.add(interpreter);
    this.#note(source);
  }

  /** Copies what the programs need, and what that needs. */
  putLibraries(root: string): void {
    mkdirSync(join(root, libraries), { recursive: true });
    for (const name of this.#needed) {
      const source = this.#findLibrary(name);
      copyFileSync(source, join(root, libraries, name));
      chmodSync(join(root, libraries, name), name.startsWith("ld-") ? 0o755 : 0o644);
      this.#note(source);
    }
  }

  /** A file of one of the packages. */
  find(path: string): string {
    const owner = this.#packages.find(({ folder }) => existsSync(join(folder, path)));
    if (owner === undefined) throw new Error(`Cannot find "${path}" in the packages ${this.#packages.map(({ name }) => name).join(", ")}`);
    this.used.add(owner);
    return join(owner.folder, path);
  }

  #note(file: string): void {
    for (const name of run("patchelf", ["--print-needed", file]).split("\n").filter(Boolean)) this.#needed.add(name);
  }

  #findLibrary(name: string): string {
    const folders = [`lib/${this.#architecture.triplet}`, `usr/lib/${this.#architecture.triplet}`];
    for (const owner of this.#packages)
      for (const folder of folders) {
        const place = join(owner.folder, folder);
        if (!existsSync(place) || !readdirSync(place).includes(name)) continue;
        this.used.add(owner);
        return join(place, name);
      }
    throw new Error(`Cannot find the library "${name}" in Debian's packages`);
  }
}
