// The text of a Dockerfile: heredocs, continued lines, comments, directives, line ends.

import assert from "node:assert/strict";
import { test } from "node:test";
import { openWorkbench, testRows } from "./workbench.ts";

const bench = openWorkbench();

testRows(bench, [
  {
    what: "7.50 COPY of a heredoc expands variables, keeps quotes, and takes one backslash away",
    dockerfile: "FROM scratch\nARG V=1\nCOPY <<E /f\na $V ${V:+x} \\$V \"q\" '$V' \\\\ \\t\n# kept\n\nend \\\nE",
    gives: ["f 644 0:0 f a 1 x $V \"q\" '1' \\ t\n# kept\n\nend"],
  },
  {
    what: "7.50 of one with a quoted delimiter nothing changes",
    dockerfile: 'FROM scratch\nARG V=1\nCOPY <<"E" /f\na $V \\$V \\\\ \\\nb\nE\n',
    gives: ["f 644 0:0 f a $V \\$V \\\\ \\\nb"],
  },
  {
    what: "7.50 <<- takes tabs, and no blanks, off the front, of the delimiter too",
    dockerfile: "FROM scratch\nCOPY <<-E /f\n\ta\n\t\tb\n\t c\n\tE",
    gives: ["f 644 0:0 f a\nb\n c"],
  },
  {
    what: "7.50 two heredocs in one COPY are two files",
    dockerfile: "FROM scratch\nCOPY --chmod=755 <<one.txt <<'two' /d/\n1\none.txt\n2\ntwo",
    gives: ["d 755 0:0 d", "f 755 0:0 d/one.txt 1", "f 755 0:0 d/two 2"],
  },
  {
    what: "7.50 the delimiter with a blank after it does not end a heredoc, nor with one before it",
    dockerfile: "FROM scratch\nCOPY <<E /f\nE \n E\nE",
    gives: ["f 644 0:0 f E \n E"],
  },
  { what: "7.50 a heredoc that does not end is refused", dockerfile: "FROM scratch\nCOPY <<E /f\na", fails: /unterminated heredoc/ },
  {
    what: "7.50 line ends of CRLF stay in what a heredoc holds, and nowhere else",
    dockerfile: "FROM scratch\r\nARG V=1\r\nCOPY <<A <<-C /x/\r\na $V\r\nA \r\nA\r\n\tc\r\n\tC\r\nLABEL a=b \\\r\n  c=d\r\n",
    gives: ["d 755 0:0 x", "f 644 0:0 x/A a 1\r\nA", "f 644 0:0 x/C c"],
    config: { Labels: { a: "b", c: "d" } },
  },
  {
    what: "7.50 in a RUN the shell has the heredoc, with what is around it",
    dockerfile:
      "FROM shell\nRUN cat <<EOF | tr a-z A-Z && echo after\nfirst $((1<<2)) $HOME\nEOF\nRUN <<EOF\ncd /tmp\npwd\nEOF\nRUN cat <<'ONE' - <<TWO\nONE\n$HOME\nTWO",
    says: "FIRST 4 /ROOT\nafter\n/tmp\n/root",
  },
  {
    what: "7.50 a shift in arithmetic is no heredoc",
    dockerfile: "FROM shell\nRUN echo $((1<<2)) $((1<<EOF+1))",
    says: "4 2",
  },
  {
    what: "7.51 comments and blank lines inside a continued line vanish, blanks after the backslash do not matter",
    dockerfile: 'FROM scratch\nLABEL a=1 \\  \n# one\n  # two \\\n\n\t\n  b="x # y" \\\n# last\n  c=3',
    config: { Labels: { a: "1", b: "x # y", c: "3" } },
    warns: /NoEmptyContinuation/,
  },
  {
    what: "7.51 a backslash at the end of the file continues nothing",
    dockerfile: "FROM scratch\nLABEL a=1 \\",
    config: { Labels: { a: "1" } },
  },
  {
    what: "7.51 two backslashes do not continue a line",
    dockerfile: "FROM scratch\nLABEL a=x\\\\\nLABEL b=y",
    config: { Labels: { a: "x\\", b: "y" } },
  },
  {
    what: "7.51 # escape=` makes backslashes plain, for Windows paths; heredocs keep their own",
    dockerfile: '# escape=`\nFROM scratch\nENV P=c:\\dir\\x Q="a`"b"\nWORKDIR /w`\nd\nLABEL a=1 `\n  b=2\nCOPY <<E /e\na`$P \\$P `\\ $P\nE',
    config: {
      Env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "P=c:\\dir\\x", 'Q=a"b'],
      WorkingDir: "/wd",
      Labels: { a: "1", b: "2" },
    },
    gives: ["f 644 0:0 e a`c:\\dir\\x $P ` c:\\dir\\x"],
  },
  {
    what: "7.51 a directive after a comment is a comment",
    dockerfile: "# comment\n# escape=`\nFROM scratch\nLABEL a=1 \\\n  b=2",
    config: { Labels: { a: "1", b: "2" } },
  },
  {
    what: "7.51 and so is one after a blank line",
    dockerfile: "\n# escape=`\nFROM scratch\nLABEL a=1 \\\n  b=2",
    config: { Labels: { a: "1", b: "2" } },
  },
  {
    what: "7.51 after one that is unknown as well",
    dockerfile: "# unknown=x\n# escape=`\nFROM scratch\nLABEL a=1 \\\n  b=2",
    config: { Labels: { a: "1", b: "2" } },
  },
  {
    what: "7.51 a directive twice is refused",
    dockerfile: "# escape=`\n# escape=`\nFROM scratch",
    fails: /only one escape parser directive can be used/,
  },
]);

test("7.50 history has a RUN's whole text, and of a COPY the delimiters alone", async (t) => {
  const built = await bench.build({ dockerfile: "FROM scratch\nCOPY <<A <<'B' /\nsecret text\nA\nB" });
  assert.equal(built.history.at(-1), "COPY <<A <<B /");
  if (!(await bench.shell(t))) return;
  const ran = await bench.build({ dockerfile: "FROM shell\nRUN cat <<EOF >/f\na b\nEOF" });
  assert.equal(ran.history.at(-1), "RUN /bin/sh -c cat <<EOF >/f\na b\nEOF");
});
