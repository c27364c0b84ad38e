// Makes up RUN: scripts that give the same files each time, in every form, with mounts.

import { posix } from "node:path";
import { addDirectory, forget, type Model, pickDirectory, pickExisting, pickNew } from "./model.ts";
import type { ContextFile } from "./program.ts";
import type { Random } from "./random.ts";

const modes = ["755", "644", "4755", "2775", "1777", "0", "u+s", "g-w,o-r", "a+x", "700"];
const owners = ["app", "ops:staff", "1000:1000", "12345:54321", "0:0", "nobody", ":staff", "app:"];

interface Given {
  readonly random: Random;
  readonly model: Model;
}

// Whatever may be read has a name of its own: a command that opens a pipe waits for ever.
const commands: readonly (readonly [weight: number, make: (given: Given) => string])[] = [
  [10, ({ random, model }) => writeFile(pickNew(random, model), model, random)],
  [5, ({ random, model }) => `echo more >>${pickExisting(random, model)}`],
  [6, ({ random, model }) => makeDirectory(pickNew(random, model), model, random)],
  [6, ({ random, model }) => remove(pickExisting(random, model), model, random)],
  [4, ({ random, model }) => symlink(pickNew(random, model), model, random)],
  [4, ({ random, model }) => `ln ${pickExisting(random, model)} ${newFile(random, model)}`],
  [5, ({ random, model }) => move(random, model)],
  [4, ({ random, model }) => `cp -${random.pick(["a", "r", "p", "d"])} ${pickExisting(random, model)} ${newFile(random, model)}`],
  [6, ({ random, model }) => `chmod ${random.chance(20) ? "-R " : ""}${random.pick(modes)} ${pickExisting(random, model)}`],
  [6, ({ random, model }) => `chown ${random.pick(["", "", "-R ", "-h "])}${random.pick(owners)} ${pickExisting(random, model)}`],
  [4, ({ random, model }) => `touch -d '2020-01-02 03:04:05' ${random.chance(30) ? "-h " : ""}${pickExisting(random, model)}`],
  [4, ({ random, model }) => replaceDirectory(pickDirectory(random, model), model)],
  [2, ({ random, model }) => `mkfifo ${pickDirectory(random, model)}/fifo`],
  [2, ({ random, model }) => `mknod ${pickDirectory(random, model)}/node ${random.pick(["c 1 3", "b 7 0", "c 5 1"])}`],
  [2, ({ random, model }) => `dd if=/dev/zero of=${newFile(random, model)} bs=1024 count=1 seek=${random.int(9)} 2>/dev/null`],
  [2, ({ random, model }) => `truncate -s ${random.pick(["0", "3", "100000"])} ${pickExisting(random, model)}`],
  [2, ({ random, model }) => `ln ${pickExisting(random, model)} /tmp/l; rm /tmp/l`],
  [1, ({ random, model }) => `: >>${pickExisting(random, model)}`],
  [2, ({ random, model }) => `rm -rf ${pickDirectory(random, model)}/*`],
  [2, ({ random, model }) => `for i in 1 2 3; do echo $i >${pickDirectory(random, model)}/i$i; done`],
  [2, ({ random, model }) => `cat ${pickExisting(random, model)} >${newFile(random, model)}`],
  [2, () => "adduser -D -H -u 3000 made; chown made /srv"],
  [2, ({ random, model }) => probe(random, newFile(random, model))],
];

/** What a command sees of its surroundings. */
function probe(random: Random, file: string): string {
  const question = random.pick([
    "env | grep -v ^SOURCE | sort",
    "id",
    "pwd",
    "umask",
    "hostname",
    "grep -E '^(Cap|NoNew|Seccomp:|Groups)' /proc/self/status",
    "cat /etc/hosts",
    "stat -c '%n %a %u:%g %F' / /tmp /data /etc/passwd /dev /proc",
    "find /data /opt /srv -exec stat -c '%n %a %u:%g %F' {} + | sort",
    "echo $0 $# $-",
    "ls /proc/self/fd",
    "ulimit -c",
    "tty; test -t 0; echo $?; wc -c",
    "cat /proc/sys/kernel/hostname; echo $HOME",
  ]);
  return `{ ${question}; } >${file} 2>&1`;
}

function writeFile(path: string, model: Model, random: Random): string {
  model.files.add(path);
  const parent = posix.dirname(path);
  if (!model.directories.has(parent)) addDirectory(model, parent);
  return `${random.chance(60) ? `mkdir -p ${parent}; ` : ""}echo ${random.pick(["text", '"$A"', "'q u'", "${B:-none}"])} >${path}`;
}

function newFile(random: Random, model: Model): string {
  const path = pickNew(random, model);
  model.files.add(path);
  return path;
}

function makeDirectory(path: string, model: Model, random: Random): string {
  addDirectory(model, path);
  return `mkdir -p ${random.chance(30) ? `-m ${random.pick(["2775", "700", "1777"])} ` : ""}${path}`;
}

