// Whole Dockerfiles: instructions as values, stages, triggers, and what is refused.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import {
  DockerfileError,
  findBaseStage,
  findStage,
  type Instruction,
  parseDockerfile,
  parseOnbuild,
} from "../../src/dockerfile/dockerfile.ts";
import { assertMarked, readMarks } from "../support/marked.ts";
import { sharedFolder } from "../support/shared.ts";

/** The only instruction after FROM, without what all instructions have. */
function readOne(text: string): Record<string, unknown> {
  const { stages } = parseDockerfile(`FROM base\n${text}\n`, "Dockerfile");
  const [instruction] = stages.at(-1)?.instructions ?? [];
  assert.ok(instruction, text);
  return fields(instruction);
}

function fields(instruction: Instruction): Record<string, unknown> {
  const { range, text, word, comments, ...rest } = instruction;
  assert.ok(range.start.line >= 1 && text.startsWith(word) && Array.isArray(comments));
  return rest;
}

const shell = (text: string) => ({ form: "shell", text });
const exec = (...args: string[]) => ({ form: "exec", args });
const transfer = { sources: ["a"], contents: [], destination: "/b", link: false, exclude: [] };
const copy = { kind: "copy", ...transfer, parents: false };
const add = { kind: "add", ...transfer };
const run = { kind: "run", command: shell("x"), heredocs: [], mounts: [], network: "default", security: "sandbox", devices: [] };

const instructions: readonly [string, Record<string, unknown>][] = [
  [
    "ARG a b=c d= 'e=f g'",
    { kind: "arg", args: [{ name: "a" }, { name: "b", value: "c" }, { name: "d", value: "" }, { name: "'e", value: "f g'" }] },
  ],
  [
    'ENV a=b \\\n  c=\'d e\'  f="g\\" h"',
    {
      kind: "env",
      pairs: [
        { key: "a", value: "b" },
        { key: "c", value: "'d e'" },
        { key: "f", value: '"g\\" h"' },
      ],
      legacy: false,
    },
  ],
  ["ENV a  b  c=d ", { kind: "env", pairs: [{ key: "a", value: "b  c=d" }], legacy: true }],
  ['LABEL "a b"=c', { kind: "label", pairs: [{ key: '"a b"', value: "c" }], legacy: false }],
  ["RUN x", run],
  ["run", { ...run, command: shell("") }],
  ['RUN ["a", "b c"]', { ...run, command: exec("a", "b c") }],
  ['RUN ["echo", "hello"]this is invalid', { ...run, command: shell('["echo", "hello"]this is invalid') }],
  ["RUN ['a']", { ...run, command: shell("['a']") }],
  ["RUN -- --x", { ...run, command: shell("--x") }],
  ["RUN --network=none --security=insecure x", { ...run, network: "none", security: "insecure" }],
  [
    "RUN --device=a/b=c,required --device=name=d,required=false x",
    {
      ...run,
      devices: [
        { name: "a/b=c", required: true },
        { name: "d", required: false },
      ],
    },
  ],
  ["CMD a  b", { kind: "cmd", command: shell("a  b") }],
  ["CMD []", { kind: "cmd", command: exec() }],
  ['ENTRYPOINT ["\\u00e9", "\\ud800"]', { kind: "entrypoint", command: exec("é", "\ufffd") }],
  ["COPY a /b", copy],
  ['COPY ["a b", "", "/b"]', { ...copy, sources: ["a b", ""] }],
  [
    "COPY --from=0 --chown=1:2 --chmod=u=rwX --link --parents --exclude=x --exclude=y a /b",
    { ...copy, from: "0", chown: "1:2", chmod: "u=rwX", link: true, parents: true, exclude: ["x", "y"] },
  ],
  ["COPY --link=false --chown='a b' a /b", { ...copy, chown: "a b" }],
  ["COPY --exclude=ü*.txt a /b", { ...copy, exclude: ["ü*.txt"] }],
  [
    "COPY <<E a <<-'F' /b\n$X\nE\n\t$Y\nF",
    {
      ...copy,
      contents: [
        { name: "E", content: "$X\n", expand: true },
        { name: "F", content: "$Y\n", expand: false },
      ],
    },
  ],
  ["ADD a /b", add],
  ["ADD --checksum=sha256:0 --keep-git-dir --unpack=false a /b", { ...add, checksum: "sha256:0", keepGitDir: true, unpack: false }],
  ["WORKDIR /a b", { kind: "workdir", path: "/a b" }],
  ["USER 1:2", { kind: "user", user: "1:2" }],
  ["EXPOSE 90 $P 80/tcp", { kind: "expose", ports: ["$P", "80/tcp", "90"] }],
  ["VOLUME /a /b", { kind: "volume", paths: ["/a", "/b"] }],
  ['VOLUME ["/a b"]', { kind: "volume", paths: ["/a b"] }],
  ["STOPSIGNAL $S", { kind: "stopsignal", signal: "$S" }],
  ["HEALTHCHECK none", { kind: "healthcheck" }],
  [
    "HEALTHCHECK --interval=1m30s --timeout=0.5s --start-period=0s --retries=3 CMD a b",
    { kind: "healthcheck", command: shell("a b"), interval: 90e9, timeout: 5e8, retries: 3 },
  ],
  ['HEALTHCHECK --start-interval=1ms CMD ["a"]', { kind: "healthcheck", command: exec("a"), startInterval: 1e6 }],
  ['SHELL ["/bin/bash", "-c"]', { kind: "shell", args: ["/bin/bash", "-c"] }],
  ["ONBUILD  COPY <<E /b\na\nE", { kind: "onbuild", trigger: "COPY <<E /b\na\nE" }],
  ["MAINTAINER a <b@c>", { kind: "maintainer", name: "a <b@c>" }],
];

