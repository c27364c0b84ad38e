// Makes up the instructions that change the configuration, and WORKDIR and USER.

import { posix } from "node:path";
import { addDirectory, type Model, pickDirectory } from "./model.ts";
import type { Random } from "./random.ts";
import { pickValue, pickVariable, variableNames } from "./words.ts";

const command = (random: Random): string =>
  random.pick([
    '["sh", "-c", "echo $A"]',
    "echo hi $A",
    "[]",
    '["a"]',
    "exec   sh -c 'x y'",
    "['single', 'quotes']",
    '["tab\\t", "ü", "\\u0041"]',
    '[ "spaced" , "json" ] ',
    "a \\\n  b",
  ]);

const makers: readonly (readonly [weight: number, make: (random: Random, model: Model) => string])[] = [
  [12, (random, model) => generateEnv(random, model)],
  [8, (random, model) => generateArg(random, model)],
  [
    8,
    (random) =>
      `LABEL ${random.times(1, 3, () => `${random.pick(["org.label", "l", '"quoted key"', "a.b-c", "$A"])}=${pickValue(random)}`).join(random.pick([" ", " \\\n  "]))}`,
  ],
  [1, () => "LABEL legacy  some value  here"],
  [5, (random) => `EXPOSE ${random.pick(["80", "443/tcp 53/udp", "8000-8003", "$A", "9000/sctp", "${UNSET:-7000}/TCP", "80 80/tcp"])}`],
  [4, (random) => `VOLUME ${random.pick(["/vol", '["/v 1", "/data"]', "/a /b ${A:-v}", "rel", "[bad"])}`],
  [6, (random) => `CMD ${command(random)}`],
  [6, (random) => `ENTRYPOINT ${command(random)}`],
  [12, (random, model) => generateWorkdir(random, model)],
  [6, (random, model) => generateUser(random, model)],
  [3, (random) => `STOPSIGNAL ${random.pick(["SIGTERM", "9", "KILL", "sigusr1", "SIGRTMIN+3", "${UNSET:-SIGHUP}"])}`],
  [4, (random) => generateHealthcheck(random)],
  [2, (random) => `MAINTAINER ${random.pick(["me <me@example.com>", '"quoted"', "$A"])}`],
  [2, (random, model) => generateShell(random, model)],
  [
    3,
    (random) =>
      `ONBUILD ${random.pick(["RUN echo $A >/onbuild", "COPY . /onbuild/", "ENV X=$A", "USER app", "LABEL on=build", "WORKDIR on/build", 'CMD ["x"]', "ARG ON=1"])}`,
  ],
];

export function generateConfig(random: Random, model: Model): string {
  return random.weigh(makers)(random, model);
}

function generateEnv(random: Random, model: Model): string {
  const pairs = random.times(1, 3, () => {
    const name = random.pick(variableNames);
    model.variables.add(name);
    return `${name}=${pickValue(random)}`;
  });
  return random.chance(8)
    ? `ENV ${random.pick(variableNames)} ${random.pick(["legacy value", '"q" $B', "  spaced  $A ", "\\\n next"])}`
    : `ENV ${pairs.join(" ")}`;
}

function generateArg(random: Random, model: Model): string {
  const pairs = random.times(1, 2, () => {
    const name = random.pick([...variableNames, "TARGETOS", "GIVEN"]);
    model.variables.add(name);
    return random.chance(70) ? `${name}=${pickValue(random)}` : name;
  });
  return `ARG ${pairs.join(" ")}`;
}

function generateWorkdir(random: Random, model: Model): string {
  const path = random.pick([
    "/work",
    "work",
    "deep/er",
    "/data/sub",
    "..",
    "/lnk/w",
    "/srv/",
    "$A",
    "/opt/current",
    `${pickDirectory(random, model)}/w`,
    "./here/",
    "/data/../z",
    pickVariable(random),
  ]);
  if (!/[$\\]/.test(path)) {
    model.cwd = posix.resolve(model.cwd, path);
    addDirectory(model, model.cwd);
  }
  return `WORKDIR ${path}`;
}

function generateUser(random: Random, model: Model): string {
  // Commands that end in nothing but refusals are no test: root returns soon.
  model.user = random.pick(["app", "1000", "1000:2000", "ops", "app:staff", "root", "0", "12345", "root", "0:0", "nobody"]);
  return `USER ${model.user}`;
}

function generateHealthcheck(random: Random): string {
  const flags = random.pick([
    "",
    "--interval=5s ",
    "--interval=1m30s --timeout=3s ",
    "--retries=3 --start-period=1h ",
    "--start-interval=100ms ",
  ]);
  return random.chance(15) ? "HEALTHCHECK NONE" : `HEALTHCHECK ${flags}CMD ${random.pick(['["true"]', "true || exit 1", "curl $A"])}`;
}

function generateShell(random: Random, model: Model): string {
  return model.hasShell ? `SHELL ${random.pick(['["/bin/sh", "-ec"]', '["/bin/ash", "-c"]', '["sh", "-uc"]'])}` : 'SHELL ["/x"]';
}
