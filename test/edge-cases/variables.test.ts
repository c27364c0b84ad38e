// ARG and ENV: what a line sees, what an empty and what a missing value is, what reaches commands, the image and the next stage.

import assert from "node:assert/strict";
import { test } from "node:test";
import { openWorkbench, testRows } from "./workbench.ts";

const bench = openWorkbench(({ image }) => image("image", ["d 755 0:0 there"], { Env: ["A=image", "P=/image"] }));

const args = (...pairs: readonly (readonly [string, string])[]) => ({ buildArgs: new Map(pairs) });

/** What labels `l=…` come to after some lines. */
const labelRows: readonly (readonly [what: string, lines: string, value: string, request?: ReturnType<typeof args>])[] = [
  ["7.36 the pairs of one ENV see what was before it", "ENV A=old\nENV A=new B=$A\nLABEL l=$A,$B", "new,old"],
  ["7.36 those of one ARG see each other", "ARG A=1 B=$A\nLABEL l=$B", "1"],
  ["7.36 the pairs of one LABEL do not set variables", "LABEL a=1 l=$a", ""],
  ["7.36 ENV A=$A:x appends", "ENV P=$P:x\nENV P=y:${P}\nLABEL l=$P", "y:/image:x"],
  ["7.36 what is not set is empty", "LABEL l=[$none${none}]", "[]"],
  ["7.36 a backslash before the dollar makes it a plain one", "LABEL l=\\$A", "$A"],
  ["7.36 so do single quotes", "LABEL l='$A'", "$A"],
  ["7.36 double quotes expand, in single ones inside them too", "LABEL l=\"$A'$A'\"", "image'image'"],
  ["7.37 what stands before FROM is not seen in a stage", "LABEL l=[$GLOBAL]", "[]"],
  ["7.37 until the stage declares it", "ARG GLOBAL\nLABEL l=[$GLOBAL]", "[global]"],
  ["7.37 a default of the stage's own wins over the one before FROM", "ARG GLOBAL=own\nLABEL l=$GLOBAL", "own"],
  ["7.37 a global default may use an earlier global", "ARG NEXT\nLABEL l=$NEXT", "global-next"],
  ["7.37 and a build argument for that one", "ARG NEXT\nLABEL l=$NEXT", "given-next", args(["GLOBAL", "given"])],
  ["7.38 ARG X alone is unset: ${X-def} is def", "ARG X\nLABEL l=${X-def},${X:-def},${X+set},${X:+full}", "def,def,,"],
  ["7.38 ARG X= is empty: ${X-def} is empty, ${X:-def} is def", "ARG X=\nLABEL l=${X-def},${X:-def},${X+set},${X:+full}", ",def,set,"],
  [
    "7.38 --build-arg X= is empty, even over a default",
    "ARG X=v\nLABEL l=${X-def},${X:-def},${X+set},${X:+full}",
    ",def,set,",
    args(["X", ""]),
  ],
  ["7.38 a value is itself", "ARG X=v\nLABEL l=${X-def},${X:-def},${X+set},${X:+full}", "v,v,set,full"],
  ["7.40 ENV after ARG wins, and ARG after ENV, of the image too", "ARG A=arg\nENV B=$A\nARG Q=1\nENV Q=2\nLABEL l=$A,$B,$Q", "arg,arg,2"],
];
for (const [what, lines, value, request] of labelRows)
  test(what, async () => {
    const dockerfile = `ARG GLOBAL=global\nARG NEXT=$GLOBAL-next\nFROM image\n${lines}\n`;
    const built = await bench.build({ dockerfile, ...(request === undefined ? {} : { request }) });
    assert.equal(built.config.Labels?.l, value);
  });

testRows(bench, [
  {
    what: "7.37 FROM with an empty value is refused in BuildKit's words",
    dockerfile: "ARG X\nFROM ${X}",
    fails: /base name \(\$\{X\}\) should not be blank/,
  },
  {
    what: "7.37 FROM takes a global with a default",
    dockerfile: "ARG WHAT\nFROM ${WHAT:-image}",
    config: { Env: ["A=image", "P=/image", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"] },
  },
  {
    what: "7.37 an ARG in a stage is none for the next FROM",
    dockerfile: "FROM image\nARG NEXT=image\nFROM $NEXT",
    fails: /base name \(\$NEXT\) should not be blank/,
  },
  {
    what: "7.40 ARG does not come into the image, ENV does, and a stage FROM another inherits both",
    dockerfile: "FROM scratch AS one\nARG ARG=a\nENV ENV=e\nFROM one\nENV BOTH=$ARG$ENV",
    config: { Env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "ENV=e", "BOTH=ae"] },
  },
  {
    what: "7.40 commands have both in their environment, but not what is unset",
    dockerfile: "FROM shell AS one\nARG ARG=a UNSET EMPTY=\nENV ENV=e\nFROM one\nRUN env | grep -E '^(ARG|ENV|UNSET|EMPTY)=' | sort",
    says: "ARG=a\nEMPTY=\nENV=e",
  },
]);

test("7.38 an unset argument is not exported to a command, an empty one is", async () => {
  const dockerfile = "FROM image\nARG UNSET\nARG EMPTY=\nARG GIVEN\nRUN x";
  const plan = await bench.plan({ dockerfile, request: args(["GIVEN", ""]) });
  assert.match(plan, /^ +ENV EMPTY=$/m);
  assert.match(plan, /^ +ENV GIVEN=$/m);
  assert.doesNotMatch(plan, /^ +ENV UNSET/m);
});