test("instructions are read into values", () => {
  for (const [text, expected] of instructions) assert.deepEqual(readOne(text), expected, text);
});

test("an instruction says how it is written and where", () => {
  const { globalArgs, stages, file } = parseDockerfile("ARG v=1\n# note\nfrom a:$v as B\nRun \\\n  x  \n", "dir/Dockerfile");
  assert.equal(file, "dir/Dockerfile");
  assert.equal(globalArgs.length, 1);
  assert.deepEqual(stages, [
    {
      index: 0,
      name: "b",
      from: {
        kind: "from",
        image: "a:$v",
        stage: "b",
        as: { word: "as", stage: "B" },
        range: { start: { line: 3, column: 1 }, end: { line: 3, column: 15 } },
        text: "from a:$v as B",
        word: "from",
        comments: ["note"],
      },
      instructions: [
        { ...run, range: { start: { line: 4, column: 1 }, end: { line: 5, column: 6 } }, text: "Run   x", word: "Run", comments: [] },
      ],
      range: { start: { line: 3, column: 1 }, end: { line: 5, column: 6 } },
    },
  ]);
});

// [what stands after "FROM base\n", with marks around what is wrong unless it is all of it; message without its place]
const refused: readonly [string, string][] = [
  ["«FNTRYPOINT» x", "unknown instruction: FNTRYPOINT (did you mean ENTRYPOINT?)"],
  ["«rnu» x", "unknown instruction: rnu (did you mean run?)"],
  ["«BANANA» x", "unknown instruction: BANANA"],
  ["WORKDIR", "WORKDIR requires exactly one argument"],
  ["USER", "USER requires exactly one argument"],
  ["STOPSIGNAL", "STOPSIGNAL requires exactly one argument"],
  ["MAINTAINER", "MAINTAINER requires exactly one argument"],
  ["MAINTAINER «--boo» joe@example.com", "unknown flag: --boo"],
  ["ARG", "ARG requires at least one argument"],
  ["ARG «=x»", "ARG names can not be blank"],
  ["ENV", "ENV requires at least one argument"],
  ["ENV «PATH»", "ENV must have two arguments"],
  ["ENV «=x»", "ENV names can not be blank"],
  ["ENV a=b «c»", 'Syntax error - can\'t find = in "c". Must be of the form: name=value'],
  ["LABEL", "LABEL requires at least one argument"],
  ["LABEL a=b «'c d»", "Syntax error - can't find = in \"'c d\". Must be of the form: name=value"],
  ["EXPOSE", "EXPOSE requires at least one argument"],
  ["VOLUME", "VOLUME requires at least one argument"],
  ['VOLUME [«" "»]', "VOLUME specified can not be an empty string"],
  ["ONBUILD", "ONBUILD requires at least one argument"],
  ["«ONBUILD» ONBUILD RUN x", "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed"],
  ["ONBUILD «FROM» scratch", "FROM isn't allowed as an ONBUILD trigger"],
  ["ONBUILD «maintainer» x", "MAINTAINER isn't allowed as an ONBUILD trigger"],
  ["ONBUILD ENV «x»", "ENV must have two arguments"],
  ["COPY «a»", "COPY requires at least two arguments, but only one was provided. Destination could not be determined"],
  ["COPY\t\n", "COPY requires at least two arguments, but only one was provided. Destination could not be determined"],
  ["ADD «a»", "ADD requires at least two arguments, but only one was provided. Destination could not be determined"],
  ["COPY a «<<E»\nE", "COPY cannot accept a heredoc as a destination"],
  ["COPY «--form»=a b c", "unknown flag: --form (did you mean from?)"],
  ["COPY «--checksum»=a b c", "unknown flag: --checksum"],
  ["COPY «--from» b c", "missing a value on flag: --from"],
  ["COPY «--link=» b c", "missing a value on flag: --link"],
  ["COPY --link=«maybe» b c", "expecting boolean value for flag --link, not: maybe"],
  ["COPY --chown=a «--chown=b» b c", "duplicate flag specified: --chown"],
  [
    "COPY --from=«$FOO» b c",
    "variable expansion is not supported for --from, define a new stage with FROM using ARG from global scope as a workaround",
  ],
  ["CMD «--x» y", "unknown flag: --x"],
  ["RUN «--mont»=target=/mytmp true", "unknown flag: --mont (did you mean mount?)"],
  ["RUN --mount=from=«$X»,target=/x true", "'from' doesn't support variable expansion, define alias stage instead"],
  ['RUN --mount=type=\\«"»bind true', 'failed to parse csv mounts: parse error on line 1, column 6: bare " in non-quoted-field'],
  ["RUN --network=«nune» true", 'invalid network mode "nune" (did you mean none?)'],
  ["RUN --security=«no» true", 'security "no" is not valid'],
  ["RUN --device=a,«b» true", "invalid field 'b' must be a key=value pair"],
  ['RUN «["a", 1]»', "when using JSON array syntax, arrays must be comprised of strings only"],
  ["SHELL «bash -c»", 'SHELL requires the arguments to be in JSON form (SHELL ["/bin/bash", "-c"])'],
  ["SHELL []", "SHELL requires at least one argument"],
  ["HEALTHCHECK", "HEALTHCHECK requires at least one argument"],
  ["HEALTHCHECK NONE «x»", "HEALTHCHECK NONE takes no arguments"],
  ["HEALTHCHECK «CMD»", "Missing command after HEALTHCHECK CMD"],
  ["HEALTHCHECK «connect» x", 'Unknown type "CONNECT" in HEALTHCHECK (try CMD)'],
  ["HEALTHCHECK --interval=«50ns» CMD x", 'Interval "interval" cannot be less than 1ms'],
  ["HEALTHCHECK --timeout=«-5s» CMD x", 'Interval "timeout" cannot be less than 1ms'],
  ["HEALTHCHECK --timeout=«5» CMD x", 'time: missing unit in duration "5" (write it as 30s, 1m30s or 500ms)'],
  ["HEALTHCHECK --timeout=«5d» CMD x", 'time: unknown unit "d" in duration "5d" (write it as 30s, 1m30s or 500ms)'],
  ["HEALTHCHECK --timeout=«x» CMD x", 'time: invalid duration "x" (write it as 30s, 1m30s or 500ms)'],
  ["HEALTHCHECK --retries=«x» CMD x", 'strconv.ParseInt: parsing "x": invalid syntax (--retries takes a number)'],
  ["HEALTHCHECK --retries=«-1» CMD x", "--retries cannot be negative (-1)"],
  ["FROM", "FROM requires either one or three arguments (FROM image, or FROM image AS name)"],
  ["FROM a «b»", "FROM requires either one or three arguments (FROM image, or FROM image AS name)"],
  ["FROM a «is» b", "FROM requires either one or three arguments (FROM image, or FROM image AS name)"],
  ["FROM a AS «1b»", 'invalid name for build stage: "1b", name can\'t start with a number or contain symbols'],
  ["FROM «--platfrom»=x a", "unknown flag: --platfrom (did you mean platform?)"],
  // Continuations, comments in them, carriage returns, quotes.
  ["COPY \\\n  # why\n\n  «--form»=a \\\n b c", "unknown flag: --form (did you mean from?)"],
  ["  COPY \\\r\n\t«--form»=a b c\r", "unknown flag: --form (did you mean from?)"],
  ["COPY --chown='a b' «--'fo rm'=a» b c", "unknown flag: --fo rm"],
  ["COPY --from=a «--fr\\\nom=b» c d", "duplicate flag specified: --from"],
  ["RUN a \\\n «<<A» <<'B C' \\\n b\nx", "unterminated heredoc (no line is just A)"],
  ["RUN cat EOF <<'X' «<<EOF»\nX\n", "unterminated heredoc (no line is just EOF)"],
  ["ENV a=b \\\n  c=d \\\n  «e»", 'Syntax error - can\'t find = in "e". Must be of the form: name=value'],
  ["ONBUILD \\\n RUN \\\n «[1]»", "when using JSON array syntax, arrays must be comprised of strings only"],
];

