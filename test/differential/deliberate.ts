// The one place for differences that are meant, or that are of the reference's age: what the comparison lets pass.
// What the generator never writes, for the same reasons, stands in docs/differential.md.

import { isDeepStrictEqual } from "node:util";
import type { Failed, LayerNode } from "./outcome.ts";
import type { Program } from "./program.ts";

type Maybe = LayerNode | undefined;

export const deliberate = {
  /** Programs that BuildKit 0.25 refuses for reasons of its own. */
  unfit: [
    // The client sends patterns in a header, which knows ASCII alone.
    (_, { message }) => message.includes("contains value with non-printable ASCII characters"),
    // Since a COPY of its directory has --exclude, a link that leads nowhere must lead somewhere.
    ({ files, blocks }, { message }) => {
      const [, path, isLoop] = /failed to calculate checksum of ref \S+: (?:"\/(.*)": not found|(too many links))$/.exec(message) ?? [];
      const isLost = files.some((file) => file.kind === "symlink" && (isLoop !== undefined || file.path === path));
      return isLost && blocks.some((block) => block.includes("--exclude="));
    },
  ] as readonly ((program: Program, wanted: Failed) => boolean)[],
  /** Failures in different lines that are one mistake all the same. */
  failures: [
    // What Slipway finds missing before the first step, BuildKit finds when a step's turn comes: perhaps after another mistake.
    (_, got) => /failed to calculate checksum .*: not found|cannot be found|is not a valid target/.test(got.message),
    // BuildKit looks for the sources of later steps while a RUN fails.
    (wanted) => /failed to calculate checksum of ref .*: not found/.test(wanted.message),
    // BuildKit blames no line for a few.
    (wanted) => wanted.line === 0,
  ] as readonly ((wanted: Failed, got: Failed) => boolean)[],
  /** BuildKit 0.25 tells ports in the order they are written and again when repeated, and health checks in the words of another Go type. */
  history: (createdBy: string): string => {
    if (createdBy.startsWith("HEALTHCHECK ")) return "HEALTHCHECK";
    const ports = /^EXPOSE \[(.*)\]$/.exec(createdBy)?.[1]?.split(" ");
    return ports === undefined ? createdBy : `EXPOSE [${[...new Set(ports)].sort().join(" ")}]`;
  },
  nodes: [
    // A directory that is there already keeps its time where BuildKit tells when the step put something into it.
    (wanted, got) => wanted?.t === "d" && wanted.at === "now" && got !== undefined && isDeepStrictEqual(wanted, { ...got, at: "now" }),
  ] as readonly ((wanted: Maybe, got: Maybe) => boolean)[],
};
