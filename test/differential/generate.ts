// Makes up programs: a seed gives the same one each time.

import { generateConfig } from "./generate-config.ts";
import { generateContext } from "./generate-context.ts";
import { generateRun } from "./generate-run.ts";
import { generateTransfer } from "./generate-transfer.ts";
import { baseModel, copyModel, emptyModel, type Model } from "./model.ts";
import type { ContextFile, Program } from "./program.ts";
import { openRandom, type Random } from "./random.ts";
import { pickValue } from "./words.ts";

/** Each makes a program fail, most of them. */
const mistakes: readonly string[] = [
  "COPY no/such/file /x",
  "COPY --from=nosuchstage:1 / /x",
  "ADD --checksum=sha256:00 . /x",
  "COPY --chmod=999 . /x",
  "COPY onlyone",
  "COPY --nosuch=flag . /x",
  "RUN exit 3",
  "RUN --mount=type=nosuch,target=/x true",
  "RUN --mount=type=bind,source=/no/such,target=/x true",
  "RUN --mount=type=secret,id=missing,required=true true",
  "RUN --network=bad true",
  'RUN ["/no/such/program"]',
  "USER nosuchuser\nRUN true",
  "ENV A",
  "ENV A=1 B",
  "ENV =x",
  "LABEL novalue",
  "LABEL a=${A:?must be set}",
  "ENV A=${UNSET?must be set}",
  "ENV A=${A:nonsense}",
  "ENV A=${A",
  "ENV A='x",
  "EXPOSE notaport",
  "EXPOSE 99999999",
  "EXPOSE 80/icmp",
  "VOLUME []",
  'VOLUME [""]',
  "WORKDIR",
  "STOPSIGNAL NOSUCH",
  "STOPSIGNAL",
  "HEALTHCHECK --interval=nonsense CMD true",
  "HEALTHCHECK --retries=-1 CMD true",
  "HEALTHCHECK WRONG",
  "SHELL not json",
  "SHELL []",
  "CMD [1, 2]",
  "ONBUILD FROM x",
  "ONBUILD ONBUILD RUN x",
  "ONBUILD MAINTAINER x",
  "NOSUCH instruction",
  "FROM",
  "FROM nosuch AS",
  "FROM scratch AS 1bad",
  "ARG",
  "ARG A=1 =2",
  "USER",
  "MAINTAINER",
  "COPY <<EOF /x\nunterminated",
  "COPY . <<EOF\nx\nEOF",
  "ADD --unpack=maybe . /x",
  "COPY --link=maybe . /x",
  "COPY --from= . /x",
  "COPY --from=99 . /x",
  "COPY --from=$A . /x",
  "COPY . /etc/passwd",
  'COPY ["a", 1]',
  "RUN --mount=target=/x,nonsense=1 true",
  "RUN --mount=type=cache true",
  "RUN",
  "COPY --chown=${A:?no} . /x",
  "COPY --link --chown=app . /x",
  "COPY --link --chown=:1000 . /x",
  "VOLUME /a $UNSET",
];

export function generateProgram(seed: number): Program {
  const random = openRandom(seed);
  const files = generateContext(random);
  const secrets = random.chance(20) ? { token: "t0ken", "other.id": "other\n" } : {};
  const buildArgs: Record<string, string> = {};
  if (random.chance(25)) buildArgs[random.pick(["A", "GIVEN", "B"])] = random.pick(["given", "", "two words", "$A"]);
  const { blocks, stages } = generateStages(random, files, Object.keys(secrets));
  const program: Program = {
    blocks,
    files,
    buildArgs,
    secrets,
    ...(random.chance(15) ? { target: random.pick([...stages, "0", "LAST"]) } : {}),
  };
  return random.chance(8) ? withMistake(random, program) : program;
}

function generateStages(random: Random, files: readonly ContextFile[], secrets: readonly string[]) {
  const blocks: string[] = [];
  if (random.chance(5)) blocks.push("# escape=\\");
  if (random.chance(20)) blocks.push(`ARG ${random.pick(["A", "GLOBAL"])}=${pickValue(random)}`);
  if (random.chance(15)) blocks.push("ARG BASE=base:1");
  const hasBase = blocks.at(-1)?.startsWith("ARG BASE") === true;
  const stages = new Map<string, Model>();
  const count = random.weigh([
    [50, 1],
    [30, 2],
    [15, 3],
    [5, 4],
  ] as const);
  for (let index = 0; index < count; index++) {
    const name = random.chance(85) ? `s${index}` : random.pick(["build", "final", "x.y"]);
    const { from, model } = pickBase(random, stages, hasBase);
    blocks.push(`FROM ${from} AS ${name}`);
    for (let left = 1 + random.int(8); left > 0; left--) blocks.push(generateInstruction(random, model, { files, stages, secrets }));
    stages.set(name, model);
  }
  return { blocks, stages: [...stages.keys()] };
}

function pickBase(random: Random, stages: ReadonlyMap<string, Model>, hasBase: boolean): { from: string; model: Model } {
  const kind = random.weigh([
    [20, "scratch"],
    [50, "base"],
    [8, "full"],
    [stages.size > 0 ? 22 : 0, "stage"],
  ] as const);
  if (kind === "scratch") return { from: "scratch", model: emptyModel() };
  if (kind === "full") return { from: "REGISTRY/base:2", model: { ...baseModel(), cwd: "/srv/work", user: "app" } };
  if (kind === "stage") {
    const [name, model] = random.pick([...stages]);
    return { from: name, model: copyModel(model) };
  }
  return { from: hasBase && random.chance(60) ? "REGISTRY/$BASE" : "REGISTRY/base:1", model: baseModel() };
}

interface Given {
  readonly files: readonly ContextFile[];
  readonly stages: ReadonlyMap<string, Model>;
  readonly secrets: readonly string[];
}

function generateInstruction(random: Random, model: Model, { files, stages, secrets }: Given): string {
  const kind = random.weigh([
    [38, "transfer"],
    [model.hasShell ? 30 : 0, "run"],
    [32, "config"],
  ] as const);
  const comment = random.chance(4) ? `# ${random.pick(["comment", "check=skip=all", "COPY x y"])}\n` : "";
  switch (kind) {
    case "transfer":
      return comment + generateTransfer(random, model, { files, stages });
    case "run":
      return comment + generateRun(random, model, { files, stages: [...stages.keys()], secrets });
    case "config":
      return comment + restyle(random, generateConfig(random, model));
  }
}

/** The word in another case, now and then. */
function restyle(random: Random, instruction: string): string {
  return random.chance(4) ? instruction.replace(/^\w+/, (word) => word.toLowerCase()) : instruction;
}

function withMistake(random: Random, program: Program): Program {
  const blocks = [...program.blocks];
  blocks.splice(1 + random.int(blocks.length), 0, random.pick(mistakes));
  return { ...program, blocks };
}