test("wrong instructions are refused in BuildKit's words, with file, line and column", () => {
  for (const [marked, message] of refused) {
    const { text, range } = readMarks(`FROM base\n${marked}\n`);
    assert.throws(
      () => parseDockerfile(text, "Dockerfile"),
      (error) => {
        assert.ok(error instanceof DockerfileError, marked);
        assertMarked(error, { text, range });
        assert.equal(error.message.replace(/^Dockerfile:\d+:\d+: /, ""), message, marked);
        return true;
      },
    );
  }
});

test("a file without a stage is refused", () => {
  assert.throws(() => parseDockerfile("ARG a\n", "D"), { message: "D:1:1: dockerfile contains no stages to build" });
  assert.throws(() => parseDockerfile("ARG a\nRUN b\nFROM c\n", "D"), {
    message: "D:2:1: no build stage in current context (a FROM must come first)",
  });
});

test("bytes that are no UTF-8 are replaced", () => {
  const bytes = Buffer.concat([Buffer.from("\ufeffFROM a\nLABEL b=c"), Buffer.from([0xff, 0x0a])]);
  const [label] = parseDockerfile(bytes, "Dockerfile").stages[0]?.instructions ?? [];
  assert.ok(label?.kind === "label");
  assert.equal(label.pairs[0]?.value, "c\ufffd");
});

