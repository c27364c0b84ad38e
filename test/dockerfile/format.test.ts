// Formatting loses nothing: what is written reads back the same.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { DockerfileError, formatDockerfile, parseDockerfile } from "../../src/dockerfile/dockerfile.ts";
import { assertRereads } from "../support/reread.ts";
import { sharedFolder } from "../support/shared.ts";

function checkLaw(text: string): void {
  assertRereads(parseDockerfile(text, "Dockerfile"));
}

const word = fc.string({ unit: fc.constantFrom(..."abcXYZ019$./_-:@é"), minLength: 1, maxLength: 8 });
const name = fc.stringMatching(/^[a-z][a-z0-9_]{0,6}$/);
const quoted = fc.oneof(
  word,
  word.map((text) => `"${text} x"`),
  word.map((text) => `'${text}  "y'`),
  word.map((text) => `${text}\\ z`),
);
const words = fc.array(word, { minLength: 1, maxLength: 3 }).map((list) => list.join(" "));
const anything = fc.string({ unit: fc.constantFrom(..."ab $\\'\"`#<>|&;=[],{}é\t"), maxLength: 20 });
const command = fc.oneof(
  words,
  fc.tuple(word, anything).map((parts) => parts.join(" ")),
  fc.array(fc.string({ maxLength: 6 }), { maxLength: 3 }).map((list) => JSON.stringify(list)),
);
const pairs = fc
  .array(fc.tuple(name, quoted), { minLength: 1, maxLength: 3 })
  .map((list) => list.map(([key, value]) => `${key}=${value}`).join(" "));
const flag = (...names: string[]) =>
  fc
    .array(fc.tuple(fc.constantFrom(...names), quoted), { maxLength: 1 })
    .map((list) => list.map(([key, value]) => `--${key}=${value} `).join(""));
const body = fc.array(anything, { maxLength: 3 }).map((lines) => lines.map((line) => `${line}\n`).join(""));
const heredoc = fc
  .tuple(fc.constantFrom("<<EOF", "<<-EOF", "<<'EOF'", '<<E"O"F'), body)
  .map(([mark, text]) => ({ mark, body: `${text}EOF\n` }));
const transfer = (instruction: string, flags: fc.Arbitrary<string>) =>
  fc.oneof(
    fc.tuple(flags, words, word).map(([given, sources, target]) => `${instruction} ${given}${sources} ${target}\n`),
    fc
      .tuple(flags, fc.array(fc.string({ maxLength: 6 }), { minLength: 2, maxLength: 4 }))
      .map(([given, list]) => `${instruction} ${given}${JSON.stringify(list)}\n`),
    fc.tuple(flags, heredoc, words).map(([given, file, target]) => `${instruction} ${given}${file.mark} ${target}\n${file.body}`),
  );
