// What the sources of COPY name: directories, links, wildcards, what leads out of the context, and what --exclude keeps out of them.

import { openWorkbench, testRows } from "./workbench.ts";

const bench = openWorkbench(({ image }) => image("image", ["d 755 0:0 there"]));

const context = `
d 755 0:0 dir
f 600 0:0 dir/a A
d 700 0:0 dir/sub
f 644 0:0 dir/sub/s S
f 644 0:0 file F
f 644 0:0 other O
l link-to-dir dir
l link-to-file file
l chain link-to-dir
d 755 0:0 links
l links/dangling /nowhere
l links/out ../../../etc/passwd
l links/absolute /etc/passwd
l links/in ../file
l up ../../../../file
l out ../../../../etc/passwd
l absolute-out /etc/passwd
l absolute-in /dir/a
`;

testRows(
  bench,
  [
    {
      what: "7.1 COPY of a directory copies what is in it, not the directory itself",
      dockerfile: "FROM image\nCOPY dir /x",
      gives: ["d 755 0:0 x", "f 600 0:0 x/a A", "d 700 0:0 x/sub", "f 644 0:0 x/sub/s S"],
    },
    {
      what: "7.1 with slashes at both ends it is the same: there is no /x/dir",
      dockerfile: "FROM image\nCOPY dir/ /x/",
      gives: ["d 755 0:0 x", "f 600 0:0 x/a A", "d 700 0:0 x/sub", "f 644 0:0 x/sub/s S"],
    },
    {
      what: "7.2 of a directory that a wildcard matches the contents land in the destination",
      dockerfile: "FROM image\nCOPY dir/* /x/",
      gives: ["d 755 0:0 x", "f 600 0:0 x/a A", "f 644 0:0 x/s S"],
    },
    {
      what: "7.2 several matched directories are flattened into one, and the last file of a name wins",
      dockerfile: "FROM image\nCOPY d*/* l*/ /x/",
      context:
        "d 755 0:0 d1\nd 711 0:0 d1/b\nf 644 0:0 d1/b/n 1\nd 755 0:0 d2\nd 755 0:0 d2/b\nf 600 0:0 d2/b/n 2\nd 755 0:0 l\nf 644 0:0 l/o O",
      gives: ["d 755 0:0 x", "f 600 0:0 x/n 2", "f 644 0:0 x/o O"],
    },
    {
      what: "7.3 a source link to a directory gives the contents of its target",
      dockerfile: "FROM image\nCOPY link-to-dir /x",
      gives: ["d 755 0:0 x", "f 600 0:0 x/a A", "d 700 0:0 x/sub", "f 644 0:0 x/sub/s S"],
    },
    {
      what: "7.3 and a chain of links what the last one leads to",
      dockerfile: "FROM image\nCOPY chain/sub /x",
      gives: ["d 755 0:0 x", "f 644 0:0 x/s S"],
    },
    {
      what: "7.3 a source link to a file gives the file's content under the link's name",
      dockerfile: "FROM image\nCOPY link-to-file /there/",
      gives: ["d 755 0:0 there", "f 644 0:0 there/link-to-file F"],
    },
    {
      what: "7.3 or under the destination's, where that names a file",
      dockerfile: "FROM image\nCOPY link-to-file /x",
      gives: ["f 644 0:0 x F"],
    },
    {
      what: "7.3 links that a wildcard matches are followed too",
      dockerfile: "FROM image\nCOPY link-* /x/",
      gives: ["d 755 0:0 x", "f 600 0:0 x/a A", "f 644 0:0 x/link-to-file F", "d 700 0:0 x/sub", "f 644 0:0 x/sub/s S"],
    },
    {
      what: "7.4 links inside a copied directory stay links, dangling ones and ones that lead out of the context as well",
      dockerfile: "FROM image\nCOPY links /x",
      gives: ["d 755 0:0 x", "l x/absolute /etc/passwd", "l x/dangling /nowhere", "l x/in ../file", "l x/out ../../../etc/passwd"],
    },
    {
      what: "7.5 a source link that climbs out of the context is resolved inside it",
      dockerfile: "FROM image\nCOPY up /x",
      gives: ["f 644 0:0 x F"],
    },
    {
      what: "7.5 an absolute one begins at the context's root",
      dockerfile: "FROM image\nCOPY absolute-in /x",
      gives: ["f 600 0:0 x A"],
    },
    {
      what: "7.5 one to a file that only the machine has is not found: nothing of the machine leaks",
      dockerfile: "FROM image\nCOPY out /x",
      fails: /"\/out": not found/,
    },
    {
      what: "7.5 nor by its absolute path",
      dockerfile: "FROM image\nCOPY absolute-out /x",
      fails: /"\/absolute-out": not found/,
    },
    {
      what: "7.5 nor through a directory that is a link",
      dockerfile: "FROM image\nCOPY root/etc/passwd /x",
      context: "l root /",
      fails: /"\/root\/etc\/passwd": not found/,
    },
    { what: "7.5 a source written with .. stops at the root", dockerfile: "FROM image\nCOPY ../../file /x", gives: ["f 644 0:0 x F"] },
    {
      what: "7.6 a wildcard that matches nothing copies nothing, with a warning of a check",
      dockerfile: "FROM image\nCOPY nope* /x/",
      gives: [],
      warns: /^WildcardSelectsNothing: "nope\*" matches nothing/,
    },
    {
      what: "7.6 and is silent where the check is skipped",
      dockerfile: "# check=skip=WildcardSelectsNothing\nFROM image\nCOPY nope* file /x/",
      gives: ["d 755 0:0 x", "f 644 0:0 x/file F"],
      warns: "nothing",
    },
    {
      what: "7.6 a literal source that is missing fails even beside wildcards that match",
      dockerfile: "FROM image\nCOPY f* nope /x/",
      fails: /"\/nope": not found/,
    },
    {
      what: "7.6 and so does a wildcard below a directory that is missing",
      dockerfile: "FROM image\nCOPY target/*.jar /x/",
      fails: /"\/target": not found/,
    },
    {
      what: "7.6 but not one below what another wildcard does not match",
      dockerfile: "FROM image\nCOPY tar*/*.jar dir/nope* /x/",
      gives: [],
    },
    {
      what: "7.11 of several sources to a destination without a slash the last one wins, with a warning of a check",
      dockerfile: "FROM image\nCOPY file other /x",
      gives: ["f 644 0:0 x O"],
      warns: /^SeveralSourcesNeedSlash: /,
    },
    {
      what: "7.11 where the destination is a directory already, they go into it",
      dockerfile: "FROM image\nCOPY file other /there",
      gives: ["d 755 0:0 there", "f 644 0:0 there/file F", "f 644 0:0 there/other O"],
    },
  ],
  context,
);

const whole = "f 644 0:0 a A\nf 644 0:0 .dockerignore b\nf 644 0:0 b B";
const wholeGives = ["d 755 0:0 x", "f 644 0:0 x/.dockerignore b", "f 644 0:0 x/Dockerfile DOCKERFILE", "f 644 0:0 x/a A"];
const wholeRows = ["COPY . /x", "COPY / /x", 'COPY "" /x', 'COPY [ "", "/x/" ]', "COPY ./ /x/", "ARG EMPTY\nCOPY $EMPTY /x"].map(
  (line) => ({
    what: `7.7 ${line.replace("\n", ", ")} copies the whole context, Dockerfile and ignore file included`,
    dockerfile: `FROM image\n${line}`,
    gives: wholeGives.map((text) => text.replace("DOCKERFILE", `FROM image\n${line}`)),
  }),
);
testRows(bench, wholeRows, whole);
testRows(bench, [
  {
    what: "7.7 but not where they are ignored",
    dockerfile: "FROM image\nCOPY . /x",
    context: "f 644 0:0 a A\nf 644 0:0 .dockerignore .docker*\\nDockerfile",
    gives: ["d 755 0:0 x", "f 644 0:0 x/a A"],
  },
]);