test("parseOnbuild reads one trigger", () => {
  const from = { start: { line: 7, column: 2 }, end: { line: 7, column: 9 } };
  const trigger = parseOnbuild("COPY --from=a <<E /b\nx\nE", "Dockerfile", from);
  assert.deepEqual(fields(trigger), { ...copy, from: "a", sources: [], contents: [{ name: "E", content: "x\n", expand: true }] });
  assert.equal(trigger.range.start.line, 7);
  const rows: [string, string][] = [
    ["RUN a\nRUN b", "onbuild trigger should be a single expression"],
    ["FROM a", "FROM isn't allowed as an ONBUILD trigger"],
    ["ONBUILD RUN a", "ONBUILD isn't allowed as an ONBUILD trigger"],
    ["MAINTAINER a", "MAINTAINER isn't allowed as an ONBUILD trigger"],
    ["RNU a", "unknown instruction: RNU (did you mean RUN?)"],
    ["", "the Dockerfile cannot be empty"],
  ];
  for (const [text, reason] of rows) {
    assert.throws(() => parseOnbuild(text, "Dockerfile", from), {
      name: "DockerfileError",
      message: `Dockerfile:7:2: ONBUILD trigger "${text}": ${reason}`,
    });
  }
});

test("stages are found by name in any case, the last one first, and by number", () => {
  const { stages } = parseDockerfile("FROM a AS x\nFROM b AS Y\nFROM y AS x\n", "Dockerfile");
  assert.equal(findStage(stages, "X")?.index, 2);
  assert.equal(findStage(stages, "y")?.index, 1);
  assert.equal(findStage(stages, "0")?.index, 0);
  assert.equal(findStage(stages, "alpine"), undefined);
  assert.throws(() => findStage(stages, "3"), { name: "RangeError", message: "invalid stage index 3" });
  assert.throws(() => findStage(stages, "-1"), RangeError);
  assert.equal(findBaseStage(stages, 2, "y")?.index, 1);
  assert.equal(findBaseStage(stages, 2, "x")?.index, 0);
  assert.equal(findBaseStage(stages, 2, "Y"), undefined);
  assert.equal(findBaseStage(stages, 0, "x"), undefined);
});

