// Writes a build's log to a terminal, with status lines below it that are drawn again and again: running steps and transfers.

import type { Line } from "./line.ts";
import { openNarration, type RunningStep } from "./narration.ts";
import { neutralizeLine } from "./neutral.ts";
import { type RendererOptions, renderLines } from "./plain.ts";
import { formatSeconds, formatSize } from "./quantity.ts";
import { createMasks } from "./redact.ts";
import type { Renderer } from "./report.ts";
import type { Transfer } from "./transfers.ts";

const redrawMs = 120;
const mostSteps = 6;
const mostTransfers = 6;
const barWidth = 20;

export interface LiveOptions extends RendererOptions {
  /** The terminal's width now, in columns; it may change. */
  columns(): number;
}

/** The same lines as the plain renderer's, but progress stands in the status lines instead. */
export function openLiveRenderer(options: LiveOptions): Renderer {
  const masks = createMasks();
  const narration = openNarration(masks, () => options.clock.now());
  let drawn = 0;
  let closed = false;

  const statusLines = (): string[] => {
    const steps = narration.steps.slice(0, mostSteps).map((step) => describeStep(step, options.clock.now()));
    const transfers = narration.transfers.running.slice(0, mostTransfers).map(describeTransfer);
    const more = narration.steps.length - steps.length + narration.transfers.running.length - transfers.length;
    const width = Math.max(10, options.columns() - 1);
    return [...steps, ...transfers, ...(more > 0 ? [`   and ${more} more`] : [])].map((line) =>
      cutToWidth(neutralizeLine(masks.redact(line), false), width),
    );
  };
  const draw = (lines: readonly Line[]) => {
    const above = renderLines(lines, options, masks);
    const below = closed ? [] : statusLines();
    const erase = drawn === 0 ? "" : `\x1b[${drawn}F\x1b[J`;
    drawn = below.length;
    const text = erase + above + below.map((line) => `${line}\n`).join("");
    if (text !== "") options.write(text);
  };
  const stop = options.clock.every(redrawMs, () => {
    if (drawn > 0 || narration.steps.length > 0 || narration.transfers.running.length > 0) draw([]);
  });

  return {
    emit(event) {
      const lines = narration.tell(event);
      if (lines.length > 0) draw(lines);
    },
    mask: (secret) => masks.add(secret),
    redact: (text) => masks.redact(text),
    fail(failure) {
      closed = true;
      draw([...narration.end(), ...narration.tellFailure(failure)]);
    },
    close() {
      stop();
      closed = true;
      draw(narration.end());
    },
  };
}

function describeStep(step: RunningStep, now: number): string {
  const time = formatSeconds((now - step.started) / 1000);
  return `=> ${time.padStart(6)} [${step.name.id}] ${step.name.text.replace(/\s+/g, " ")}`;
}

function describeTransfer({ direction, what, bytes, total }: Transfer): string {
  const done = total > 0 ? Math.min(1, bytes / total) : 0;
  const filled = Math.round(done * barWidth);
  const bar = `[${"#".repeat(filled)}${".".repeat(barWidth - filled)}]`;
  return `${direction === "pull" ? "<=" : "=>"} ${bar} ${formatSize(bytes)} of ${formatSize(total)} ${what}`;
}

// A line that wraps would be erased by half at the next redraw.
function cutToWidth(line: string, width: number): string {
  const characters = [...line];
  if (characters.reduce((sum, character) => sum + columnsOf(character), 0) <= width) return line;
  let used = 0;
  const end = characters.findIndex((character) => {
    used += columnsOf(character);
    return used > width - 3;
  });
  return `${characters.slice(0, end).join("")}...`;
}

// East Asian and emoji characters take two columns, combining ones none.
function columnsOf(character: string): number {
  if (/\p{M}|\u200d/u.test(character)) return 0;
  return /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60]|\p{Emoji_Presentation}/u.test(character) ? 2 : 1;
}
