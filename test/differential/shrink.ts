// Makes a program smaller while it still differs.

import type { ContextFile, Program } from "./program.ts";

type Test = (program: Program) => Promise<boolean>;

/** Tries to leave out each block, file and option, over and over, until nothing more can go. `limit` is the number of tries. */
export async function shrinkProgram(program: Program, differs: Test, limit = 150): Promise<Program> {
  let best = program;
  let tries = 0;
  const attempt = async (candidate: Program): Promise<boolean> => {
    if (!candidate.blocks.some((block) => /^FROM\b/i.test(block)) || ++tries > limit || !(await differs(candidate))) return false;
    best = candidate;
    return true;
  };
  for (let before: Program | undefined; before !== best && tries <= limit; ) {
    before = best;
    if (best.target !== undefined) await attempt(withoutTarget(best));
    if (Object.keys(best.buildArgs).length > 0) await attempt({ ...best, buildArgs: {} });
    if (Object.keys(best.secrets).length > 0) await attempt({ ...best, secrets: {} });
    await shorten(
      () => best.blocks,
      async (blocks) => attempt({ ...best, blocks }),
    );
    await shorten(
      () => best.files,
      async (files) => attempt({ ...best, files: withTargets(files) }),
    );
    for (let index = best.blocks.length - 1; index >= 0; index--) await shrinkBlock(index, () => best, attempt);
    for (let index = best.files.length - 1; index >= 0; index--) await shrinkArchive(index, () => best, attempt);
  }
  return best;
}

/** Halves first, then one by one from the end. */
async function shorten<T>(get: () => readonly T[], attempt: (items: readonly T[]) => Promise<boolean>): Promise<void> {
  for (let size = Math.ceil(get().length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = get().length - size; at >= 0; at -= size) await attempt([...get().slice(0, at), ...get().slice(at + size)]);
  }
}

/** Commands of a script, and pairs and flags. */
async function shrinkBlock(index: number, get: () => Program, attempt: Test): Promise<void> {
  for (const separator of ["; ", "\n", " "]) {
    const parts = () => (get().blocks[index] ?? "").split(separator);
    if (parts().length < 2) continue;
    const replace = async (words: readonly string[]) =>
      attempt({ ...get(), blocks: get().blocks.map((block, at) => (at === index ? words.join(separator) : block)) });
    for (let at = parts().length - 1; at >= 1; at--) await replace(parts().filter((_, other) => other !== at));
  }
}

async function shrinkArchive(index: number, get: () => Program, attempt: Test): Promise<void> {
  const current = () => {
    const file = get().files[index];
    return file?.kind === "archive" ? file : undefined;
  };
  for (let at = (current()?.members.length ?? 0) - 1; at >= 0; at--) {
    const file = current();
    if (file === undefined) return;
    const members = file.members.filter((_, other) => other !== at);
    await attempt({ ...get(), files: get().files.map((other, place) => (place === index ? { ...file, members } : other)) });
  }
}

/** Hard links whose file has gone go too. */
function withTargets(files: readonly ContextFile[]): ContextFile[] {
  const paths = new Set(files.filter(({ kind }) => kind === "file").map(({ path }) => path));
  return files.filter((file) => file.kind !== "hardlink" || paths.has(file.target));
}

function withoutTarget({ target, ...program }: Program): Program {
  return program;
}