test("every conformance case is read", (t) => {
  const folder = sharedFolder(t, "conformance/cases");
  if (folder === undefined) return;
  for (const name of readdirSync(folder)) {
    assert.ok(parseDockerfile(readFileSync(`${folder}/${name}/Dockerfile`), name).stages.length > 0, name);
  }
});

test("random text is read or refused, never more", () => {
  const piece = fc.oneof(
    fc.constantFrom(
      "FROM a\n",
      "RUN ",
      "COPY ",
      "ENV ",
      "HEALTHCHECK ",
      "ONBUILD ",
      "--mount=",
      "--x",
      "<<E",
      "E\n",
      "\\\n",
      "# escape=`\n",
      '["',
      '"]',
      "'",
      "\u00a0",
    ),
    fc.string({ unit: "binary", maxLength: 8 }),
    fc.string({ unit: fc.constantFrom(..."\n\r\t \\`\"'$#=<-[],x"), maxLength: 8 }),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
      try {
        parseDockerfile(pieces.join(""), "Dockerfile");
      } catch (error) {
        assert.ok(error instanceof DockerfileError, String(error));
      }
    }),
    { numRuns: 1000 },
  );
});

test("large files are read in time that grows with their size", () => {
  const rows = [
    `FROM a\nRUN ${"x \\\n".repeat(200_000)}y\n`,
    `FROM a\n${"ONBUILD \\\n".repeat(100_000)}RUN x\n`,
    `FROM a\nENV ${"a=b \\\n".repeat(100_000)}c=d\n`,
    `FROM a\nRUN ${"<<\\\n".repeat(20_000)}\n`,
    `FROM a\nRUN <<E\n${"x\n".repeat(200_000)}E\n`,
    `# syntax=a${" ".repeat(60_000)}b\nFROM a\n`,
    `FROM a\nRUN --mount=${'""'.repeat(30_000)} x\n`,
  ];
  for (const text of rows) {
    const begun = performance.now();
    try {
      parseDockerfile(text, "Dockerfile");
    } catch (error) {
      assert.ok(error instanceof DockerfileError, String(error));
    }
    assert.ok(performance.now() - begun < 5000, text.slice(0, 30));
  }
});