function remove(path: string, model: Model, random: Random): string {
  forget(model, path);
  return `rm -rf ${path}${random.chance(25) ? `; echo again >${path}` : ""}`;
}

function replaceDirectory(path: string, model: Model): string {
  if (["/", "/bin", "/etc", "/usr", "/usr/bin", "/tmp"].includes(path)) return "true";
  forget(model, path);
  addDirectory(model, path);
  model.files.add(`${path}/fresh`);
  return `rm -rf ${path}; mkdir -p ${path}; echo fresh >${path}/fresh`;
}

function symlink(path: string, model: Model, random: Random): string {
  model.links.add(path);
  return `ln -s${random.chance(40) ? "fn" : ""} ${random.pick([pickExisting(random, model), "nowhere", "../data", "/opt/app"])} ${path}`;
}

function move(random: Random, model: Model): string {
  const [from, to] = [pickExisting(random, model), pickNew(random, model)];
  const isDirectory = model.directories.has(from);
  forget(model, from);
  if (isDirectory) addDirectory(model, to);
  else model.files.add(to);
  return `mv ${from} ${to}`;
}

export function generateRun(random: Random, model: Model, { files, stages, secrets }: RunGiven): string {
  const given = { random, model };
  const mounts = random.chance(25) ? random.times(1, 2, () => generateMount(random, { files, stages, secrets })) : [];
  const script = random.times(1, 5, () => random.weigh(commands)(given));
  const seen = mounts.map(({ look }) => look).filter((look) => look !== "");
  const flags = mounts.map(({ flag }) => `${flag} `).join("");
  const lines = [...seen, ...script, "true"];
  return random.weigh([
    [60, () => `RUN ${flags}${lines.join("; ")}`],
    [12, () => `RUN ${flags}${lines.join("; \\\n    ")}`],
    [10, () => `RUN ${flags}<<EOF\n${lines.join("\n")}\nEOF`],
    [4, () => `RUN ${flags}<<EOF sh -u\n${lines.join("\n")}\nEOF`],
    [4, () => `RUN ${flags}<<'END'\n#!/bin/sh\n${lines.join("\n")}\nEND`],
    [6, () => `RUN ${flags}${JSON.stringify(["/bin/sh", "-c", lines.join("; ")])}`],
    [4, () => `RUN ${flags}cat <<EOF >/tmp/here && ${lines.join("; ")}\nhere $A\nEOF`],
  ])();
}

export interface RunGiven {
  readonly files: readonly ContextFile[];
  /** Names of earlier stages. */
  readonly stages: readonly string[];
  /** Their ids. */
  readonly secrets: readonly string[];
}

interface Mount {
  readonly flag: string;
  /** What the script does with it. */
  readonly look: string;
}

function generateMount(random: Random, { files, stages, secrets }: RunGiven): Mount {
  const target = random.pick(["/mnt/new", "/data/sub", "rel/mnt", "/tmp/m", "/opt/m"]);
  const list = `find ${target} | sort >/tmp/list`;
  switch (
    random.weigh([
      [4, "bind"],
      [4, "cache"],
      [2, "tmpfs"],
      [3, "secret"],
    ] as const)
  ) {
    case "bind": {
      const stage = stages.length > 0 && random.chance(50) ? random.pick(stages) : undefined;
      const plain = files.filter(({ kind, path }) => (kind === "file" || kind === "directory") && /^[\w./]+$/.test(path));
      const source = stage !== undefined ? random.pick(["/", "/data", "/opt/app"]) : plain.length > 0 ? random.pick(plain).path : ".";
      const from = stage === undefined ? "" : `,from=${stage}`;
      return {
        flag: `--mount=type=bind${from},source=${source},target=${target}${random.chance(30) ? ",rw" : ""}`,
        look: random.chance(50) ? list : `echo w >${target}/w`,
      };
    }
    case "cache": {
      const more = random.pick(["", ",uid=1000,gid=1000", ",mode=0700", ",sharing=locked"]);
      // Stages run beside each other: what one finds in another's cache would be chance.
      return {
        flag: `--mount=type=cache,id=of-stage-${stages.length},target=${target}${more}`,
        look: `stat -c '%a %u:%g' ${target} >/tmp/cache; ls -A ${target} >>/tmp/cache; echo c >>${target}/c`,
      };
    }
    case "tmpfs":
      return { flag: `--mount=type=tmpfs,target=${target}`, look: `stat -c '%a %u:%g' ${target} >/tmp/tmpfs; echo t >${target}/t` };
    case "secret": {
      const id = random.pick([...secrets, "missing"]);
      const at = random.pick(["", ",target=/etc/secret", ",uid=1000,mode=0444", ",env=SECRET", ",target=rel/secret"]);
      return {
        flag: `--mount=type=secret,id=${id}${at}`,
        look: "stat -c '%n %a %u:%g' /run/secrets/* /etc/secret >/tmp/secret 2>&1; echo ${SECRET:+given} >>/tmp/secret",
      };
    }
  }
}