const line = (instruction: string, rest: fc.Arbitrary<string>) => rest.map((text) => `${instruction} ${text}\n`);
const instruction = fc.oneof(
  line("ARG", fc.oneof(name, pairs)),
  line(
    "ENV",
    fc.oneof(
      pairs,
      fc.tuple(name, word, anything).map((parts) => parts.join(" ")),
    ),
  ),
  line("LABEL", pairs),
  line(
    "RUN",
    fc
      .tuple(
        fc.constantFrom(
          "",
          "--network=none ",
          "--mount=type=cache,target=/x ",
          "--mount='type=secret,\"id=a,b\"' ",
          "--device=a,required ",
        ),
        command,
      )
      .map((parts) => parts.join("")),
  ),
  fc.tuple(heredoc, anything).map(([file, rest]) => `RUN ${file.mark} ${rest.replaceAll(/[<'"\\$]/g, "")}\n${file.body}`),
  line("CMD", command),
  line("ENTRYPOINT", command),
  transfer(
    "COPY",
    fc.tuple(flag("from", "chown", "chmod"), fc.constantFrom("", "--link ", "--parents --link=false ")).map((parts) => parts.join("")),
  ),
  transfer(
    "ADD",
    fc
      .tuple(flag("chown", "checksum", "exclude"), fc.constantFrom("", "--unpack ", "--keep-git-dir=false "))
      .map((parts) => parts.join("")),
  ),
  line("WORKDIR", words),
  line("USER", quoted),
  line("EXPOSE", words),
  line("VOLUME", words),
  line("STOPSIGNAL", word),
  line(
    "HEALTHCHECK",
    fc
      .tuple(fc.constantFrom("", "--interval=1m3.5s --retries=2 ", "--start-interval=1ms --timeout=0s "), command)
      .map(([flags, rest]) => `${flags}CMD ${rest}`),
  ),
  fc.constant('HEALTHCHECK NONE\nSHELL ["a b", "-c"]\n'),
  line(
    "ONBUILD",
    fc.oneof(
      line("RUN", words).map((text) => text.trimEnd()),
      fc.constant("COPY <<E /x\nbody\nE"),
    ),
  ),
  line("MAINTAINER", words),
  line(
    "FROM",
    fc.tuple(flag("platform"), word, name).map(([platform, image, stage]) => `${platform}${image} AS ${stage}`),
  ),
);

test("parse ∘ format ∘ parse = parse", () => {
  const file = fc.tuple(
    fc.constantFrom("", "# escape=`\n", "# syntax=docker/dockerfile:1\n# check=skip=all\n"),
    fc.array(instruction, { maxLength: 6 }),
  );
  let read = 0;
  fc.assert(
    fc.property(file, ([head, instructions]) => {
      const text = `${head}ARG a=b\nFROM scratch\n${instructions.join("")}`;
      try {
        parseDockerfile(text, "Dockerfile");
      } catch (error) {
        if (error instanceof DockerfileError) return;
        throw error;
      }
      read++;
      checkLaw(text);
    }),
    { numRuns: 1500 },
  );
  assert.ok(read > 500, `only ${read} of 1500 were Dockerfiles`);
});

test("the conformance cases are written so that they read back the same", (t) => {
  const folder = sharedFolder(t, "conformance/cases");
  if (folder === undefined) return;
  for (const name of readdirSync(folder)) checkLaw(readFileSync(`${folder}/${name}/Dockerfile`, "utf8"));
});

test("awkward texts are written so that they read back the same", () => {
  const rows = [
    "RUN x\\\u00a0",
    "RUN -- --x",
    `RUN ${"x \\\n # no\\\n y".repeat(9000)}`,
    `RUN ${"\\\\ # ".repeat(20_000).slice(0, 60_000)}\\\n${"🚢".repeat(15_000)}`,
    "COPY <<eo\\'f <<''x /y\na\neo'f\nb\nx",
    'COPY ["a b", "<<E", "/d"]',
    'VOLUME ["/a b"]',
    "COPY --from='a b' c d",
    "COPY << E 3<<F /d\nx\nE\ny\nF",
    "ONBUILD RUN <<A <<B\n1\nA\n2\nB",
    "HEALTHCHECK --interval=2000000h CMD x",
    "LABEL a  b c ",
  ];
  for (const row of rows) checkLaw(`FROM scratch\n${row}\n`);
});

test("the canonical form is plain", () => {
  const text = '#escape=`\n#syntax=a\narg x\nfrom  --platform=b` c  d as E\nexpose 90 80\ncopy a`\n b /c\nentrypoint [ "e" ]\nenv f g  h\n';
  const expected = [
    "# syntax=a",
    "# escape=`",
    "ARG x",
    "FROM --platform='b c' d AS e",
    "EXPOSE 80 90",
    'COPY ["a","b","/c"]',
    'ENTRYPOINT ["e"]',
    "ENV f g  h",
    "",
  ];
  assert.deepEqual(formatDockerfile(parseDockerfile(text, "Dockerfile")).split("\n"), expected);
});
