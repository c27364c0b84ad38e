// Dockerfiles by their grammar, right and nearly right.

import { readCorpus, tokens } from "./corpus.ts";
import { mutate } from "./mutate.ts";
import type { Random } from "./random.ts";
import { makeWord } from "./words.ts";

const corpus = readCorpus();

/** One of the corpus or one by the grammar, mostly with something changed. */
export function makeDockerfile(random: Random): string {
  const text = random.once(3) ? random.pick(corpus) : makeByGrammar(random);
  return random.once(3) ? text : mutate(text, corpus, tokens, random);
}

const heads = ["", "", "", "# escape=`\n", "# syntax=docker/dockerfile:1\n", "# check=error=true\n", "\ufeff", "# a comment\n\n"];

function makeByGrammar(random: Random): string {
  const line = () => makeInstruction(random) + (random.once(8) ? "\n" : "") + (random.once(12) ? "# a word about it\n" : "");
  const head = random.pick(heads) + random.some(2, () => `ARG ${makePair(random)}\n`);
  const stage = () =>
    `FROM ${random.once(6) ? "--platform=$BUILDPLATFORM " : ""}${random.pick(["scratch", "s1", "$A"])} AS s${random.below(4)}\n`;
  return `${head}FROM scratch\n${random.some(5, line)}${random.some(2, () => stage() + random.some(4, line))}`;
}

type Make = (random: Random) => string;

const instructions: readonly Make[] = [
  (random) => `ARG ${random.some(3, () => makePair(random), " ")}`,
  (random) => `ENV ${makePair(random)} ${random.some(3, () => makePair(random), " ")}`,
  (random) => `ENV ${makeName(random)} ${makeWords(random)}`,
  (random) => `${random.pick(["ENV", "ARG"])} A=$A${random.pick(["$A", "$B", "${A//a/$A}"])}`,
  (random) => `LABEL ${makePair(random)}`,
  (random) => `RUN ${random.some(2, () => makeRunFlag(random))}${makeCommand(random)}`,
  (random) => `RUN ${makeMark(random, "E")}${random.pick(["", " cat", " > x"])}\n${makeBody(random)}E`,
  (random) => `COPY ${random.some(3, () => makeCopyFlag(random))}${makeWords(random)} ${makeWord(random)}`,
  (random) => `COPY ${makeMark(random, "E")} ${makeMark(random, "F")} /d/\n${makeBody(random)}E\n${makeBody(random)}F`,
  (random) => `ADD ${random.some(2, () => makeCopyFlag(random))}${random.pick(sources)} ${makeWord(random)}`,
  (random) => `CMD ${makeCommand(random)}`,
  (random) => `ENTRYPOINT ${makeCommand(random)}`,
  (random) => `WORKDIR ${makeWord(random)}`,
  (random) => `USER ${makeWord(random)}`,
  (random) => `EXPOSE ${random.pick(["80", "80-82/udp", "$P", "1:2/TCP"])} ${makeWord(random)}`,
  (random) => `VOLUME ${random.once(2) ? makeJson(random) : makeWords(random)}`,
  (random) => `STOPSIGNAL ${random.pick(["9", "SIGTERM", "$S", "x"])}`,
  (random) => `HEALTHCHECK ${random.some(2, () => makeHealthFlag(random))}CMD ${makeCommand(random)}`,
  (random) => `SHELL ${makeJson(random)}`,
  (random) => `ONBUILD ${makeInstruction(random).trimEnd()}`,
  (random) => `MAINTAINER ${makeWords(random)}`,
];
const sources = [
  "https://a.test/b/c",
  "http://a.test?x",
  "git@a.test:b/c.git#d:e",
  "https://a.test/b.git?tag=v1",
  "ssh://a/b",
  "a.tar",
  "x/./y*",
];

function makeInstruction(random: Random): string {
  const text = random.pick(instructions)(random);
  const word = random.once(6) ? text.replace(/^\w+/, (found) => found.toLowerCase()) : text;
  return `${random.once(8) ? word.replaceAll(" ", random.pick([" \\\n", " `\n", " \\\n# x\n", "  ", "\t"])) : word}\n`;
}

function makeName(random: Random): string {
  return random.pick(["A", "B", "P", "S", "PATH", "TOKEN", "a", "\u00e9"]);
}

function makePair(random: Random): string {
  return `${makeName(random)}=${makeWord(random)}`;
}

function makeWords(random: Random): string {
  return `${makeWord(random)} ${random.some(3, () => makeWord(random), " ")}`;
}

function makeJson(random: Random): string {
  return JSON.stringify(Array.from({ length: random.few(4) }, () => makeWord(random)));
}

function makeCommand(random: Random): string {
  return random.once(3) ? makeJson(random) : makeWords(random);
}

function makeMark(random: Random, name: string): string {
  return random.pick(["<<", "<<-", "3<<", "<< "]) + random.pick([name, `'${name}'`, `"${name}"`]);
}

function makeBody(random: Random): string {
  return random.some(4, () => `${random.pick(["", "\t", "#!/bin/sh", "# x ", "\\"])}${makeWord(random)}\n`);
}

const mountKeys = [
  "target",
  "dst",
  "source",
  "from",
  "id",
  "env",
  "mode",
  "uid",
  "size",
  "sharing",
  "required",
  "ro",
  "rw",
  "readonly",
  "x",
];
const mountValues = ["/x", "a", "0755", "1", "64m", "locked", "true", "false", "$A", ""];

function makeRunFlag(random: Random): string {
  if (random.once(4)) return `--network=${random.pick(["none", "host", "default", "x"])} `;
  if (random.once(4)) return `--${random.pick(["security=insecure", "device=a,required", 'device="name=x"', "mont=x", "mount"])} `;
  const fields = random.some(4, () => `,${random.pick(mountKeys)}${random.once(6) ? "" : `=${random.pick(mountValues)}`}`);
  return `--mount=type=${random.pick(["bind", "cache", "tmpfs", "secret", "ssh", "x"])}${fields} `;
}

function makeCopyFlag(random: Random): string {
  const flag = random.pick([
    "from=s1",
    "from=0",
    "chown=1:2",
    "chmod=u+x",
    "chmod=755",
    "link",
    "parents",
    "link=false",
    "unpack",
    "keep-git-dir",
  ]);
  return `--${random.once(3) ? `${random.pick(["exclude", "checksum", "chown"])}=${makeWord(random)}` : flag} `;
}

function makeHealthFlag(random: Random): string {
  return `--${random.pick(["interval", "timeout", "start-period", "retries", "start-interval"])}=${random.pick(["1s", "1m3.5s", "3", "x", "-1h", ".5us"])} `;
}
