// The live renderer's bytes, played on a small terminal, give the screens that are expected.

import assert from "node:assert/strict";
import test from "node:test";
import { openLiveRenderer } from "../../src/report/live.ts";
import { openPlainRenderer } from "../../src/report/plain.ts";
import type { Event, Renderer } from "../../src/report/report.ts";
import { failedBuild, openTestClock, play, step, wholeBuild } from "./script.ts";

/** A terminal that knows line feed, "up n lines to the first column", "erase below", and colours. Fails where a line would wrap. */
function openScreen(columns: number) {
  const lines: string[] = [""];
  let row = 0;
  return {
    write(text: string) {
      // biome-ignore lint/suspicious/noControlCharactersInRegex: a terminal reads them
      for (const [piece] of text.matchAll(/\x1b\[\d*[A-Za-z]|\n|[^\x1b\n]+/g)) {
        if (piece === "\n") lines[++row] ??= "";
        else if (/\dF$/.test(piece)) row -= Number.parseInt(piece.slice(2), 10);
        else if (piece.endsWith("J") && piece.startsWith("\x1b")) lines.splice(row, lines.length, "");
        else if (!piece.startsWith("\x1b")) lines[row] += piece;
      }
    },
    status: () => lines.filter((line) => /^[<=]|^ {3}and/.test(line)),
    text: () => lines.map((line) => line.trimEnd()).join("\n"),
    widest: () => Math.max(...lines.filter((line) => /^[<=]/.test(line)).map((line) => line.length), 0),
    columns: () => columns,
  };
}

function openLive(columns = 100) {
  const screen = openScreen(columns);
  const clock = openTestClock();
  const write = (text: string) => screen.write(text);
  const renderer = openLiveRenderer({ format: "color", timestamps: false, verbosity: "info", clock, write, columns: screen.columns });
  return { screen, clock, renderer };
}

const make = step("builder", 2, 5, "RUN make all && make install");
const pull: Event = { kind: "transfer", direction: "pull", what: "sha256:aaaa", bytes: 5_000_000, total: 20_000_000 };

test("running steps and transfers stand below the log", () => {
  const { screen, clock, renderer } = openLive();
  play([{ kind: "step-start", step: make }, pull, 12.3], renderer, clock);
  assert.deepEqual(screen.status(), [
    "=>  12.2s [builder 2/5] RUN make all && make install",
    "<= [#####...............] 5.0 MB of 20.0 MB sha256:aaaa",
  ]);
});

test("status lines are never wider than the terminal", () => {
  for (const columns of [20, 40, 41]) {
    const { screen, clock, renderer } = openLive(columns);
    const wide = step("builder", 3, 5, "RUN echo 日本語日本語日本語日本語日本語 😀😀😀😀");
    play([{ kind: "step-start", step: make }, { kind: "step-start", step: wide }, pull, 1], renderer, clock);
    assert.equal(screen.status().length, 3);
    for (const line of screen.status()) {
      const width = [...line].reduce((sum, character) => sum + (/[\u3000-\u9fff]|\p{Emoji_Presentation}/u.test(character) ? 2 : 1), 0);
      assert.ok(width < columns, `${line} is ${width} wide`);
    }
  }
});

test("many steps are summed up", () => {
  const { screen, clock, renderer } = openLive();
  play(
    Array.from({ length: 9 }, (_, i) => ({ kind: "step-start", step: step(`s${i}`, 1, 1, "RUN x") }) as const),
    renderer,
    clock,
  );
  play([1], renderer, clock);
  assert.deepEqual(screen.status().slice(-1), ["   and 3 more"]);
  assert.equal(screen.status().length, 7);
});

test("status lines hide secrets", () => {
  const { screen, clock, renderer } = openLive();
  renderer.mask("make all");
  play([{ kind: "step-start", step: make }, 1], renderer, clock);
  assert.doesNotMatch(screen.text(), /make all/);
});

test("nothing is drawn while nothing runs", () => {
  const { screen, clock, renderer } = openLive();
  play([10, (shown) => shown.close()], renderer, clock);
  assert.equal(screen.text(), "");
});

for (const [name, script] of [
  ["a whole build", wholeBuild],
  ["a failed build", failedBuild],
] as const) {
  test(`after ${name} the screen holds the plain log without its progress lines, and no status`, () => {
    const { screen, clock, renderer } = openLive(200);
    play(script, renderer, clock);
    const plainClock = openTestClock();
    const lines: string[] = [];
    const plain: Renderer = openPlainRenderer({
      format: "text",
      timestamps: false,
      verbosity: "info",
      clock: plainClock,
      write: (text) => lines.push(...text.split("\n").slice(0, -1)),
    });
    play(script, plain, plainClock);
    const expected = lines.filter((line) => !/^(Downloading|Uploading) |still running after/.test(line)).map((line) => line.trimEnd());
    assert.deepEqual(screen.status(), []);
    assert.equal(screen.text().trimEnd(), expected.join("\n"));
  });
}
