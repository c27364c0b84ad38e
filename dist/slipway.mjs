#!/usr/bin/env node
import {
  annotationLevels,
  formatPlatform,
  formatReference,
  hostPlatform,
  parsePlatform,
  parseReference,
  withDefaultTag
} from "./shared-6.mjs";
import "./shared-7.mjs";
import "./shared-1.mjs";

// src/report/neutral.ts
var unsafe = (
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these characters are what it looks for
  /\x1b\[([0-?]*)[ -/]*([@-~])|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[ -/]*[0-~]|[\x00-\x08\x0a-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g
);
function neutralizeLine(line, colors, place = "start") {
  let colored = false;
  const plain = line.replace(unsafe, (sequence, parameters, final) => {
    if (final === "m" && colors && /^[0-9;:]*$/.test(parameters ?? "")) {
      colored = true;
      return sequence;
    }
    return sequence.length > 1 ? "" : escapeCharacter(sequence);
  });
  const anywhere = plain.replace(/##(?=[\w.-]*\[)/g, "## ");
  const sectionless = plain === line ? anywhere : anywhere.replace(/section_(start|end):/g, "section_$1 :");
  const broken = place === "inside" ? sectionless : breakStart(sectionless);
  return colored ? `${broken}\x1B[0m` : broken;
}
function breakStart(text) {
  return text.replace(/^(\s*):(?=:)/, "$1: ").replace(/^(?=(?:---|\+\+\+|~~~|\^\^\^)(?:\s|$))/, " ");
}
function escapeCharacter(character) {
  const code = character.charCodeAt(0);
  return code < 256 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16)}`;
}

// src/report/quantity.ts
var units = ["B", "kB", "MB", "GB", "TB"];
function formatSize(bytes) {
  let unit = 0;
  let value = bytes;
  while (value >= 999.95 && unit < units.length - 1) {
    value /= 1e3;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}
function formatSeconds(seconds) {
  if (seconds < 59.95) return `${seconds.toFixed(1)}s`;
  const whole = Math.round(seconds);
  const two = (value) => String(value).padStart(2, "0");
  if (whole < 3600) return `${Math.floor(whole / 60)}m${two(whole % 60)}s`;
  return `${Math.floor(whole / 3600)}h${two(Math.floor(whole % 3600 / 60))}m`;
}

// src/report/step-output.ts
var longestLine = 16384;
function openOutputLines(masks) {
  const decoder = new TextDecoder();
  const redaction = masks.openStream();
  let rest = "";
  const take = (text) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    const found = lines.flatMap((line) => cutLine(lastState(line)));
    if (rest.length > longestLine) {
      const pieces = cutLine(lastState(rest));
      rest = pieces.pop() ?? "";
      found.push(...pieces);
    }
    return found;
  };
  return {
    write: (bytes) => take(redaction.write(decoder.decode(bytes, { stream: true }))),
    end() {
      const lines = take(redaction.write(decoder.decode()) + redaction.end());
      const last = cutLine(lastState(rest));
      const unfinished = rest !== "";
      rest = "";
      return unfinished ? [...lines, ...last] : lines;
    }
  };
}
function lastState(line) {
  return line.split("\r").findLast((state) => state !== "") ?? "";
}
function cutLine(line) {
  const pieces = [];
  let rest = line;
  while (rest.length > longestLine) {
    const cutsPair = /[\ud800-\udbff]/.test(rest.charAt(longestLine - 1));
    const end = cutsPair ? longestLine - 1 : longestLine;
    pieces.push(rest.slice(0, end));
    rest = rest.slice(end);
  }
  return [...pieces, rest];
}

// src/report/summary.ts
var widestCommand = 80;
function describeResult(result) {
  const rows = result.layers.map((layer) => [
    formatSize(layer.size),
    layer.seconds === void 0 ? layer.inherited ? "base" : "-" : formatSeconds(layer.seconds),
    shorten(layer.createdBy)
  ]);
  const table = alignColumns([["SIZE", "TIME", "CREATED BY"], ...rows]);
  const total = result.layers.reduce((sum, layer) => sum + layer.size, 0);
  return [
    `Image of ${result.layers.length} ${result.layers.length === 1 ? "layer" : "layers"}, ${formatSize(total)} compressed:`,
    ...table.map((row) => `  ${row}`),
    `  digest ${result.digest}`,
    `  config ${result.configDigest}`,
    ...result.written.map((name) => `  wrote  ${name}`)
  ];
}
function alignColumns(rows) {
  const width2 = (column) => Math.max(...rows.map((row) => row[column]?.length ?? 0));
  const widths = [width2(0), width2(1)];
  return rows.map(
    ([size = "", time = "", command = ""]) => `${size.padStart(widths[0] ?? 0)}  ${time.padStart(widths[1] ?? 0)}  ${command}`
  );
}
function shorten(command) {
  const line = command.replace(/\s+/g, " ").trim();
  return line.length > widestCommand ? `${line.slice(0, widestCommand - 3)}...` : line;
}

// src/report/transfers.ts
var verbs = { pull: ["Downloading", "downloaded"], push: ["Uploading", "uploaded"] };
function countTransfers() {
  const running = /* @__PURE__ */ new Map();
  const ended = { pull: /* @__PURE__ */ new Map(), push: /* @__PURE__ */ new Map() };
  let told = "";
  return {
    note(transfer) {
      const key = `${transfer.direction} ${transfer.what}`;
      if (transfer.done === void 0) {
        running.set(key, transfer);
        return;
      }
      running.delete(key);
      const tally = ended[transfer.direction].get(transfer.done) ?? { blobs: 0, bytes: 0 };
      ended[transfer.direction].set(transfer.done, { blobs: tally.blobs + 1, bytes: tally.bytes + transfer.bytes });
    },
    get running() {
      return [...running.values()];
    },
    describeProgress() {
      const lines = ["pull", "push"].flatMap((direction) => {
        const blobs = [...running.values()].filter((transfer) => transfer.direction === direction);
        if (blobs.length === 0) return [];
        const sum = (size) => formatSize(blobs.reduce((total, blob) => total + size(blob), 0));
        return [`${verbs[direction][0]} ${countBlobs(blobs.length)}: ${sum((blob) => blob.bytes)} of ${sum((blob) => blob.total)}`];
      });
      const text = lines.join("\n");
      if (text === told) return [];
      told = text;
      return lines;
    },
    describeTotal() {
      const parts = ["pull", "push"].flatMap((direction) => {
        const moved = ended[direction].get("transferred");
        const mounted = ended[direction].get("mounted")?.blobs ?? 0;
        const there = ended[direction].get("exists")?.blobs ?? 0;
        return [
          ...moved === void 0 ? [] : [`${verbs[direction][1]} ${formatSize(moved.bytes)} in ${countBlobs(moved.blobs)}`],
          ...mounted === 0 ? [] : [`mounted ${countBlobs(mounted)}`],
          ...there === 0 ? [] : [`${countBlobs(there)} already there`]
        ];
      });
      const text = parts.join(", ");
      return text === "" ? void 0 : text.charAt(0).toUpperCase() + text.slice(1);
    }
  };
}
function countBlobs(count2) {
  return `${count2} ${count2 === 1 ? "blob" : "blobs"}`;
}

// src/report/narration.ts
var heartbeatMs = 3e4;
var lastLines = 20;
function openNarration(masks, now) {
  const begun = now();
  const steps = /* @__PURE__ */ new Map();
  const transfers = countTransfers();
  let failed;
  const stepOf = (name) => {
    const known = steps.get(name.id);
    if (known !== void 0) return known;
    const state = { name, started: now(), streams: /* @__PURE__ */ new Map(), recent: [], lastSign: now() };
    steps.set(name.id, state);
    return state;
  };
  const secondsOf = (step) => (now() - step.started) / 1e3;
  const tellOutput = (step, lines) => {
    if (lines.length > 0) step.lastSign = now();
    step.recent.push(...lines);
    step.recent.splice(0, Math.max(0, step.recent.length - lastLines));
    return lines.map((text) => ({ level: "output", tone: "plain", step: step.name.id, seconds: secondsOf(step), text }));
  };
  const endOutput = (step) => [...step.streams.values()].flatMap((stream) => tellOutput(step, stream.end()));
  const tellStepEnd = (event) => {
    const { step: name, outcome, layer, seconds } = event;
    if (!steps.has(name.id)) return [message("info", outcome === "failed" ? "bad" : "good", `${outcome}: ${oneLine(name.text)}`, name)];
    const step = stepOf(name);
    const rest = endOutput(step);
    steps.delete(name.id);
    if (outcome === "failed") failed = step;
    const size = layer === void 0 ? "" : `, layer of ${formatSize(layer.size)}`;
    const [level, tone] = outcome === "failed" ? ["error", "bad"] : ["info", "good"];
    const text = outcome === "cached" ? `cached${size}` : `${outcome} ${outcome === "done" ? "in" : "after"} ${formatSeconds(seconds ?? secondsOf(step))}${size}`;
    return [...rest, message(level, tone, text, name)];
  };
  return {
    tell(event) {
      switch (event.kind) {
        case "stage": {
          const count2 = `${event.steps} ${event.steps === 1 ? "step" : "steps"}`;
          return [message("info", "heading", `Stage ${event.stage}: FROM ${event.base}, ${count2}`)];
        }
        case "step-start":
          stepOf(event.step);
          return [message("info", "heading", oneLine(event.step.text), event.step)];
        case "step-output": {
          const step = stepOf(event.step);
          const stream = step.streams.get(event.stream) ?? openOutputLines(masks);
          step.streams.set(event.stream, stream);
          return tellOutput(step, stream.write(event.bytes));
        }
        case "step-end":
          return tellStepEnd(event);
        case "transfer":
          transfers.note(event);
          return event.done === void 0 ? [] : [message("debug", "quiet", describeTransfer(event))];
        case "notice":
          return textLines(event.text).map((text) => message("info", "plain", text));
        case "warning": {
          const place = event.file === void 0 ? "" : `${event.file}${event.line === void 0 ? "" : `:${event.line}`}: `;
          return textLines(place + event.text).map((text) => message("warn", "caution", text));
        }
        case "debug":
          return textLines(event.text).map((text) => message("debug", "quiet", text));
        case "result": {
          const total = transfers.describeTotal();
          const time = `Done in ${formatSeconds((now() - begun) / 1e3)}`;
          const [heading = "", ...rest] = describeResult(event.result);
          return [
            message("info", "heading", heading),
            ...rest.map((text) => message("info", "plain", text)),
            message("info", "heading", total === void 0 ? time : `${time}. ${total}`)
          ];
        }
      }
    },
    tellProgress() {
      const silent = [...steps.values()].filter((step) => now() - step.lastSign >= heartbeatMs);
      for (const step of silent) step.lastSign = now();
      return [
        ...transfers.describeProgress().map((text) => message("info", "quiet", text)),
        ...silent.map((step) => message("info", "quiet", `still running after ${formatSeconds(secondsOf(step))}`, step.name))
      ];
    },
    tellFailure({ headline, causes, excerpt, output: reported, hint, stack }) {
      const recent = failed?.recent ?? [];
      const output = describeOutput(failed?.name, recent.length > 0 ? recent : reported ?? []);
      return [
        ...output,
        ...excerpt === void 0 ? [] : textLines(excerpt),
        ...stack === void 0 ? [] : textLines(stack),
        ...causes.flatMap((cause) => textLines(`caused by: ${cause}`)),
        ...hint === void 0 ? [] : textLines(`hint: ${hint}`)
      ].map((text) => message("fatal", "plain", text)).concat(message("fatal", "bad", oneLine(headline)));
    },
    end: () => [...steps.values()].flatMap(endOutput),
    get steps() {
      return [...steps.values()];
    },
    transfers
  };
}
function describeOutput(step, lines) {
  if (lines.length === 0) return [];
  const which = lines.length === 1 ? "The last line" : `The last ${lines.length} lines`;
  const whose = step === void 0 ? "that the command wrote" : `of [${step.id}] ${oneLine(step.text)}`;
  return [`${which} ${whose}`, ...lines.map((line) => `  | ${line}`)];
}
function describeTransfer({ direction, what, bytes, done }) {
  if (done === "mounted") return `Mounted ${what}`;
  if (done === "exists") return `Already there: ${what}`;
  return `${direction === "pull" ? "Downloaded" : "Uploaded"} ${what}, ${formatSize(bytes)}`;
}
function message(level, tone, text, step) {
  return { level, tone, text, ...step === void 0 ? {} : { step: step.id } };
}
function textLines(text) {
  return text.replace(/\n+$/, "").split(/\r\n|\n/);
}
function oneLine(text) {
  return text.replace(/\s*[\r\n]+\s*/g, " ");
}

// src/report/line.ts
var levels = ["trace", "debug", "info", "warn", "error", "fatal", "panic"];
var logFormats = ["text", "color", "json"];
var codes = { plain: "", heading: "1", good: "32", quiet: "2", bad: "31", caution: "33" };
var labels = { warn: "WARN ", error: "ERROR ", debug: "DEBUG ", trace: "TRACE " };
function formatLine(line, style, time) {
  if (style.format === "json") return formatJson(line, time);
  const colors = style.format === "color";
  const stamp = style.timestamps ? `${time.toISOString()} ` : "";
  const paint = (text, tone) => colors && codes[tone] !== "" && text !== "" ? `\x1B[${codes[tone]}m${text}\x1B[0m` : text;
  const head = line.step === void 0 ? "" : paint(`[${line.step}]`, "quiet");
  const clock = line.seconds === void 0 ? "" : paint(`${line.seconds.toFixed(1)}s |`, "quiet");
  const body = line.level === "output" ? line.text : paint(`${labels[line.level] ?? ""}${line.text}`, line.tone);
  return stamp + [head, clock, body].filter((part) => part !== "").join(" ");
}
function formatJson(line, time) {
  const level = line.level === "output" ? "info" : line.level === "warn" ? "warning" : line.level;
  const fields = { level, msg: line.text, time: time.toISOString() };
  return JSON.stringify(line.step === void 0 ? fields : { ...fields, step: line.step });
}

// src/report/redact.ts
var maskText = "***";
var shortestLine = 4;
var shortestEncoding = 8;
function createMasks() {
  const needles = /* @__PURE__ */ new Set();
  let longest = 0;
  return {
    add(secret) {
      for (const needle of spellingsOf(secret)) {
        needles.add(needle);
        longest = Math.max(longest, needle.length);
      }
    },
    redact(text) {
      if (needles.size === 0) return text;
      return replaceSpans(text, findSpans(text, needles), text.length, false);
    },
    openStream() {
      let held = "";
      let covered = 0;
      let lastWasHidden = false;
      const take = (text, end) => {
        const found = findSpans(text, needles);
        const spans = covered > 0 ? mergeSpans([[0, covered], ...found]) : found;
        held = text.slice(end);
        if (end === 0) return "";
        const shown = replaceSpans(text, spans, end, lastWasHidden);
        lastWasHidden = spans.some(([from, to]) => from < end && to >= end);
        covered = Math.max(0, ...spans.filter(([from]) => from < end).map(([, to]) => to - end));
        return shown;
      };
      return {
        write(piece) {
          const text = held + piece;
          return take(text, Math.max(text.lastIndexOf("\n") + 1, text.length - Math.max(0, longest - 1), 0));
        },
        end() {
          return take(held, held.length);
        }
      };
    }
  };
}
function findSpans(text, needles) {
  const spans = [];
  for (const needle of needles) {
    for (let at = text.indexOf(needle); at >= 0; at = text.indexOf(needle, at + 1)) spans.push([at, at + needle.length]);
  }
  return mergeSpans(spans);
}
function mergeSpans(spans) {
  const merged = [];
  for (const [from, to] of spans.toSorted((a, b) => a[0] - b[0])) {
    const last = merged.at(-1);
    if (last !== void 0 && from <= last[1]) last[1] = Math.max(last[1], to);
    else merged.push([from, to]);
  }
  return merged;
}
function replaceSpans(text, spans, end, continues) {
  let shown = "";
  let at = 0;
  for (const [from, to] of spans) {
    if (from >= end) break;
    shown += text.slice(at, from);
    if (from > 0 || !continues) shown += maskText;
    at = Math.min(to, end);
  }
  return shown + text.slice(at, end);
}
function spellingsOf(secret) {
  const lines = secret.split(/\r\n|\r|\n/).map((line) => line.trim()).filter((line) => line !== "");
  const telling = lines.length > 1 ? lines.filter((line) => line.length >= shortestLine) : lines;
  const found = /* @__PURE__ */ new Set();
  for (const line of telling.length > 0 ? telling : lines) {
    found.add(line);
    found.add(JSON.stringify(line).slice(1, -1));
    if (line.isWellFormed()) found.add(encodeURIComponent(line));
    for (const encoded of base64Of(line)) found.add(encoded);
  }
  if (lines.length > 1) for (const encoded of base64Of(secret)) found.add(encoded);
  return found;
}
function base64Of(text) {
  const bytes = Buffer.from(text);
  return [0, 1, 2].flatMap((shift) => {
    const encoded = Buffer.concat([Buffer.alloc(shift), bytes]).toString("base64");
    const inner = encoded.slice(Math.ceil(shift * 8 / 6), Math.floor((shift + bytes.length) * 8 / 6));
    return inner.length < shortestEncoding ? [] : [inner, inner.replaceAll("+", "-").replaceAll("/", "_")];
  });
}

// src/report/plain.ts
var progressMs = 5e3;
function openPlainRenderer(options) {
  const masks = createMasks();
  const narration = openNarration(masks, () => options.clock.now());
  const show = (lines) => {
    const text = renderLines(lines, options, masks);
    if (text !== "") options.write(text);
  };
  const stop = options.clock.every(progressMs, () => show(narration.tellProgress()));
  return {
    emit: (event) => show(narration.tell(event)),
    mask: (secret) => masks.add(secret),
    redact: (text) => masks.redact(text),
    fail: (failure) => show([...narration.end(), ...narration.tellFailure(failure)]),
    close() {
      stop();
      show(narration.end());
    }
  };
}
function renderLines(lines, options, masks) {
  const time = new Date(options.clock.now());
  const clean = (text, place, isRedacted = false) => {
    const hidden = isRedacted ? text : masks.redact(text);
    const shown = neutralizeLine(hidden, options.format === "color", place);
    return shown === hidden ? shown : masks.redact(shown);
  };
  const least = levels.indexOf(options.verbosity === "panic" ? "fatal" : options.verbosity);
  return lines.filter((line) => line.level === "output" || levels.indexOf(line.level) >= least).map((line) => ({
    ...line,
    text: clean(line.text, line.step === void 0 && options.format !== "json" ? "start" : "inside", line.level === "output"),
    ...line.step === void 0 ? {} : { step: clean(line.step, "inside") }
  })).map((line) => `${formatLine(line, options, time)}
`).join("");
}

// src/report/live.ts
var redrawMs = 120;
var mostSteps = 6;
var mostTransfers = 6;
var barWidth = 20;
function openLiveRenderer(options) {
  const masks = createMasks();
  const narration = openNarration(masks, () => options.clock.now());
  let drawn = 0;
  let closed = false;
  const statusLines = () => {
    const steps = narration.steps.slice(0, mostSteps).map((step) => describeStep(step, options.clock.now()));
    const transfers = narration.transfers.running.slice(0, mostTransfers).map(describeTransfer2);
    const more = narration.steps.length - steps.length + narration.transfers.running.length - transfers.length;
    const width2 = Math.max(10, options.columns() - 1);
    return [...steps, ...transfers, ...more > 0 ? [`   and ${more} more`] : []].map(
      (line) => cutToWidth(neutralizeLine(masks.redact(line), false), width2)
    );
  };
  const draw = (lines) => {
    const above = renderLines(lines, options, masks);
    const below = closed ? [] : statusLines();
    const erase = drawn === 0 ? "" : `\x1B[${drawn}F\x1B[J`;
    drawn = below.length;
    const text = erase + above + below.map((line) => `${line}
`).join("");
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
    }
  };
}
function describeStep(step, now) {
  const time = formatSeconds((now - step.started) / 1e3);
  return `=> ${time.padStart(6)} [${step.name.id}] ${step.name.text.replace(/\s+/g, " ")}`;
}
function describeTransfer2({ direction, what, bytes, total }) {
  const done = total > 0 ? Math.min(1, bytes / total) : 0;
  const filled = Math.round(done * barWidth);
  const bar = `[${"#".repeat(filled)}${".".repeat(barWidth - filled)}]`;
  return `${direction === "pull" ? "<=" : "=>"} ${bar} ${formatSize(bytes)} of ${formatSize(total)} ${what}`;
}
function cutToWidth(line, width2) {
  const characters = [...line];
  if (characters.reduce((sum, character) => sum + columnsOf(character), 0) <= width2) return line;
  let used = 0;
  const end = characters.findIndex((character) => {
    used += columnsOf(character);
    return used > width2 - 3;
  });
  return `${characters.slice(0, end).join("")}...`;
}
function columnsOf(character) {
  if (new RegExp("\\p{M}|\\u200d", "u").test(character)) return 0;
  return new RegExp("[\\u1100-\\u115f\\u2e80-\\ua4cf\\uac00-\\ud7a3\\uf900-\\ufaff\\ufe30-\\ufe6f\\uff00-\\uff60]|\\p{Emoji_Presentation}", "u").test(character) ? 2 : 1;
}

// src/report/renderer.ts
function openRenderer(stream, choice, clock) {
  const format = choice.format ?? (stream.isTerminal ? "color" : "text");
  const options = {
    format,
    timestamps: choice.timestamps,
    verbosity: choice.verbosity,
    clock,
    write: (text) => stream.write(text)
  };
  if (!stream.isTerminal || format !== "color") return openPlainRenderer(options);
  return openLiveRenderer({ ...options, columns: () => stream.columns() || 80 });
}
var systemClock = {
  now: () => Date.now(),
  every(ms, callback) {
    const timer = setInterval(callback, ms);
    timer.unref();
    return () => clearInterval(timer);
  }
};

// src/host/excerpt.ts
var contextLines = 2;
var longestExcerpt = 20;
function showPlace({ file, line, endLine, exact, source }) {
  const lines = source.replace(/^\uFEFF/, "").replace(/\r?\n$/, "").split(/\r?\n/);
  const at = exact?.start ?? { line, column: void 0 };
  const isFar = at.line + contextLines > line - contextLines + longestExcerpt - 1;
  const first = Math.max(1, isFar ? at.line - longestExcerpt / 2 : line - contextLines);
  const last = Math.min(lines.length, Math.max(endLine, at.line) + contextLines, first + longestExcerpt - 1);
  const numberWidth = String(last).length + 2;
  const show = (number) => {
    const text = lines[number - 1] ?? "";
    const mark = number >= line && number <= endLine ? ">>>" : "   ";
    const shown2 = `${String(number).padStart(numberWidth)} | ${mark} ${text}`.trimEnd();
    const carets = number === exact?.start.line ? underline(text, exact, { line, endLine }, lines) : "";
    return carets === "" ? [shown2] : [shown2, `${" ".repeat(numberWidth)} |     ${carets}`];
  };
  const shown = Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => show(first + i)).flat();
  const rule = "-".repeat(20);
  const place = at.column === void 0 ? `${file}:${at.line}` : `${file}:${at.line}:${at.column}`;
  return [place, rule, ...shown, rule].join("\n");
}
function underline(text, { start, end }, { line, endLine }, lines) {
  const isWhole = start.line === line && text.slice(0, start.column - 1).trim() === "" && end.line === endLine;
  if (isWhole && end.column > (lines[endLine - 1] ?? "").trimEnd().length) return "";
  const guilty = text.slice(start.column - 1, end.line === start.line ? end.column - 1 : void 0).trimEnd();
  if (guilty === "") return end.line === start.line ? `${blank(text.slice(0, start.column - 1))}^` : "";
  return blank(text.slice(0, start.column - 1)) + "^".repeat(Math.max(1, widthOf(guilty)));
}
function blank(text) {
  return text.split("	").map((part) => " ".repeat(widthOf(part))).join("	");
}
var wide = new RegExp("[\\u1100-\\u115f\\u2e80-\\ua4cf\\uac00-\\ud7a3\\uf900-\\ufaff\\ufe30-\\ufe6f\\uff01-\\uff60\\uffe0-\\uffe6]|\\p{Emoji_Presentation}", "u");
function widthOf(text) {
  let width2 = 0;
  for (const character of text) width2 += new RegExp("\\p{M}|\\u200d", "u").test(character) ? 0 : wide.test(character) ? 2 : 1;
  return width2;
}

// src/host/version.ts
var version = "0.1.0";

// src/host/sarif.ts
var { isAbsolute } = process.getBuiltinModule("node:path");
var { pathToFileURL } = process.getBuiltinModule("node:url");
function formatSarif({ file, findings, error }) {
  const reported = [...new Map(findings.map((finding) => [finding.rule, finding])).values()];
  const artifactLocation = isAbsolute(file) ? { uri: pathToFileURL(file).href } : { uri: file.split("/").map(encodeURIComponent).join("/"), uriBaseId: "%SRCROOT%" };
  const locate = (region) => [{ physicalLocation: { artifactLocation, region } }];
  const failure = error && {
    level: "error",
    message: { text: error.message },
    locations: locate(
      error.place.exact === void 0 ? { startLine: error.place.line, endLine: Math.max(error.place.line, error.place.endLine) } : regionOf({ range: error.place.exact })
    )
  };
  return {
    $schema: "https://json.schemastore.org/sarif-2.1.0.json",
    version: "2.1.0",
    runs: [
      {
        tool: { driver: { name: "slipway", semanticVersion: version, rules: reported.map(describeRule) } },
        columnKind: "utf16CodeUnits",
        invocations: [{ executionSuccessful: error === void 0, ...failure ? { toolExecutionNotifications: [failure] } : {} }],
        results: findings.map((finding) => ({
          ruleId: finding.rule,
          ruleIndex: reported.findIndex(({ rule }) => rule === finding.rule),
          level: "warning",
          message: { text: finding.message },
          locations: locate(regionOf(finding))
        }))
      }
    ]
  };
}
function describeRule({ rule, description, url }) {
  return {
    id: rule,
    shortDescription: { text: description },
    ...url === void 0 ? {} : { helpUri: url },
    defaultConfiguration: { level: "warning" }
  };
}
function regionOf({ range: { start, end } }) {
  return { startLine: start.line, startColumn: start.column, endLine: end.line, endColumn: end.column };
}

// src/host/check.ts
function showChecked(checked, format) {
  if (format === "json") return printJson(formatJson2(checked));
  if (format === "sarif") return printJson(formatSarif(checked));
  return formatText(checked).split("\n").map((line) => `${neutralizeLine(line, false)}
`).join("");
}
function printJson(value) {
  return `${JSON.stringify(value, void 0, 2).replaceAll("##[", "#\\u0023[")}
`;
}
function formatText({ file, source, findings, error }) {
  const count2 = findings.length === 1 ? "1 warning has been found!" : `${findings.length} warnings have been found!`;
  const head = findings.length > 0 ? [`Check complete, ${count2}`] : error === void 0 ? ["Check complete, no warnings found."] : [];
  const blocks = findings.map(({ rule, url, message: message2, range }) => {
    const place = showPlace({ file, source, line: range.start.line, endLine: range.end.line });
    return `WARNING: ${rule}${url === void 0 ? "" : ` - ${url}`}
${message2}
${place}`;
  });
  const failed = error === void 0 ? [] : [`ERROR: ${error.message}
${showPlace(error.place)}`];
  return [...head, ...blocks, ...failed].join("\n\n");
}
function formatJson2({ file, source, findings, error }) {
  const located = (line, endLine) => ({ ranges: [{ start: { line }, end: { line: Math.max(line, endLine) } }] });
  return {
    warnings: findings.map(({ rule, description, url, message: message2, range }) => ({
      ruleName: rule,
      description,
      ...url === void 0 ? {} : { url },
      detail: message2,
      location: located(range.start.line, range.end.line)
    })),
    sources: [{ fileName: file, language: "Dockerfile", data: Buffer.from(source).toString("base64") }],
    ...error === void 0 ? {} : { error: { message: error.message, location: located(error.place.line, error.place.endLine) } }
  };
}

// src/host/credentials.ts
var { join, resolve } = process.getBuiltinModule("node:path");
function findDockerConfig({ env, directory, fileExists }) {
  const docker = env.DOCKER_CONFIG || (env.HOME ? join(env.HOME, ".docker") : "");
  const candidates = [
    ...docker ? [join(docker, "config.json")] : [],
    ...env.REGISTRY_AUTH_FILE ? [env.REGISTRY_AUTH_FILE] : [],
    ...env.XDG_RUNTIME_DIR ? [join(env.XDG_RUNTIME_DIR, "containers/auth.json")] : []
  ].map((path) => resolve(directory, path));
  const file = candidates.find(fileExists);
  const helperEnvironment = Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) => value === void 0 ? [] : [[name, value]])
  );
  return {
    helperEnvironment,
    ...file === void 0 ? {} : { file },
    ...env.DOCKER_AUTH_CONFIG ? { json: env.DOCKER_AUTH_CONFIG } : {}
  };
}
function findSecrets(source, files) {
  const texts = [source.json, source.file === void 0 ? void 0 : files.readFile(source.file)];
  const proxies = ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"].map((name) => files.env[name] ?? "");
  return [...texts.flatMap((text) => text === void 0 ? [] : secretsOfConfig(text)), ...proxies.flatMap(secretsOfUrl)];
}
function secretsOfConfig(text) {
  let config;
  try {
    config = JSON.parse(text);
  } catch {
    return [];
  }
  const auths = isRecord(config) && isRecord(config.auths) ? Object.values(config.auths) : [];
  return auths.filter(isRecord).flatMap((entry) => {
    const given = [entry.password, entry.identitytoken, entry.registrytoken, entry.auth].filter((value) => typeof value === "string");
    const decoded = typeof entry.auth === "string" ? Buffer.from(entry.auth, "base64").toString() : "";
    return [...given, decoded.slice(decoded.indexOf(":") + 1)];
  });
}
function secretsOfUrl(url) {
  const password = URL.canParse(url) ? new URL(url).password : "";
  try {
    return [password, decodeURIComponent(password)];
  } catch {
    return [password];
  }
}
function isRecord(value) {
  return typeof value === "object" && value !== null;
}

// src/host/ci-access.ts
function ciAccessFrom(environment) {
  const token = environment.ACTIONS_RUNTIME_TOKEN;
  const protocol = environment.ACTIONS_CACHE_SERVICE_V2 && isGitHubItself(environment.GITHUB_SERVER_URL) ? 2 : 1;
  const url = protocol === 2 ? environment.ACTIONS_RESULTS_URL : environment.ACTIONS_CACHE_URL || environment.ACTIONS_RESULTS_URL;
  if (!token || !url || !URL.canParse(url)) return void 0;
  const mode = environment.ACTIONS_CACHE_MODE?.trim().toLowerCase();
  return { protocol, url: url.endsWith("/") ? url : `${url}/`, token, ...mode ? { mode } : {} };
}
function isGitHubItself(server) {
  if (!server || !URL.canParse(server)) return true;
  return /^github\.com$|\.ghe\.com$|\.localhost$/.test(new URL(server).hostname);
}

// src/host/usage.ts
var UsageError = class extends Error {
  name = "UsageError";
};
function findNearest(text, candidates) {
  const near = candidates.map((candidate) => ({ candidate, distance: countEdits(text.toLowerCase(), candidate.toLowerCase()) })).filter(({ candidate, distance }) => distance <= Math.max(1, Math.floor(Math.min(text.length, candidate.length) / 3))).sort((a, b) => a.distance - b.distance);
  return near[0]?.candidate;
}
function countEdits(from, to) {
  let before = [];
  let above = Array.from({ length: to.length + 1 }, (_, i) => i);
  for (let i = 1; i <= from.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= to.length; j += 1) {
      const same = from[i - 1] === to[j - 1];
      const swapped = i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1];
      row[j] = Math.min(
        (above[j] ?? 0) + 1,
        (row[j - 1] ?? 0) + 1,
        (above[j - 1] ?? 0) + (same ? 0 : 1),
        swapped ? (before[j - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY
      );
    }
    before = above;
    above = row;
  }
  return above[to.length] ?? 0;
}

// src/host/value.ts
function parseBoolean(text) {
  if (/^(?:1|t|T|TRUE|true|True)$/.test(text)) return true;
  if (/^(?:0|f|F|FALSE|false|False)$/.test(text)) return false;
  return void 0;
}
function parseInteger(text) {
  const value = /^[+-]?\d+$/.test(text) ? Number(text) : Number.NaN;
  return Number.isSafeInteger(value) ? value : void 0;
}
var unitsMs = { ns: 1e-6, us: 1e-3, \u00B5s: 1e-3, \u03BCs: 1e-3, ms: 1, s: 1e3, m: 6e4, h: 36e5 };
function parseDuration(text) {
  const [, sign, rest = ""] = /^([+-]?)(.*)$/s.exec(text) ?? [];
  if (rest === "0") return 0;
  if (!/^(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+$/.test(rest)) return void 0;
  let sum = 0;
  for (const [, number = "", unit = ""] of rest.matchAll(/(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/g))
    sum += Number(number) * (unitsMs[unit] ?? 0);
  return sign === "-" ? -sum : sum;
}
var sizes = {
  "": 1,
  K: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  KI: 2 ** 10,
  MI: 2 ** 20,
  GI: 2 ** 30,
  TI: 2 ** 40
};
function parseSize(text) {
  const [, number = "", unit = ""] = /^(\d+(?:\.\d+)?)\s*([KMGT]?I?)B?$/i.exec(text) ?? [];
  const factor = sizes[unit.toUpperCase()];
  return number === "" || factor === void 0 ? void 0 : Math.floor(Number(number) * factor);
}
function parsePair(text, source) {
  const at = text.indexOf("=");
  if (at < 1) throw new UsageError(`invalid argument ${JSON.stringify(text)} for ${source}: must be NAME=VALUE`);
  return [text.slice(0, at), text.slice(at + 1)];
}
function parseMultiMap(texts) {
  const map = /* @__PURE__ */ new Map();
  for (const { text, source } of texts) {
    for (const pair of text.split(";")) {
      const [key, value] = parsePair(pair, source);
      map.set(key, [...map.get(key) ?? [], value]);
    }
  }
  return map;
}
function splitFields(text) {
  const fields = text.match(/"(?:[^"]|"")*"|[^,]+/g) ?? [];
  const pairs = fields.map((field) => {
    const plain = field.startsWith('"') ? field.slice(1, -1).replaceAll('""', '"') : field;
    const equals = plain.indexOf("=");
    return equals < 1 ? void 0 : [plain.slice(0, equals).trim().toLowerCase(), plain.slice(equals + 1)];
  });
  return pairs.some((pair) => pair === void 0) ? void 0 : pairs.filter((pair) => pair !== void 0);
}

// src/host/secrets.ts
var { resolve: resolve2 } = process.getBuiltinModule("node:path");
var maxSecretBytes = 500 * 1024;
var maxKeyBytes = 100 * 1024;
function readSecrets(given, surroundings) {
  const secrets = /* @__PURE__ */ new Map();
  for (const value of given) {
    const secret = parseSecret(value);
    if (secrets.has(secret.id)) throw new UsageError(`${value.source}: secret ${secret.id} is given twice`);
    secrets.set(secret.id, readSecret(secret, value.source, surroundings));
  }
  return secrets;
}
function parseSecret({ text, source }) {
  const fail2 = (why) => new UsageError(`invalid argument ${JSON.stringify(text)} for ${source}: ${why}`);
  const found = {};
  for (const [key, value] of splitFields(text) ?? [["", ""]]) {
    const name = key === "source" ? "src" : key;
    if (name !== "id" && name !== "type" && name !== "src" && name !== "env")
      throw fail2("must be id=NAME[,src=PATH][,env=NAME][,type=file|env]");
    found[name] = value;
  }
  const { id, type, src, env } = found;
  if (!id) throw fail2("it needs an id");
  if (type !== void 0 && type !== "file" && type !== "env") throw fail2(`unsupported secret type ${JSON.stringify(type)}`);
  return { id, type, file: src || void 0, env: env || void 0 };
}
function readSecret({ id, type, file, env }, source, surroundings) {
  const variable = type === "env" ? env ?? file ?? id : type === "file" ? void 0 : env ?? (file === void 0 ? id : void 0);
  const text = variable === void 0 ? void 0 : surroundings.env[variable];
  if (text !== void 0) return checkSize(id, Buffer.from(text), source);
  if (type === "env" || type === void 0 && env !== void 0)
    throw new UsageError(`${source}: secret ${id}: the environment variable ${variable} is not set`);
  const path = resolve2(surroundings.directory, file ?? id);
  const bytes = surroundings.readBytes(path);
  if (bytes === void 0) throw new UsageError(`${source}: secret ${id}: cannot read ${JSON.stringify(path)}`);
  return checkSize(id, bytes, source);
}
function checkSize(id, bytes, source) {
  if (bytes.length > maxSecretBytes)
    throw new UsageError(`${source}: secret ${id} is too big: it has ${bytes.length} bytes, ${maxSecretBytes} at most`);
  return bytes;
}
function readAgents(given, surroundings) {
  const agents = /* @__PURE__ */ new Map();
  for (const { text, source } of given) {
    const equals = text.indexOf("=");
    const id = (equals < 0 ? text : text.slice(0, equals)) || "default";
    const paths = (equals < 0 ? "" : text.slice(equals + 1)) || surroundings.env.SSH_AUTH_SOCK;
    if (agents.has(id)) throw new UsageError(`${source}: agent ${id} is given twice`);
    if (!paths) throw new UsageError(`${source} ${id}: invalid empty ssh agent socket: make sure SSH_AUTH_SOCK is set`);
    agents.set(id, readAgent(paths.split(","), `${source} ${id}`, surroundings));
  }
  return agents;
}
function readAgent(paths, flag, { directory, isSocket, readBytes }) {
  const places = paths.map((path) => resolve2(directory, path));
  const [socket] = places.filter(isSocket);
  if (socket !== void 0 && places.length > 1)
    throw new UsageError(`${flag}: invalid combination of keys and sockets: one socket, or keys alone`);
  if (socket !== void 0) return { kind: "socket", path: socket };
  const files = places.map((path) => {
    const bytes = readBytes(path);
    if (bytes === void 0) throw new UsageError(`${flag}: cannot read ${JSON.stringify(path)}`);
    if (bytes.length > maxKeyBytes)
      throw new UsageError(`${flag}: ${JSON.stringify(path)} is no private key: it has ${bytes.length} bytes`);
    return { path, bytes };
  });
  return { kind: "keys", files };
}

// src/host/cache-flags.ts
var { resolve: resolve3 } = process.getBuiltinModule("node:path");
var noStore = "slipway explain has no cache to look into: give --cache-store, or --cache with --cache-repo or --destination";
function readCache(values, destinations, { push, explainOnly }, surroundings) {
  const named = readNamed(values, readSize(values, "cache-store-limit"), surroundings);
  const isWanted = values.isSet("cache");
  if (!explainOnly && !isWanted && named.length === 0) return void 0;
  const readOnly = values.isSet("no-push-cache");
  const repositoryName = values.text("cache-repo");
  if (isWanted && !push && repositoryName === "" && named.length === 0 && !readOnly && !explainOnly)
    throw new UsageError("if using cache with --no-push, specify cache repo with --cache-repo");
  const repository = isWanted ? readRepositories(repositoryName, named, destinations, surroundings) : [];
  const stores = [...named, ...repository];
  if (explainOnly && stores.length === 0) throw new UsageError(noStore);
  return {
    stores,
    readOnly,
    explainOnly,
    maxAge: readMaxAge(values),
    runLayers: values.isSet("cache-run-layers"),
    copyLayers: values.isSet("cache-copy-layers"),
    mounts: values.isSet("cache-mounts"),
    mountsLimit: readSize(values, "cache-mounts-limit") ?? 0,
    secret: readKeySecret(values.text("cache-key-secret"), surroundings),
    scope: values.text("cache-scope")
  };
}
function readBaseFolder(values, directory) {
  if (!values.isSet("cache") && values.list("cache-dir").length === 0) return void 0;
  return { directory: resolve3(directory, values.text("cache-dir")), maxAge: readMaxAge(values) };
}
function readStores(values, destinations, surroundings) {
  const named = readNamed(values, void 0, surroundings);
  const repositoryName = values.text("cache-repo");
  const isWanted = values.isSet("cache") || repositoryName !== "";
  return [...named, ...isWanted ? readRepositories(repositoryName, named, destinations, surroundings) : []];
}
function readNamed(values, maxBytes, surroundings) {
  return values.list("cache-store").map(({ text }) => readStore(text, maxBytes, surroundings));
}
function readRepositories(name, named, [first], { directory }) {
  if (name !== "") return [readRepository(name, directory)];
  return named.length === 0 && first !== void 0 ? [besides(first)] : [];
}
function readStore(text, maxBytes, { env, directory }) {
  if (text !== "ci") return { kind: "directory", path: resolve3(directory, text), maxBytes };
  const access = ciAccessFrom(env);
  if (access === void 0)
    throw new UsageError("--cache-store=ci: there is no cache service here: ACTIONS_RUNTIME_TOKEN and ACTIONS_RESULTS_URL are not set");
  return { kind: "ci", access, maxBytes: maxBytes ?? usualCiBytes };
}
var usualCiBytes = 2e9;
function besides({ registry, repository }) {
  return { kind: "repository", reference: { registry, repository: `${repository}/cache` } };
}
function readRepository(text, directory) {
  const layout = /^oci:(?:\/\/)?(.+)$/s.exec(text)?.[1];
  if (layout !== void 0) return { kind: "layout", path: resolve3(directory, layout) };
  try {
    const reference = parseReference(text);
    if (reference.tag === void 0 && reference.digest === void 0) return { kind: "repository", reference };
  } catch (cause) {
    throw new UsageError(`invalid argument ${JSON.stringify(text)} for --cache-repo: ${cause instanceof Error ? cause.message : cause}`, {
      cause
    });
  }
  throw new UsageError(`invalid argument ${JSON.stringify(text)} for --cache-repo: must be a repository without a tag`);
}
function readMaxAge(values) {
  return (parseDuration(values.text("cache-ttl")) ?? 0) / 1e3;
}
function readSize(values, name) {
  const text = values.text(name);
  if (text === "") return void 0;
  const size = parseSize(text);
  if (size === void 0) throw new UsageError(`invalid argument ${JSON.stringify(text)} for --${name}: must be a size, as 10GB`);
  return size;
}
function readKeySecret(text, surroundings) {
  if (text === "") return void 0;
  const bytes = readSecrets([{ text: `id=cache-key,${text}`, source: "--cache-key-secret" }], surroundings).get("cache-key");
  if (bytes === void 0 || bytes.length === 0) throw new UsageError(`--cache-key-secret=${text}: it is empty`);
  return Buffer.from(bytes).toString("latin1");
}

// src/host/flags.ts
var groups = ["Inputs", "Registries and TLS", "Outputs and push", "Build behaviour", "Cache", "Log", "Slipway's own"];
var inputs = [
  {
    name: "dockerfile",
    short: "f",
    type: "string",
    value: "PATH",
    default: "Dockerfile",
    help: "Dockerfile, looked up from the working directory, then from the context; or its https:// URL"
  },
  {
    name: "context",
    short: "c",
    type: "string",
    value: "PATH|URL",
    default: "/workspace/",
    help: "what to build from: a directory, tar://FILE or tar://stdin, a git repository, an https:// URL of an archive or a Dockerfile"
  },
  { name: "context-sub-path", type: "string", value: "PATH", help: "directory below the context to build from instead" },
  { name: "bucket", short: "b", type: "string", value: "NAME", help: "bucket that holds the context", status: "not yet", hidden: true },
  {
    name: "build-arg",
    type: "multi",
    value: "NAME[=VALUE]",
    help: "value of an ARG; a name alone takes the value of the environment variable; may be repeated"
  },
  {
    name: "target",
    type: "multi",
    value: "STAGE",
    help: "stage to build instead of the last; of several the first is the image, the others are only built"
  },
  {
    name: "custom-platform",
    aliases: ["customPlatform"],
    type: "string",
    value: "OS/ARCH[/VARIANT]",
    defaultText: "this machine's",
    help: "platform to build for; several, separated by commas, give an index"
  },
  { name: "platform", type: "multi", value: "OS/ARCH[/VARIANT]", help: "the same as --custom-platform; may be repeated" },
  {
    name: "build-context",
    type: "keyValue",
    value: "NAME=DIR|IMAGE|URL",
    help: "directory, docker-image://IMAGE, oci-layout://DIR[:TAG][@DIGEST], git repository or https:// URL that FROM and COPY --from name so; may be repeated"
  },
  { name: "label", type: "keyValue", value: "NAME=VALUE", help: "label of the image; may be repeated" },
  {
    name: "annotation",
    type: "keyValue",
    value: "[LEVEL[,...]:]NAME=VALUE",
    help: "annotation of the image's manifest, or at another LEVEL: manifest, manifest-descriptor (either with [PLATFORM]), index, index-descriptor; may be repeated"
  },
  {
    name: "git",
    type: "multi",
    value: "OPTION=VALUE",
    help: "of a context that is a git repository: branch=, recurse-submodules=, insecure-skip-tls=; env GIT_TOKEN, or GIT_USERNAME and GIT_PASSWORD"
  },
  {
    name: "secret",
    type: "multi",
    value: "id=NAME[,src=PATH][,env=NAME]",
    help: "secret for RUN --mount=type=secret: a file or an environment variable, by default one with its name; may be repeated"
  },
  {
    name: "ssh",
    type: "multi",
    value: "ID[=SOCKET|KEY[,...]]",
    help: "SSH agent for RUN --mount=type=ssh, or the files of unencrypted private keys; ID is default where a mount says nothing else, SOCKET that of SSH_AUTH_SOCK; may be repeated"
  },
  {
    name: "kaniko-dir",
    type: "string",
    value: "PATH",
    defaultText: "the directory for temporary files",
    help: "directory to make a private state directory in, where --state-dir is not given; env KANIKO_DIR"
  }
];
var registries = [
  { name: "insecure", type: "boolean", help: "allow plain HTTP for pushes" },
  { name: "insecure-pull", type: "boolean", help: "allow plain HTTP for pulls" },
  { name: "insecure-registry", type: "multi", value: "HOST", help: "registry with which plain HTTP is allowed; may be repeated" },
  { name: "skip-tls-verify", type: "boolean", help: "accept any certificate of any registry" },
  { name: "skip-tls-verify-pull", type: "boolean", help: "accept any certificate when pulling" },
  { name: "skip-tls-verify-registry", type: "multi", value: "HOST", help: "registry of which to accept any certificate; may be repeated" },
  {
    name: "registry-certificate",
    type: "keyValue",
    value: "HOST=FILE",
    help: "PEM file of authorities to trust for a registry; may be repeated"
  },
  {
    name: "registry-client-cert",
    type: "keyValue",
    value: "HOST=CERT,KEY",
    help: "PEM files of the client certificate and key to show a registry; may be repeated"
  },
  {
    name: "registry-mirror",
    type: "multi",
    value: "HOST[/PREFIX]",
    help: "mirror to pull Docker Hub's images from; may be repeated; env KANIKO_REGISTRY_MIRROR adds one"
  },
  {
    name: "registry-map",
    type: "keyMultiValue",
    value: "HOST=MIRROR[/PREFIX][;...]",
    help: "mirrors to pull a registry's images from, in this order; may be repeated; env KANIKO_REGISTRY_MAP adds to it"
  },
  { name: "skip-default-registry-fallback", type: "boolean", help: "never ask a registry itself that has mirrors" },
  {
    name: "credential-helpers",
    type: "multi",
    value: "NAME",
    help: "built-in credential helpers to use",
    status: "refused",
    reason: 'no helper is built in, so it can only be ""; name docker-credential-* programs in config.json, under credHelpers or credsStore'
  },
  { name: "image-download-retry", type: "integer", value: "N", default: "0", help: "further tries of a pull" },
  {
    name: "image-fs-extract-retry",
    type: "integer",
    value: "N",
    default: "0",
    help: "further tries of unpacking a base",
    status: "accepted",
    reason: "what is unpacked has been verified, and pulls are repeated by --image-download-retry"
  },
  { name: "azure-container-registry-config", type: "string", value: "PATH", help: "Azure's credentials", status: "not yet", hidden: true }
];
var outputs = [
  {
    name: "destination",
    short: "d",
    type: "multi",
    value: "IMAGE",
    help: "registry/repository[:tag] to push to, and the name in --tar-path; may be repeated"
  },
  {
    name: "no-push",
    type: "boolean",
    help: "build, write the files that were asked for, but push nothing; env KANIKO_NO_PUSH decides over it"
  },
  { name: "no-push-cache", type: "boolean", help: "write nothing to the cache" },
  {
    name: "skip-push-permission-check",
    type: "boolean",
    help: "do not ask the registries before the build whether they will take the image"
  },
  { name: "push-retry", type: "integer", value: "N", default: "0", help: "further tries of a push" },
  { name: "push-ignore-immutable-tag-errors", type: "boolean", help: "take the answer that a tag must not be moved for success" },
  { name: "digest-file", type: "string", value: "FILE", help: "where to write the image's digest: a file or an https:// URL" },
  {
    name: "image-name-with-digest-file",
    type: "string",
    value: "FILE",
    help: "where to write registry/repository@digest, a line per destination: a file or an https:// URL"
  },
  {
    name: "image-name-tag-with-digest-file",
    type: "string",
    value: "FILE",
    help: "where to write registry/repository:tag@digest, a line per destination: a file or an https:// URL"
  },
  {
    name: "output",
    type: "multi",
    value: "type=TYPE,KEY=VALUE",
    help: "what to write, as docker buildx build has it: type=image, registry, oci, docker, local or tar with name, push, dest and others; may be repeated"
  },
  { name: "tar-path", aliases: ["tarPath"], type: "string", value: "FILE", help: "write a tar that docker load reads" },
  { name: "oci-layout-path", type: "string", value: "DIR", help: "write an OCI image layout" },
  {
    name: "compression",
    type: "string",
    value: "NAME",
    choices: ["gzip", "zstd"],
    default: "gzip",
    help: "how to compress layers: gzip or zstd"
  },
  {
    name: "compression-level",
    type: "integer",
    value: "N",
    default: "-1",
    defaultText: "the compressor's usual",
    help: "how much to compress"
  },
  {
    name: "image-format",
    type: "string",
    value: "NAME",
    choices: ["docker", "oci"],
    defaultText: "the base's, oci from scratch",
    help: "media types of the image: docker or oci"
  },
  { name: "reproducible", type: "boolean", help: "set the times in config and new layers to fixed ones" },
  {
    name: "rewrite-timestamp",
    type: "boolean",
    help: "lower the times of files in new layers to the build argument SOURCE_DATE_EPOCH"
  },
  { name: "dryrun", type: "boolean", help: "print the plan of the build and stop" }
];
var machine = "nothing of the machine's own file system is changed";
var behaviour = [
  {
    name: "network",
    type: "string",
    value: "MODE",
    choices: ["default", "none", "host"],
    default: "default",
    help: "network of the RUNs that do not say themselves: default, none, host"
  },
  { name: "allow", type: "multi", value: "RIGHT", help: "what RUN may ask for beyond the usual: network.host; may be repeated" },
  {
    name: "snapshot-mode",
    aliases: ["snapshotMode"],
    type: "string",
    value: "MODE",
    default: "full",
    choices: ["full", "redo", "time"],
    help: "how changes of RUN are found: full, redo or time",
    status: "accepted",
    reason: "every change of a RUN is found, at the cost of the fastest mode"
  },
  { name: "single-snapshot", type: "boolean", help: "one layer for a whole stage", status: "not yet" },
  {
    name: "use-new-run",
    type: "boolean",
    help: "find changes by times",
    status: "accepted",
    reason: "every change of a RUN is found without it"
  },
  {
    name: "skip-unused-stages",
    type: "boolean",
    help: "build only the stages that the target needs",
    status: "accepted",
    reason: "only the stages that the target needs are built"
  },
  {
    name: "ignore-var-run",
    aliases: ["whitelist-var-run"],
    type: "boolean",
    default: "true",
    help: "leave /var/run out of layers",
    status: "accepted",
    reason: "layers hold what the build wrote to /var/run and nothing else of it"
  },
  {
    name: "ignore-path",
    type: "multi",
    value: "PATH",
    help: "path that new layers leave out, with all below it; names may have * ? and [...]; may be repeated"
  },
  {
    name: "force-build-metadata",
    type: "boolean",
    help: "make layers for instructions that change metadata alone",
    status: "accepted",
    reason: "instructions that change metadata alone have their line in the image's history without it"
  },
  { name: "force", type: "boolean", help: "build outside of a container", status: "accepted", reason: machine },
  { name: "cleanup", type: "boolean", help: "empty the file system after the build", status: "accepted", reason: machine },
  { name: "pre-cleanup", type: "boolean", help: "empty the file system before the build", status: "accepted", reason: machine },
  { name: "preserve-context", type: "boolean", help: "restore the file system after the build", status: "accepted", reason: machine },
  {
    name: "materialize",
    type: "boolean",
    help: "leave the image's files on disk",
    status: "refused",
    reason: "the machine's own file system is not written to; --output type=local,dest=DIR writes the image's files to a directory"
  }
];
var cache = [
  { name: "no-cache", type: "boolean", help: "use nothing that earlier builds left, and empty the caches that RUN mounts" },
  { name: "no-cache-filter", type: "multi", value: "STAGE[,...]", help: "the same for these stages and their RUNs alone; may be repeated" },
  {
    name: "cache",
    type: "boolean",
    help: "take layers that earlier builds left, and leave those of this one; in a repository where no --cache-store is given"
  },
  {
    name: "cache-repo",
    type: "string",
    value: "REPOSITORY",
    help: "the repository with cached layers, with --cache; the first destination's and /cache where none is given"
  },
  {
    name: "cache-store",
    type: "multi",
    value: "DIR|ci",
    help: "a directory with cached layers, or ci, the CI's own cache service; may be repeated"
  },
  { name: "cache-store-limit", type: "string", value: "SIZE", help: "how much each such store may hold, as 10GB; the least used goes" },
  {
    name: "cache-dir",
    type: "string",
    value: "PATH",
    default: "/cache",
    help: "directory with base images that slipway warm has put there; looked into with --cache, or where it is given"
  },
  { name: "cache-ttl", type: "duration", value: "DURATION", default: "336h", help: "how long a layer is used after its step ran" },
  { name: "cache-run-layers", type: "boolean", default: "true", help: "cache the layers of RUN and WORKDIR" },
  { name: "cache-copy-layers", type: "boolean", default: "true", help: "cache the layers of COPY and ADD" },
  { name: "cache-mounts", type: "boolean", default: "true", help: "keep what RUN --mount=type=cache holds in the cache, too" },
  {
    name: "cache-mounts-limit",
    type: "string",
    value: "SIZE",
    default: "2GB",
    help: "such a directory with more in its files is not kept"
  },
  { name: "cache-scope", type: "string", value: "NAME", help: "write to a part of the cache that builds without this name never read" },
  {
    name: "cache-key-secret",
    type: "string",
    value: "env=NAME|src=FILE",
    help: "sign what is written to the cache, and take nothing that is not signed so"
  },
  {
    name: "unused-for",
    type: "duration",
    value: "DURATION",
    commands: ["prune"],
    help: "of slipway prune: remove what was not used for so long, as 336h"
  },
  {
    name: "max-size",
    type: "string",
    value: "SIZE",
    commands: ["prune"],
    help: "of slipway prune: remove the least recently used until the rest fits, as 10GB"
  },
  { name: "dry-run", type: "boolean", commands: ["prune"], help: "of slipway prune: say what would go, and leave it" },
  {
    name: "compressed-caching",
    type: "boolean",
    default: "true",
    help: "keep compressed layers in memory",
    status: "accepted",
    reason: "layers are never kept in memory"
  }
];
var log = [
  {
    name: "verbosity",
    short: "v",
    type: "string",
    value: "LEVEL",
    choices: levels,
    default: "info",
    help: `what to say: ${levels.join(", ")}; what the steps' commands write is always shown`
  },
  {
    name: "log-format",
    type: "string",
    value: "FORMAT",
    choices: logFormats,
    defaultText: "color on a terminal, else text",
    help: `how to say it: ${logFormats.join(", ")}`
  },
  { name: "log-timestamp", type: "boolean", help: "start each line with the time" }
];
var own = [
  {
    name: "state-dir",
    type: "string",
    value: "PATH",
    defaultText: "a private one that is removed after the build",
    help: "where blobs and unpacked layers lie; several builds may share it; env SLIPWAY_HOME"
  },
  {
    name: "sandbox",
    type: "string",
    value: "NAME",
    choices: ["auto", "ns", "userns", "chroot", "inplace", "userns-single", "chroot-bare"],
    default: "auto",
    help: "where RUN runs: auto (the strongest that works here), ns, userns, chroot, inplace, userns-single, chroot-bare"
  },
  {
    name: "no-sudo",
    type: "boolean",
    help: "never ask sudo; without it a build that is not root's has the helper run by sudo -n where that needs no password; env SLIPWAY_NO_SUDO=1"
  },
  {
    name: "format",
    type: "string",
    value: "NAME",
    choices: ["text", "json", "sarif"],
    default: "text",
    commands: ["check", "explain", "doctor"],
    help: "of slipway check, explain and doctor: how to print what was found: text, json (of check as BuildKit's), sarif (2.1.0, of check alone)"
  }
];
var flags = [
  ["Inputs", inputs],
  ["Registries and TLS", registries],
  ["Outputs and push", outputs],
  ["Build behaviour", behaviour],
  ["Cache", cache],
  ["Log", log],
  ["Slipway's own", own]
].flatMap(([group, rows]) => rows.map((row) => ({ status: "works", ...row, group })));
function takesMany(flag) {
  return flag.type === "multi" || flag.type === "keyValue" || flag.type === "keyMultiValue";
}

// src/host/parse-flags.ts
function parseFlags(args, known = flags) {
  const table = {
    byName: new Map(known.flatMap((flag) => [flag.name, ...flag.aliases ?? []].map((name) => [name, flag]))),
    byShort: new Map(known.flatMap((flag) => flag.short === void 0 ? [] : [[flag.short, flag]]))
  };
  const given = [];
  const positional = [];
  let help = false;
  const rest = [...args];
  for (let arg = rest.shift(); arg !== void 0; arg = rest.shift()) {
    if (arg === "--") {
      positional.push(...rest);
      break;
    }
    if (arg === "--help" || arg === "-h") help = true;
    else if (arg.startsWith("--")) given.push(readLong(arg, rest, table));
    else if (arg.startsWith("-") && arg.length > 1) given.push(readShort(arg, rest, table));
    else positional.push(arg);
  }
  return { given, help, positional };
}
function refusePositional({ given, positional }) {
  const [first] = positional;
  if (first === void 0) return;
  const last = given.at(-1);
  const isValue = last?.flag.type === "boolean" && parseBoolean(first) !== void 0;
  throw new UsageError(
    `unexpected argument ${JSON.stringify(first)}${isValue ? `; write ${last.spelling}=${first}` : ": every input is given by a flag"}`
  );
}
function readLong(arg, rest, { byName }) {
  const [, name = "", equals, inline = ""] = /^--([^=]*)(=)?(.*)$/s.exec(arg) ?? [];
  if (name === "") throw new UsageError(`bad flag syntax: ${arg}`);
  const flag = byName.get(name);
  const spelling = `--${name}`;
  if (flag === void 0) {
    const nearest = findNearest(name, [...byName.keys(), "help"]);
    throw new UsageError(`unknown flag: ${spelling}${nearest === void 0 ? "; see slipway --help" : `; did you mean --${nearest}?`}`);
  }
  if (equals !== void 0) return checkValue(flag, spelling, inline);
  if (flag.type === "boolean") return { flag, spelling, value: "true" };
  return takeNext(flag, spelling, rest);
}
function readShort(arg, rest, { byName, byShort }) {
  const short = arg.charAt(1);
  const flag = byShort.get(short);
  if (flag === void 0) {
    const nearest = byName.has(arg.slice(1).split("=")[0] ?? "") ? `; did you mean -${arg}?` : "; see slipway --help";
    throw new UsageError(`unknown shorthand flag: ${JSON.stringify(short)} in ${arg}${nearest}`);
  }
  const spelling = `-${short}`;
  if (flag.type === "boolean" && arg.length === 2) return { flag, spelling, value: "true" };
  if (arg.length > 2) return checkValue(flag, spelling, arg.charAt(2) === "=" && arg.length > 3 ? arg.slice(3) : arg.slice(2));
  return takeNext(flag, spelling, rest);
}
function takeNext(flag, spelling, rest) {
  const value = rest.shift();
  if (value === void 0) throw new UsageError(`flag needs an argument: ${spelling} ${flag.value ?? "VALUE"}`);
  return checkValue(flag, spelling, value);
}
function checkValue(flag, spelling, value) {
  const allowed = describeAllowed(flag, value);
  if (allowed !== void 0) throw new UsageError(`invalid argument ${JSON.stringify(value)} for ${spelling}: must be ${allowed}`);
  return { flag, spelling, value };
}
function describeAllowed(flag, value) {
  if (flag.type === "boolean" && parseBoolean(value) === void 0) return "true or false";
  if (flag.type === "integer" && parseInteger(value) === void 0) return "a whole number";
  if (flag.type === "duration" && parseDuration(value) === void 0) return "a number with a unit, for example 6h or 30m";
  if (flag.choices !== void 0 && value !== "" && !flag.choices.includes(value)) return `one of ${flag.choices.join(", ")}`;
  return void 0;
}
function isDefault({ flag, value }) {
  if (flag.type === "boolean") return parseBoolean(value) === (flag.default === "true");
  if (flag.type === "integer") return parseInteger(value) === parseInteger(flag.default ?? "");
  if (flag.type === "duration") return parseDuration(value) === parseDuration(flag.default ?? "");
  return value === "" || !takesMany(flag) && value === flag.default;
}
function lastGiven(given) {
  const last = new Map(given.map((one) => [one.flag, one]));
  return given.filter((one) => takesMany(one.flag) || last.get(one.flag) === one);
}
function checkSupport(given) {
  const telling = lastGiven(given).filter((one) => !isDefault(one));
  const refused = telling.find(({ flag }) => flag.status === "refused");
  if (refused !== void 0) throw new UsageError(`flag ${refused.spelling} is refused: ${refused.flag.reason ?? ""}`);
  const missing = telling.find(({ flag }) => flag.status === "not yet");
  if (missing !== void 0) throw new UsageError(`flag ${missing.spelling} is not yet supported`);
  const old = given.filter(({ flag, spelling }) => flag.aliases?.includes(spelling.slice(2)));
  return [
    .../* @__PURE__ */ new Set([
      ...old.map(({ flag, spelling }) => `${spelling} is deprecated: write --${flag.name}`),
      ...telling.filter(({ flag }) => flag.status === "accepted").map(({ flag, spelling }) => `${spelling} has no effect: ${flag.reason ?? ""}`)
    ])
  ];
}

// src/host/annotation-flag.ts
var levelPattern = /^([a-z-]+)(?:\[([^\]]*)\])?$/;
function readAnnotation(given) {
  const equals = given.text.indexOf("=");
  const [name, value] = [given.text.slice(0, equals), given.text.slice(equals + 1)];
  const colon = name.indexOf(":");
  const key = name.slice(colon + 1);
  if (equals < 0 || !/^\S+$/.test(key)) throw fail(given, "must be [LEVEL:]KEY=VALUE");
  if (colon < 0) return [{ key, value, given }];
  return name.slice(0, colon).split(",").map((part) => {
    const [, level, platform] = levelPattern.exec(part) ?? [];
    return { ...readPlace(level ?? part, platform, given), key, value, given };
  });
}
function readAnnotationField(name, value, given) {
  if (!/^annotation[-.[]/.test(name)) return void 0;
  const [, level, platform, key] = /^annotation(?:-([a-z-]+))?(?:\[([^\]]*)\])?\.(\S+)$/.exec(name) ?? [];
  if (key === void 0) throw fail(given, `"${name}" must be annotation[-LEVEL].KEY`);
  return { ...readPlace(level ?? "manifest", platform, given), key, value, given };
}
function readPlace(name, platform, given) {
  const level = annotationLevels.find((one) => one === name);
  if (level === void 0) throw fail(given, `unknown level "${name}"; it must be one of ${annotationLevels.join(", ")}`);
  if (platform === void 0) return { level };
  if (level.startsWith("index")) throw fail(given, `${level} is of all platforms; only manifests are of one`);
  try {
    return { level, platform: parsePlatform(platform) };
  } catch (cause) {
    throw fail(given, `invalid platform "${platform}": it must be os/architecture[/variant]`, cause);
  }
}
function placeAnnotations(all, platforms, isDocker) {
  const built = platforms.map(formatPlatform);
  return all.map(({ given, level = "manifest", ...rest }) => {
    if (level.startsWith("index") && built.length === 1)
      throw fail(given, "index annotations are not supported for a single platform, whose image has no index; annotate its manifest");
    if (isDocker && level !== "manifest")
      throw fail(given, "cannot be used with --image-format=docker; only OCI's indexes have annotations");
    if (rest.platform !== void 0 && !built.includes(formatPlatform(rest.platform)))
      throw fail(given, `no platform ${formatPlatform(rest.platform)} is built, only ${built.join(", ")}`);
    return { level, ...rest };
  });
}
function listLostAnnotations(all, isIndex, outputs2) {
  if (outputs2.ociLayoutPath !== void 0 || outputs2.ociTarPath !== void 0) return [];
  const lost = all.filter(({ level }) => level === "index-descriptor" || level === "manifest-descriptor" && !isIndex);
  return lost.map(({ level, key }) => `The annotation ${level}:${key} has no effect: nothing describes the image but an OCI layout`);
}
function placeMergeAnnotations(all) {
  return all.map(({ given, level = "index", ...rest }) => {
    if (level === "manifest")
      throw fail(given, "the images keep their digests; write manifest-descriptor, or annotate them when they are built");
    if (level === "index-descriptor") throw fail(given, "nothing in a registry describes an index");
    return { level, ...rest };
  });
}
function fail({ text, source }, why, cause) {
  return new UsageError(`invalid argument ${JSON.stringify(text)} for ${source}: ${why}`, { cause });
}

// src/host/context-flag.ts
var { isAbsolute: isAbsolute2, resolve: resolve4 } = process.getBuiltinModule("node:path");
function readContext(source, { directory, fileExists }) {
  const [, scheme = "", path = ""] = /^((?:dir|tar):\/\/)?(.*)$/s.exec(source) ?? [];
  if (source === "tar://stdin" || isAddress(path)) return { context: source, notices: [] };
  const context = resolve4(directory, path);
  const meant = resolve4("/", path);
  const isMistaken = scheme === "dir://" && !isAbsolute2(path) && !fileExists(context) && fileExists(meant);
  if (!isMistaken) return { context: `${scheme}${context}`, notices: [] };
  return { context: `${scheme}${meant}`, notices: [`The context is ${scheme}${meant}: there is no ${context}`] };
}
function readBuildContexts(given, directory) {
  return new Map(
    given.map(({ text, source }) => {
      const [name, value] = parsePair(text, source);
      const layout = /^oci-layout:\/\/(.*)$/s.exec(value)?.[1];
      if (layout !== void 0) return [name, `oci-layout://${resolve4(directory, layout)}`];
      return [name, isAddress(value) ? value : resolve4(directory, value)];
    })
  );
}
function isAddress(text) {
  return /^[a-z][a-z0-9+.-]*:\/\/|^[\w-]+@[\w.-]+:|^target:/i.test(text);
}

// src/host/environment.ts
function parseVariable(env, name) {
  const text = env[name];
  if (text === void 0 || text === "") return void 0;
  const value = parseBoolean(text);
  if (value === void 0)
    throw new UsageError(`invalid value ${JSON.stringify(text)} of the environment variable ${name}: must be true or false`);
  return value;
}
var cleaning = ["KANIKO_CLEANUP", "KANIKO_PRE_CLEANUP", "KANIKO_PRESERVE_CONTEXT"];
function listNotices(env) {
  const features = Object.keys(env).filter((name) => name.startsWith("FF_KANIKO_")).sort();
  const set = cleaning.filter((name) => parseBoolean(env[name] ?? "") === true);
  return [
    ...features.length === 0 ? [] : [`No effect: ${features.join(", ")}; kaniko's feature flags switch nothing here`],
    ...set.map((name) => `No effect: ${name}; nothing of the machine's own file system is changed`)
  ];
}

// src/host/git.ts
function readGitOptions(given, env, context) {
  const choices = splitOptions(given);
  const { GIT_TOKEN: token, GIT_USERNAME: username, GIT_PASSWORD: password } = env;
  const credentials = token ? { username: token, password: "" } : username || password ? { username, password } : void 0;
  const git = {
    branch: choices.get("branch")?.text || void 0,
    submodules: readSwitch(choices, "recurse-submodules"),
    skipTlsVerify: readSwitch(choices, "insecure-skip-tls") ?? false,
    protocol: env.GIT_PULL_METHOD === "http" ? "http" : "https",
    credentials: credentials && { username: credentials.username ?? "", password: credentials.password ?? "" }
  };
  readSwitch(choices, "single-branch");
  const depth = choices.get("depth");
  if (depth !== void 0 && parseInteger(depth.text) === void 0) throw wrong(depth, "depth must be a number");
  const idle = ["single-branch", "depth"].filter((name) => choices.has(name));
  if (given.length > 0 && !/^(?:git|ssh):\/\/|^[\w-]+@[\w.-]+:|^https?:\/\/[^?#]*\.git(?:[?#]|$)/i.test(context))
    return { git, notices: ["No effect: --git; the context is no git repository"] };
  if (idle.length === 0) return { git, notices: [] };
  return { git, notices: [`No effect: --git ${idle.join(", ")}; nothing but the commit that is built is fetched without it`] };
}
var names = ["branch", "single-branch", "recurse-submodules", "insecure-skip-tls", "depth"];
function splitOptions(given) {
  const choices = /* @__PURE__ */ new Map();
  for (const value of given)
    for (const pair of value.text.split(",")) {
      const [, name = "", text = ""] = /^([^=]*)=(.*)$/s.exec(pair) ?? [];
      if (!names.includes(name)) throw wrong(value, `must be ${names.map((one) => `${one}=`).join(", ")}`);
      choices.set(name, { text, source: value.source });
    }
  return choices;
}
function readSwitch(choices, name) {
  const value = choices.get(name);
  if (value === void 0) return void 0;
  const read = parseBoolean(value.text);
  if (read === void 0) throw wrong(value, `${name} must be true or false`);
  return read;
}
function wrong({ text, source }, why) {
  return new UsageError(`invalid argument ${JSON.stringify(text)} for ${source}: ${why}`);
}

// src/host/output-flag.ts
var types = ["image", "registry", "oci", "docker", "local", "tar"];
function readOutputFlags(given) {
  const choice = { pushed: [], named: [], files: {}, annotations: [] };
  for (const value of given) readOne(value, choice);
  return choice;
}
function readOne(given, choice) {
  const { text, source } = given;
  const fail2 = (why) => new UsageError(`invalid argument ${JSON.stringify(text)} for ${source}: ${why}`);
  const fields = text.includes("=") ? splitFields(text) : [["type", "local"], ["dest", text]];
  if (fields === void 0) throw fail2("must be type=NAME,KEY=VALUE");
  const values = new Map(fields);
  const type = values.get("type") ?? "";
  if (!types.includes(type)) throw fail2(`type must be one of ${types.join(", ")}`);
  const dest = values.get("dest");
  const isSet = (key, fallback) => values.has(key) ? parseBoolean(values.get(key) ?? "") === true : fallback;
  const isImage = type === "image" || type === "registry";
  if (dest === "-") throw fail2("writing to standard output is not supported; give a file");
  if (!isImage && !dest) throw fail2("dest is missing");
  const names2 = (values.get("name") ?? "").split(",").filter((name) => name !== "");
  if (isImage && isSet("push", type === "registry")) {
    if (names2.length === 0) throw fail2("name is missing");
    choice.pushed.push(...names2);
  } else choice.named.push(...names2);
  if (dest !== void 0 && !isImage) choice.files = { ...choice.files, [fileOf(type, isSet("tar", true))]: dest };
  for (const [key, value] of fields) {
    const annotation = readAnnotationField(key, value, given);
    if (annotation === void 0) readOption(key, value, type, choice, fail2);
    else choice.annotations.push(annotation);
  }
}
function fileOf(type, isTar) {
  if (type === "docker") return "tarPath";
  if (type === "oci") return isTar ? "ociTarPath" : "ociLayoutPath";
  return type === "tar" ? "rootTarPath" : "rootPath";
}
function readOption(key, value, type, choice, fail2) {
  if (key === "rewrite-timestamp") choice.rewriteTimestamp = parseBoolean(value) === true;
  else if (key === "oci-mediatypes") choice.ociTypes = parseBoolean(value) === true;
  else if (key === "compression" && (value === "gzip" || value === "zstd")) choice.compression = value;
  else if (key === "compression") throw fail2(`compression "${value}" is not yet supported; use gzip or zstd`);
  else if (key === "compression-level") choice.compressionLevel = value;
  else if (key === "tar" && (type === "oci" || type === "docker")) {
    if (type === "docker" && parseBoolean(value) !== true) throw fail2("type=docker is always a tar");
  } else if (!["type", "dest", "name", "push"].includes(key)) throw fail2(`"${key}" is not yet supported`);
}

// src/host/registry-options.ts
var { resolve: resolve5 } = process.getBuiltinModule("node:path");
function readRegistryOptions(values, surroundings) {
  const { env, directory } = surroundings;
  const path = (file) => resolve5(directory, file);
  const texts = (name) => values.list(name).map(({ text }) => text).filter((text) => text !== "");
  const variable = (name) => env[name] ? [{ text: env[name], source: name }] : [];
  const pairs = (name) => values.list(name).map(({ text, source }) => ({ pair: parsePair(text, source), text, source }));
  const clients = pairs("registry-client-cert").map(({ pair: [host, files], text, source }) => {
    const [certificate, key, ...more] = files.split(",");
    if (!certificate || !key || more.length > 0)
      throw new UsageError(`invalid argument ${JSON.stringify(text)} for ${source}: must be HOST=CERTIFICATE,KEY`);
    return [host, { certificate: path(certificate), key: path(key) }];
  });
  const client = env.UPSTREAM_CLIENT_TYPE ? `,${env.UPSTREAM_CLIENT_TYPE}` : "";
  return {
    insecure: values.isSet("insecure"),
    insecurePull: values.isSet("insecure-pull"),
    insecureRegistries: texts("insecure-registry"),
    skipTlsVerify: values.isSet("skip-tls-verify"),
    skipTlsVerifyPull: values.isSet("skip-tls-verify-pull"),
    skipTlsVerifyRegistries: texts("skip-tls-verify-registry"),
    certificates: Object.fromEntries(pairs("registry-certificate").map(({ pair: [host, file] }) => [host, path(file)])),
    clientCertificates: Object.fromEntries(clients),
    mirrors: [...texts("registry-mirror"), ...variable("KANIKO_REGISTRY_MIRROR").map(({ text }) => text)],
    map: Object.fromEntries(parseMultiMap([...values.list("registry-map"), ...variable("KANIKO_REGISTRY_MAP")])),
    skipDefaultRegistryFallback: values.isSet("skip-default-registry-fallback"),
    downloadRetries: values.count("image-download-retry"),
    pushRetries: values.count("push-retry"),
    ignoreImmutableTags: values.isSet("push-ignore-immutable-tag-errors"),
    dockerConfig: findDockerConfig(surroundings),
    proxies: readProxies(env),
    roots: {
      files: env.SSL_CERT_FILE ? [path(env.SSL_CERT_FILE)] : [],
      directories: (env.SSL_CERT_DIR ?? "").split(":").filter(Boolean).map(path)
    },
    userAgent: `slipway/${version}${client}`
  };
}
function readProxies(env) {
  const http = env.HTTP_PROXY || env.http_proxy;
  const https = env.HTTPS_PROXY || env.https_proxy;
  const noProxy = env.NO_PROXY || env.no_proxy;
  return { ...http ? { http } : {}, ...https ? { https } : {}, ...noProxy ? { noProxy } : {} };
}

// src/host/values.ts
function valuesOf(given, known = flags) {
  const valuesByName = /* @__PURE__ */ new Map();
  for (const { flag, spelling, value } of given) {
    valuesByName.set(flag.name, [...valuesByName.get(flag.name) ?? [], { text: value, source: spelling }]);
  }
  const defaults = new Map(known.map((flag) => [flag.name, flag.default ?? ""]));
  const text = (name) => valuesByName.get(name)?.at(-1)?.text || (defaults.get(name) ?? "");
  return {
    text,
    isSet: (name) => parseBoolean(text(name)) === true,
    list: (name) => valuesByName.get(name) ?? [],
    count(name) {
      const count2 = parseInteger(text(name)) ?? 0;
      if (count2 < 0) throw new UsageError(`invalid argument ${JSON.stringify(text(name))} for --${name}: must be 0 or more`);
      return count2;
    }
  };
}

// src/host/request.ts
var { join: join2, resolve: resolve6 } = process.getBuiltinModule("node:path");
function readRequest(given, surroundings, command = "build") {
  const { env, directory } = surroundings;
  const notices = [...checkSupport(given), ...listNotices(env)];
  const values = valuesOf(given);
  const [checkOnly, explainOnly] = [command === "check", command === "explain"];
  const push = !(parseVariable(env, "KANIKO_NO_PUSH") ?? values.isSet("no-push"));
  const choice = readOutputFlags(values.list("output"));
  const named = (names2) => names2.map((text) => readDestination({ text, source: "--output" }));
  const flagged = [...values.list("destination").map(readDestination), ...named(choice.pushed)];
  const destinations = [...flagged, ...flagged.length === 0 ? named(choice.named) : []];
  const outputs2 = { ...readOutputs(values, directory), ...mapValues(choice.files, (file) => resolve6(directory, file)) };
  const isElsewhere = values.list("output").length > 0 && flagged.length === 0;
  const dryRun = values.isSet("dryrun");
  if (dryRun && explainOnly) throw new UsageError("flag --dryrun has no meaning for slipway explain, which builds nothing");
  if (push && destinations.length === 0 && !dryRun && !checkOnly && !explainOnly && !isElsewhere)
    throw new UsageError("you must provide --destination, or use --no-push");
  if (destinations.length === 0 && outputs2.imageNameWithDigestFile !== void 0)
    throw new UsageError("you must provide --destination if setting ImageNameDigestFile");
  if (destinations.length === 0 && outputs2.imageNameTagWithDigestFile !== void 0)
    throw new UsageError("you must provide --destination if setting ImageNameTagDigestFile");
  const compression = (choice.compression ?? values.text("compression")) === "zstd" ? "zstd" : "gzip";
  const imageFormat = choice.ociTypes ? "oci" : values.text("image-format");
  if (imageFormat === "docker" && compression === "zstd")
    throw new UsageError("--image-format=docker cannot be used with --compression=zstd");
  if (imageFormat === "oci" && outputs2.tarPath !== void 0)
    throw new UsageError("--image-format=oci cannot be used with --tar-path: its tar is for docker load");
  if (compression === "zstd" && outputs2.tarPath !== void 0)
    throw new UsageError("--tar-path cannot be used with --compression=zstd: docker load takes gzip layers");
  const platforms = readPlatforms(values);
  const givenAnnotations = [...values.list("annotation").flatMap(readAnnotation), ...choice.annotations];
  const annotations = placeAnnotations(givenAnnotations, platforms, imageFormat === "docker");
  const { context, notices: contextNotices } = readContext(values.text("context"), surroundings);
  const { git, notices: gitNotices } = readGitOptions(values.list("git"), env, context);
  const request = {
    context,
    git,
    contextSubPath: values.text("context-sub-path"),
    dockerfile: values.text("dockerfile"),
    workingDirectory: directory,
    buildArgs: readBuildArgs(values.list("build-arg"), env),
    buildContexts: readBuildContexts(values.list("build-context"), directory),
    labels: new Map(values.list("label").map(({ text, source }) => parsePair(text, source))),
    targets: readTargets(values),
    secrets: readSecrets(values.list("secret"), surroundings),
    ssh: readAgents(values.list("ssh"), surroundings),
    ...readRights(values),
    platforms,
    uncached: readUncached(values),
    destinations,
    push: push && flagged.length > 0 && !explainOnly,
    checkPushPermission: !values.isSet("skip-push-permission-check"),
    outputs: outputs2,
    registry: readRegistryOptions(values, surroundings),
    reproducible: values.isSet("reproducible"),
    ignoredPaths: values.list("ignore-path").map(({ text }) => text),
    rewriteTimestamp: choice.rewriteTimestamp ?? values.isSet("rewrite-timestamp"),
    annotations,
    imageFormat: imageFormat === "docker" || imageFormat === "oci" ? imageFormat : void 0,
    compression,
    compressionLevel: readLevel(choice.compressionLevel ?? values.text("compression-level"), compression === "zstd" ? 22 : 9),
    sandbox: values.text("sandbox"),
    sudo: readSudo(values, surroundings),
    baseFolder: readBaseFolder(values, directory),
    cache: readCache(values, flagged, { push: push && flagged.length > 0, explainOnly }, surroundings),
    checkOnly,
    dryRun,
    notices: [...notices, ...contextNotices, ...gitNotices, ...listLostAnnotations(annotations, platforms.length > 1, outputs2)]
  };
  return { ...request, ...readStateDir(values, surroundings) };
}
function mapValues(values, change) {
  return Object.fromEntries(
    Object.entries(values).map(([key, value]) => [key, value === void 0 ? value : change(value)])
  );
}
function readBuildArgs(given, env) {
  const args = /* @__PURE__ */ new Map();
  for (const { text, source } of given) {
    if (text.includes("=")) {
      const [name, value] = parsePair(text, source);
      args.set(name, value);
    } else {
      const value = text === "" ? void 0 : env[text];
      if (value !== void 0) args.set(text, value);
    }
  }
  return args;
}
function readSudo(values, { env }) {
  const text = values.text("no-sudo") || env.SLIPWAY_NO_SUDO || "false";
  const isRefused = parseBoolean(text);
  if (isRefused === void 0) throw new UsageError(`invalid value ${JSON.stringify(text)} of SLIPWAY_NO_SUDO: must be true or false`);
  return !isRefused;
}
function readRights(values) {
  const allowed = values.list("allow").flatMap(({ text }) => text.split(","));
  const unknown = allowed.find((name) => name !== "network.host");
  if (unknown !== void 0)
    throw new UsageError(`invalid argument ${JSON.stringify(unknown)} for --allow: must be network.host; no sandbox can give more`);
  const network = values.text("network");
  if (network === "host" && !allowed.includes("network.host")) throw new UsageError("--network=host needs --allow=network.host");
  return { network, allowed };
}
function readUncached(values) {
  const all = values.isSet("no-cache");
  const stages = values.list("no-cache-filter").flatMap(({ text }) => text.split(",").filter((name) => name !== ""));
  if (all && stages.length > 0) throw new UsageError("--no-cache and --no-cache-filter cannot be used together");
  return { all, stages };
}
function readTargets(values) {
  const names2 = values.list("target").flatMap(({ text }) => text.split(","));
  return [...new Set(names2.filter((name) => name !== ""))];
}
function readPlatforms(values) {
  const platforms = /* @__PURE__ */ new Map();
  for (const { text, source } of [...values.list("platform"), ...values.list("custom-platform")])
    for (const name of text.split(",").filter((part) => part !== "")) {
      const platform = readPlatform({ text: name, source });
      platforms.set(formatPlatform(platform), platform);
    }
  return platforms.size === 0 ? [hostPlatform()] : [...platforms.values()];
}
function readPlatform({ text, source }) {
  try {
    return parsePlatform(text);
  } catch (cause) {
    throw new UsageError(`invalid argument ${JSON.stringify(text)} for ${source}: must be os/architecture[/variant]`, { cause });
  }
}
function readImage({ text, source }) {
  try {
    return parseReference(text);
  } catch (cause) {
    throw new UsageError(`${source}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}
function readDestination({ text, source }) {
  const reference = readImage({ text, source });
  if (reference.digest !== void 0)
    throw new UsageError(`invalid argument ${JSON.stringify(text)} for ${source}: must be a tag, for the digest is known after the build`);
  return withDefaultTag(reference);
}
function readOutputs(values, directory) {
  const file = (name) => values.text(name) === "" ? void 0 : resolve6(directory, values.text(name));
  const target = (name) => /^https:\/\//i.test(values.text(name)) ? values.text(name) : file(name);
  const outputs2 = {
    tarPath: file("tar-path"),
    ociLayoutPath: file("oci-layout-path"),
    digestFile: target("digest-file"),
    imageNameWithDigestFile: target("image-name-with-digest-file"),
    imageNameTagWithDigestFile: target("image-name-tag-with-digest-file")
  };
  return Object.fromEntries(Object.entries(outputs2).filter(([, path]) => path !== void 0));
}
function readLevel(text, most) {
  const level = parseInteger(text) ?? -1;
  if (level === 0 || level === -1) return void 0;
  if (level < 0 || level > most)
    throw new UsageError(`invalid argument ${JSON.stringify(text)} for --compression-level: must be 1 to ${most}, or -1 for the usual one`);
  return level;
}
function readStateDir(values, { env, directory, fileExists, makeDirectory }) {
  const given = values.text("state-dir") || env.SLIPWAY_HOME;
  if (given) return { stateDir: resolve6(directory, given), stateIsPrivate: false };
  const usual = fileExists("/kaniko") && (!fileExists("/tmp") || fileExists("/kaniko/in-place/journal")) ? "/kaniko" : "/tmp";
  const parent = resolve6(directory, values.text("kaniko-dir") || env.KANIKO_DIR || env.TMPDIR || usual);
  try {
    return { stateDir: makeDirectory(join2(parent, "slipway-")), stateIsPrivate: true };
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new UsageError(`Cannot make a state directory in ${JSON.stringify(parent)}: ${why}; give another with --state-dir`, { cause });
  }
}

// src/host/doctor.ts
var { release } = process.getBuiltinModule("node:os");
var taken = ["state-dir", "no-sudo", "kaniko-dir", "format", "cache", "cache-repo", "cache-store", "destination"];
function checkDoctorFlags(parsed) {
  const { given } = parsed;
  refusePositional(parsed);
  const foreign = given.find(({ flag }) => !taken.includes(flag.name) && flag.group !== "Registries and TLS" && flag.group !== "Log");
  if (foreign !== void 0) throw new UsageError(`flag ${foreign.spelling} has no meaning for slipway doctor`);
  checkSupport(given);
  if (valuesOf(given).text("format") === "sarif")
    throw new UsageError("--format=sarif is of slipway check alone: doctor has text and json");
}
function findForDoctor({ given }, place, source, surroundings) {
  const values = valuesOf(given);
  const stores = readStores(values, values.list("destination").map(readDestination), surroundings).map(nameStore);
  const hasCi = ciAccessFrom(surroundings.env) !== void 0 && !stores.includes(ciName);
  const cacheStores = hasCi ? [...stores, `${ciName}, with --cache-store=ci`] : stores;
  const texts = [
    ["DOCKER_AUTH_CONFIG", source.json],
    ...source.file === void 0 ? [] : [[source.file, surroundings.readFile(source.file) ?? ""]]
  ];
  const credentials = texts.flatMap(([name, text]) => text === void 0 ? [] : [readCredentials(name, text)]);
  return { ...place, credentials, cacheStores };
}
var ciName = "the CI's cache service";
function nameStore(store) {
  if (store.kind === "repository") return formatReference(store.reference);
  return store.kind === "ci" ? ciName : store.path;
}
function readCredentials(source, text) {
  try {
    const config = JSON.parse(text);
    const { auths, credHelpers, credsStore } = config ?? {};
    const perRegistry = Object.entries(recordOf(credHelpers)).map(([registry, name]) => `docker-credential-${name} for ${registry}`);
    const helpers = [...perRegistry, ...typeof credsStore === "string" && credsStore ? [`docker-credential-${credsStore}`] : []];
    return { source, registries: Object.keys(recordOf(auths)), helpers };
  } catch {
    return { source, registries: [], helpers: [], problem: "it is not JSON" };
  }
}
function recordOf(value) {
  return typeof value === "object" && value !== null ? value : {};
}
function showDiagnosis(diagnosis, findings, format) {
  const machine2 = {
    ...{ version, node: process.version, platform: `${process.platform}/${process.arch}`, kernel: release() },
    ...process.geteuid === void 0 ? {} : { uid: process.geteuid() }
  };
  if (format === "json") return printJson({ ...machine2, ...findings, ...diagnosis, chosen: chosenOf(diagnosis) ?? null });
  const { helper, fileSystem, freeBytes } = diagnosis;
  const kept = findings.stateIsPrivate ? "private, goes with the build" : "kept";
  return [
    `slipway ${version}, Node ${machine2.node}, ${machine2.platform}, kernel ${machine2.kernel}, uid ${machine2.uid}`,
    `helper: ${"path" in helper ? `${helper.path}, verified` : helper.problem}`,
    `state directory: ${findings.stateDir} (${kept}), ${fileSystem}, ${formatSize(freeBytes)} free`,
    "sandboxes, from the strongest to the weakest:",
    ...diagnosis.sandboxes.flatMap(showSandbox),
    `RUN: ${explainChoice(diagnosis)}`,
    `credentials: ${findings.credentials.length === 0 ? "none found" : findings.credentials.map(showCredentials).join("; ")}`,
    `cache stores: ${findings.cacheStores.length === 0 ? "none named, none offered by a CI" : findings.cacheStores.join("; ")}`
  ].map((line) => `${neutralizeLine(line, false)}
`).join("");
}
var nameWidth = 14;
function showSandbox({ name, works, why, message: message2, change }) {
  const indent2 = " ".repeat(nameWidth);
  return [
    `  ${name.padEnd(nameWidth)}${works ? "works" : "does not work"}: ${why}`,
    ...message2 === void 0 ? [] : [`  ${indent2}${message2}`],
    ...change === void 0 ? [] : [`  ${indent2}${works ? "" : "what would help: "}${change}`]
  ];
}
function chosenOf({ sandboxes }) {
  return sandboxes.find(({ works }) => works)?.name;
}
function explainChoice(diagnosis) {
  const chosen = chosenOf(diagnosis);
  return chosen === void 0 ? "cannot be run here; builds without RUN work" : `runs in ${chosen}`;
}
function showCredentials({ source, registries: registries2, helpers, problem }) {
  const found = [...registries2, ...helpers];
  return `${source}: ${problem ?? (found.length === 0 ? "none" : found.join(", "))}`;
}

// src/host/explain.ts
function showExplained(stages, format) {
  if (format === "json") return printJson({ stages, ...countStates(stages) });
  const isMixed = new Set(stages.map(({ platform }) => platform)).size > 1;
  const lines = stages.flatMap(({ name, base, platform, steps }) => [
    `[${name} 1/${steps.length + 1}] FROM ${base}${isMixed ? ` for ${platform}` : ""}`,
    ...steps.map((step) => `[${step.id}] ${step.text}: ${describe(step)}`)
  ]);
  const { cached, toBuild, notNeeded } = countStates(stages);
  const total = `${cached} cached, ${toBuild} to build, ${notNeeded} not needed`;
  return [...lines, total].map((line) => `${neutralizeLine(line, false)}
`).join("");
}
function describe({ state, store, why }) {
  if (store !== void 0) return `${state} in ${store}`;
  return why === void 0 ? state : `${state}, ${why}`;
}
function countStates(stages) {
  const states = stages.flatMap(({ steps }) => steps.map(({ state }) => state));
  const count2 = (wanted) => states.filter((state) => state === wanted).length;
  return { cached: count2("cached"), toBuild: count2("to build"), notNeeded: count2("not needed") };
}

// src/host/failure.ts
var { getSystemErrorMap } = process.getBuiltinModule("node:util");
var prefixes = {
  "building image": "error building image",
  "pushing image": "error pushing image",
  "writing outputs": "error pushing image",
  "pruning cache": "error pruning cache",
  "warming cache": "Failed warming cache",
  "checking push permissions": "error checking push permissions -- make sure you entered the correct tag name, and that you are authenticated correctly, and try again"
};
var hints = [
  ["ENOSPC", /no space left on device/i, "the disk is full", "free some space"],
  ["EDQUOT", /disk quota exceeded/i, "the disk quota is used up", "free some space"],
  ["EMFILE", /too many open files/i, "too many files are open", "raise the limit with ulimit -n"]
];
var sayings = {
  ENOENT: /does not exist|there is no|no such file/i,
  ENOTDIR: /is no directory|is not a directory/,
  EEXIST: /is no directory/,
  EISDIR: /is a directory/,
  ECONNREFUSED: /the connection was refused/,
  ENOTFOUND: /the host name has no address/,
  ENXIO: /opened this pipe/
};
var mostCauses = 8;
function describeFailure(error, detailed) {
  const stack = detailed && error instanceof Error && error.stack !== void 0 ? { stack: error.stack } : {};
  if (isBuildFailure(error)) {
    const hint2 = error.hint ?? findHint(error, error.phase);
    return {
      exitCode: error.exitCode === 0 ? 1 : error.exitCode,
      failure: {
        headline: `${prefixes[error.phase]}: ${error.message}`,
        causes: listCauses(error, detailed),
        ...error.place === void 0 ? {} : { excerpt: showPlace(error.place) },
        ...error.output.length === 0 ? {} : { output: error.output },
        ...hint2 === void 0 ? {} : { hint: hint2 },
        ...stack
      }
    };
  }
  const message2 = error instanceof Error ? error.message || error.name : String(error);
  if (isBug(error)) {
    const hint2 = detailed ? "please report it, with this log" : "please report it, with the log that --verbosity=debug gives";
    return {
      exitCode: 1,
      failure: {
        headline: `error building image: this is a bug in Slipway: ${message2}`,
        causes: listCauses(error, detailed),
        hint: hint2,
        ...stack
      }
    };
  }
  const hint = findHint(error, "building image");
  return {
    exitCode: 1,
    failure: {
      headline: `error building image: ${message2}`,
      causes: listCauses(error, detailed),
      ...hint === void 0 ? {} : { hint },
      ...stack
    }
  };
}
function isBuildFailure(error) {
  return error instanceof Error && error.name === "BuildFailure";
}
function isBug(error) {
  if (!(error instanceof Error)) return true;
  return /^(?:TypeError|ReferenceError|RangeError|EvalError|AssertionError)$/.test(error.name) && !("code" in error && error.code !== "ERR_ASSERTION");
}
function* causesOf(error) {
  const seen = /* @__PURE__ */ new Set();
  const waiting = [error];
  for (let next = waiting.shift(); next !== void 0; next = waiting.shift()) {
    if (!(next instanceof Error) || seen.has(next)) continue;
    seen.add(next);
    if (next !== error) yield next;
    waiting.push(next.cause, ...next instanceof AggregateError ? next.errors : []);
    while (waiting.length > 0 && waiting[0] === void 0) waiting.shift();
  }
}
function listCauses(error, detailed) {
  const told = [error instanceof Error ? error.message : ""];
  const causes = [];
  for (const cause of causesOf(error)) {
    const { message: message2 } = cause;
    if (message2 === "" || told.some((text) => text.includes(message2) || !detailed && isSaidBy(text, cause))) continue;
    told.push(message2);
    causes.push(message2);
  }
  return causes.slice(0, mostCauses);
}
function isSaidBy(text, cause) {
  if (!("code" in cause) || typeof cause.code !== "string") return false;
  const errno = "errno" in cause && typeof cause.errno === "number" ? cause.errno : 0;
  const words = getSystemErrorMap().get(errno)?.[1];
  return words !== void 0 && text.toLowerCase().includes(words.toLowerCase()) || (sayings[cause.code]?.test(text) ?? false);
}
function findHint(error, phase) {
  const output = isBuildFailure(error) ? error.output.map((line) => new Error(line)) : [];
  for (const one of [error, ...causesOf(error), ...output]) {
    if (!(one instanceof Error)) continue;
    const found = hints.find(([code2, words]) => "code" in one && one.code === code2 || words.test(one.message));
    if (found === void 0) continue;
    const [code, , state, cure] = found;
    const elsewhere = code === "EMFILE" ? "" : phase === "writing outputs" ? ", or write the file elsewhere" : ", or choose another disk with --state-dir";
    return `${state}: ${cure}${elsewhere}`;
  }
  return void 0;
}

// src/host/default.ts
function describeDefault(flag) {
  const text = flag.defaultText ?? (flag.type === "boolean" || takesMany(flag) ? void 0 : flag.default);
  return text === void 0 ? "" : ` (default: ${text})`;
}

// src/host/warm.ts
var { resolve: resolve7 } = process.getBuiltinModule("node:path");
var shared = [
  "build-arg",
  "custom-platform",
  "insecure-pull",
  "insecure-registry",
  "skip-tls-verify-pull",
  "skip-tls-verify-registry",
  "registry-certificate",
  "registry-client-cert",
  "registry-mirror",
  "registry-map",
  "skip-default-registry-fallback",
  "image-download-retry",
  "verbosity",
  "log-format",
  "log-timestamp"
];
var warmFlags = [
  {
    name: "image",
    short: "i",
    type: "multi",
    value: "IMAGE",
    help: "image to put into --cache-dir; may be repeated",
    group: "Inputs",
    status: "works"
  },
  {
    name: "dockerfile",
    short: "d",
    type: "string",
    value: "PATH",
    help: "Dockerfile whose FROM lines name further images, or its https:// URL",
    group: "Inputs",
    status: "works"
  },
  {
    name: "cache-dir",
    short: "c",
    type: "string",
    value: "PATH",
    default: "/cache",
    help: "directory for the images, made where it is missing",
    group: "Cache",
    status: "works"
  },
  { name: "force", short: "f", type: "boolean", help: "pull also what is there already", group: "Cache", status: "works" },
  {
    name: "cache-ttl",
    type: "duration",
    value: "DURATION",
    default: "336h",
    help: "how long an image that is there counts",
    group: "Cache",
    status: "works"
  },
  ...flags.filter(({ name }) => shared.includes(name))
];
function readWarmRequest(parsed, surroundings) {
  refusePositional(parsed);
  const notices = checkSupport(parsed.given);
  const values = valuesOf(parsed.given, warmFlags);
  const images = values.list("image").map(readImage);
  const dockerfile = values.text("dockerfile");
  const platform = values.text("custom-platform");
  if (images.length === 0 && dockerfile === "") throw new UsageError("name what to warm with --image or --dockerfile");
  const request = {
    images,
    dockerfile: dockerfile === "" ? void 0 : dockerfile,
    workingDirectory: surroundings.directory,
    buildArgs: readBuildArgs(values.list("build-arg"), surroundings.env),
    platform: platform === "" ? hostPlatform() : readPlatform({ text: platform, source: "--custom-platform" }),
    directory: resolve7(surroundings.directory, values.text("cache-dir")),
    maxAge: readMaxAge(values),
    force: values.isSet("force"),
    registry: readRegistryOptions(values, surroundings)
  };
  return { request, notices };
}
function showWarmed(warmed) {
  return warmed.flatMap(({ image, outcome }) => {
    if (outcome instanceof Error) return [];
    return [`${image}: ${outcome.digest} ${outcome.isNew ? "was put there" : "is there already"}`];
  }).map((line) => `${neutralizeLine(line, false)}
`).join("");
}

// src/host/help.ts
var indent = 6;
var width = 100;
function describeUsage() {
  const shown = flags.filter((flag) => !flag.hidden && flag.status === "works");
  const sections = groups.map(
    (group) => describeSection(
      group,
      shown.filter((flag) => flag.group === group)
    )
  );
  const list = (status) => flags.filter((flag) => !flag.hidden && flag.status === status).map((flag) => `--${flag.name}`);
  const old = flags.flatMap((flag) => (flag.aliases ?? []).map((alias) => `--${alias} (--${flag.name})`));
  return [
    "Builds a container image from a Dockerfile, without a daemon and without privilege.",
    "",
    "Usage:",
    "  slipway [build] FLAGS",
    "  slipway check FLAGS     looks for mistakes in the Dockerfile; ends with 1 where there are some",
    "  slipway explain FLAGS   says which steps of the build the cache has, and why it has not the others",
    "  slipway merge --destination IMAGE IMAGE@DIGEST ...",
    "                          joins images of single platforms that were pushed into one index",
    "  slipway prune FLAGS     makes the stores of --cache-repo and --cache-store smaller",
    "  slipway warm FLAGS      puts base images into a directory for the --cache-dir of builds; slipway warm --help",
    "  slipway doctor FLAGS    tries which sandboxes work on this machine, and says what a build would find; ends with 1 where none works",
    "  slipway version",
    "  slipway help",
    "",
    "Give a value as --flag=VALUE or --flag VALUE; switches as --flag or --flag=false.",
    "",
    ...sections.flat(),
    ...describeList("Flags of kaniko that are accepted and have no effect:", list("accepted")),
    ...describeList("Flags of kaniko that are refused, with what to do instead:", list("refused")),
    ...describeList("Flags of kaniko that are not yet supported:", list("not yet")),
    ...describeList("Deprecated spellings:", old)
  ].join("\n").concat("\n");
}
function describeWarm() {
  const sections = groups.map(
    (group) => describeSection(
      group,
      warmFlags.filter((flag) => flag.group === group)
    )
  );
  const usage = ["Usage:", "  slipway warm [--image IMAGE ...] [--dockerfile PATH] FLAGS", ""];
  return ["Puts base images into a directory, for the --cache-dir of builds.", "", ...usage, ...sections.flat()].join("\n");
}
function describeSection(group, shown) {
  if (shown.length === 0) return [];
  return [`${group}:`, ...shown.flatMap(describeFlag), ""];
}
function describeFlag(flag) {
  const short = flag.short === void 0 ? "    " : `-${flag.short}, `;
  const value = flag.type === "boolean" ? "" : ` ${flag.value ?? "VALUE"}`;
  return [`  ${short}--${flag.name}${value}`, ...wrap(`${flag.help}${describeDefault(flag)}`, indent + 4)];
}
function describeList(heading, names2) {
  return names2.length === 0 ? [] : [heading, ...wrap(names2.join(" "), 2), ""];
}
function wrap(text, margin) {
  const lines = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last !== void 0 && margin + last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines.map((line) => " ".repeat(margin) + line);
}

// src/host/interruption.ts
var patienceMs = 4e3;
var codes2 = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 };
function watchInterruption(surroundings, giveUp) {
  const controller = new AbortController();
  let exitCode;
  let stopTimer = () => {
  };
  const exitNow = (code) => {
    giveUp();
    surroundings.exit(code);
  };
  let endedWith;
  surroundings.onTrouble((trouble) => {
    if (endedWith !== void 0 && "signal" in trouble) {
      surroundings.exit(endedWith);
      return;
    }
    if (exitCode !== void 0) {
      if ("signal" in trouble) exitNow(exitCode);
      return;
    }
    const code = codeOf(trouble);
    exitCode = code;
    stopTimer = surroundings.clock.every(patienceMs, () => exitNow(code));
    controller.abort("signal" in trouble ? new Error(`interrupted by ${trouble.signal}`) : trouble.error);
  });
  return {
    signal: controller.signal,
    get exitCode() {
      return exitCode;
    },
    end(code) {
      endedWith = code;
      stopTimer();
    }
  };
}
function codeOf(trouble) {
  return "signal" in trouble ? codes2[trouble.signal] : 1;
}

// src/host/merge.ts
var taken2 = ["destination", "annotation", "digest-file", "image-name-with-digest-file", "image-name-tag-with-digest-file", "push-retry"];
function readMergeRequest({ given, positional }, surroundings) {
  const foreign = given.find(({ flag }) => !taken2.includes(flag.name) && flag.group !== "Registries and TLS" && flag.group !== "Log");
  if (foreign !== void 0) throw new UsageError(`flag ${foreign.spelling} has no meaning for slipway merge`);
  checkSupport(given);
  const values = valuesOf(given);
  const destinations = values.list("destination").map(readDestination);
  if (destinations.length === 0) throw new UsageError("you must provide --destination");
  if (positional.length === 0) throw new UsageError("name the images to merge: slipway merge --destination IMAGE:TAG IMAGE@DIGEST ...");
  const { digestFile, imageNameWithDigestFile, imageNameTagWithDigestFile } = readOutputs(values, surroundings.directory);
  return {
    sources: positional.map(readSource),
    destinations,
    annotations: placeMergeAnnotations(values.list("annotation").flatMap(readAnnotation)),
    outputs: {
      ...digestFile === void 0 ? {} : { digestFile },
      ...imageNameWithDigestFile === void 0 ? {} : { imageNameWithDigestFile },
      ...imageNameTagWithDigestFile === void 0 ? {} : { imageNameTagWithDigestFile }
    },
    registry: readRegistryOptions(values, surroundings)
  };
}
function readSource(text) {
  try {
    return parseReference(text);
  } catch (cause) {
    throw new UsageError(cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

// src/host/prune.ts
var { resolve: resolve8 } = process.getBuiltinModule("node:path");
var taken3 = ["cache", "cache-repo", "cache-store", "cache-scope", "destination", "unused-for", "max-size", "dry-run", "state-dir"];
function readPruneRequest(parsed, surroundings) {
  const { given } = parsed;
  refusePositional(parsed);
  const foreign = given.find(({ flag }) => !taken3.includes(flag.name) && flag.group !== "Registries and TLS" && flag.group !== "Log");
  if (foreign !== void 0) throw new UsageError(`flag ${foreign.spelling} has no meaning for slipway prune`);
  checkSupport(given);
  const values = valuesOf(given);
  const stores = readStores(values, values.list("destination").map(readDestination), surroundings);
  const stateDir = values.text("state-dir");
  if (stores.length === 0 && stateDir === "") throw new UsageError("name what to prune with --cache-repo or --cache-store, or --state-dir");
  const duration = values.text("unused-for");
  const unusedFor = duration === "" ? void 0 : (parseDuration(duration) ?? 0) / 1e3;
  if (unusedFor !== void 0 && unusedFor < 0)
    throw new UsageError(`invalid argument ${JSON.stringify(duration)} for --unused-for: must be 0 or more`);
  const maxBytes = readSize(values, "max-size");
  if (unusedFor === void 0 && maxBytes === void 0)
    throw new UsageError("say what is to go with --unused-for=DURATION, --max-size=SIZE or both; --max-size=0 removes everything");
  return {
    stores,
    stateDir: stateDir === "" ? void 0 : resolve8(surroundings.directory, stateDir),
    scope: values.text("cache-scope"),
    limits: {
      ...unusedFor === void 0 ? {} : { unusedFor },
      ...maxBytes === void 0 ? {} : { maxBytes },
      dryRun: values.isSet("dry-run")
    },
    registry: readRegistryOptions(values, surroundings)
  };
}
function showPruned(pruned, dryRun) {
  const [removed, freed] = dryRun ? ["would remove", "would free"] : ["removed", "freed"];
  return pruned.flatMap(({ store, outcome }) => {
    if (outcome instanceof Error) return [];
    if ("removedCaches" in outcome) {
      const { removedCaches, freedBytes: freedBytes2, keptCaches, keptBytes: keptBytes2 } = outcome;
      const stay = `${count(keptCaches, "cache")} with ${formatSize(keptBytes2)} ${keptCaches === 1 ? "stays" : "stay"}`;
      return [`${store}: ${removed} ${count(removedCaches, "cache")}, ${freed} ${formatSize(freedBytes2)}; ${stay}`];
    }
    const { removedRecords, removedBlobs, freedBytes, keptRecords, keptBytes } = outcome;
    const gone = `${removed} ${count(removedRecords, "record")} and ${count(removedBlobs.length, "blob")}, ${freed} ${formatSize(freedBytes)}`;
    return [`${store}: ${gone}; ${count(keptRecords, "record")} with ${formatSize(keptBytes)} ${keptRecords === 1 ? "stays" : "stay"}`];
  }).map((line) => `${neutralizeLine(line, false)}
`).join("");
}
function count(number, noun) {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

// src/host/shell.ts
var commands = ["build", "check", "explain", "merge", "prune", "warm", "doctor", "version", "help"];
var laterCommands = ["push", "login", "plan"];
async function runShell(core, surroundings) {
  const { program: program2 } = surroundings;
  const [first = "", ...rest] = program2 === "warmer" ? ["warm", ...surroundings.args] : surroundings.args;
  try {
    if (first === "version" || first === "--version") return showVersion(surroundings);
    if (first === "help") return showHelp(surroundings);
    const isNamed = first !== "" && !first.startsWith("-");
    if (isNamed && !commands.includes(first)) refuseCommand(first);
    const command = isNamed ? first : "build";
    if (command === "warm") return await runWarm(parseFlags(rest, warmFlags), core, surroundings);
    const parsed = parseFlags(isNamed ? rest : surroundings.args);
    if (parsed.help) return showHelp(surroundings);
    refuseForeign(parsed, command);
    if (command === "merge") return await runMerge(parsed, core, surroundings);
    if (command === "prune") return await runPrune(parsed, core, surroundings);
    if (command === "doctor") return await runDoctor(parsed, core, surroundings);
    refusePositional(parsed);
    return await runBuild(parsed, core, surroundings, command === "check" || command === "explain" ? command : "build");
  } catch (error) {
    const { failure } = describeFailure(error, true);
    surroundings.stderr.write(error instanceof UsageError ? `Error: ${error.message}
` : `${failure.stack ?? ""}
${failure.headline}
`);
    return 1;
  }
}
async function runBuild({ given }, core, surroundings, command) {
  const values = valuesOf(given);
  const format = values.text("format");
  if (command === "explain" && format === "sarif")
    throw new UsageError("--format=sarif is of slipway check alone: explain has text and json");
  const request = readRequest(given, surroundings, command);
  return await observe(values, request.registry, surroundings, cleanUpOf(request, surroundings), async (tools, renderer) => {
    const { plan, checked, explained } = await core.build(request, tools);
    if (plan !== void 0) surroundings.stdout.write(renderer.redact(showPlan(plan)));
    if (checked !== void 0) surroundings.stdout.write(renderer.redact(showChecked(checked, format)));
    if (explained !== void 0) surroundings.stdout.write(renderer.redact(showExplained(explained, format)));
    return checked !== void 0 && (checked.error !== void 0 || checked.findings.length > 0) ? 1 : 0;
  });
}
function cleanUpOf({ stateDir, stateIsPrivate }, surroundings) {
  if (!stateIsPrivate) return nothing;
  return { now: () => surroundings.removeDirectoryNow(stateDir), later: () => surroundings.removeDirectory(stateDir) };
}
async function runDoctor(parsed, core, surroundings) {
  checkDoctorFlags(parsed);
  const values = valuesOf(parsed.given);
  const registry = readRegistryOptions(values, surroundings);
  const place = readStateDir(values, surroundings);
  return await observe(values, registry, surroundings, cleanUpOf(place, surroundings), async (_, renderer) => {
    const diagnosis = await core.diagnose({ ...place, sudo: readSudo(values, surroundings) });
    const findings = findForDoctor(parsed, place, registry.dockerConfig, surroundings);
    surroundings.stdout.write(renderer.redact(showDiagnosis(diagnosis, findings, values.text("format"))));
    return chosenOf(diagnosis) === void 0 ? 1 : 0;
  });
}
var nothing = { now() {
}, async later() {
} };
async function runMerge(parsed, core, surroundings) {
  const request = readMergeRequest(parsed, surroundings);
  return await observe(valuesOf(parsed.given), request.registry, surroundings, nothing, async (tools) => {
    const { digest } = await core.mergeImages(request, tools);
    tools.report.emit({ kind: "notice", text: `Index of ${request.sources.length} images: ${digest}` });
    return 0;
  });
}
async function runPrune(parsed, core, surroundings) {
  const request = readPruneRequest(parsed, surroundings);
  return await observe(valuesOf(parsed.given), request.registry, surroundings, nothing, async (tools, renderer) => {
    const pruned = await core.prune(request, tools);
    surroundings.stdout.write(renderer.redact(showPruned(pruned, request.limits.dryRun)));
    const [failure, ...others] = pruned.flatMap(({ outcome }) => outcome instanceof Error ? [outcome] : []);
    for (const { message: text } of others) tools.report.emit({ kind: "warning", text });
    if (failure !== void 0) throw failure;
    return 0;
  });
}
async function runWarm(parsed, core, surroundings) {
  if (parsed.help) return showHelp(surroundings, describeWarm());
  const { request, notices } = readWarmRequest(parsed, surroundings);
  return await observe(valuesOf(parsed.given, warmFlags), request.registry, surroundings, nothing, async (tools, renderer) => {
    for (const text of notices) tools.report.emit({ kind: "notice", text });
    const warmed = await core.warm(request, tools);
    surroundings.stdout.write(renderer.redact(showWarmed(warmed)));
    const failures = warmed.flatMap(({ outcome }) => outcome instanceof Error ? [outcome] : []);
    const [first] = failures;
    if (first !== void 0 && failures.length === warmed.length) throw first;
    for (const { message: text } of failures) tools.report.emit({ kind: "warning", text });
    return 0;
  });
}
async function observe(values, registry, surroundings, cleanUp, work) {
  const verbosity = values.text("verbosity");
  const format = values.text("log-format") || (surroundings.env.NO_COLOR ? "text" : void 0);
  const choice = { verbosity, format, timestamps: values.isSet("log-timestamp") };
  const renderer = openRenderer(surroundings.stderr, choice, surroundings.clock);
  const interruption = watchInterruption(surroundings, () => {
    const { failure } = describeFailure(interruption.signal.reason, false);
    renderer.fail({ ...failure, hint: "the build was ended before it had cleaned up" });
    cleanUp.now();
  });
  let code = 1;
  try {
    for (const secret of findSecrets(registry.dockerConfig, surroundings)) renderer.mask(secret);
    code = await work({ report: renderer, signal: interruption.signal, stdin: surroundings.stdin }, renderer);
  } catch (error) {
    const reason = interruption.exitCode === void 0 ? error : interruption.signal.reason;
    const { failure, exitCode } = describeFailure(reason, verbosity === "debug" || verbosity === "trace");
    renderer.fail(failure);
    code = interruption.exitCode ?? exitCode;
  } finally {
    renderer.close();
    await cleanUp.later();
    interruption.end(code);
  }
  return code;
}
function showPlan(plan) {
  const lines = plan.replace(/\n$/, "").split("\n");
  return lines.map((line) => `${neutralizeLine(line, false)}
`).join("");
}
function showVersion({ stdout }) {
  stdout.write(`slipway ${version}
node ${process.version} ${process.platform}/${process.arch}
`);
  return 0;
}
function showHelp({ stdout }, text = describeUsage()) {
  stdout.write(text);
  return 0;
}
function refuseForeign({ given }, command) {
  const foreign = given.find(({ flag: flag2 }) => flag2.commands?.every((one) => one !== command));
  const { spelling, flag } = foreign ?? {};
  if (flag === void 0) return;
  const hint = flag.name === "dry-run" ? "; did you mean --dryrun?" : "";
  throw new UsageError(`flag ${spelling} is one of slipway ${flag.commands?.join(" and ")} alone${hint}`);
}
function refuseCommand(name) {
  if (laterCommands.includes(name)) throw new UsageError(`command ${name} is not yet supported`);
  const nearest = findNearest(name, [...commands, ...laterCommands]);
  throw new UsageError(
    `unknown command ${JSON.stringify(name)}${nearest === void 0 ? "; see slipway --help" : `; did you mean ${nearest}?`}`
  );
}

// src/host/surroundings.ts
var { spawnSync } = process.getBuiltinModule("node:child_process");
var { existsSync, mkdirSync, mkdtempSync, readFileSync, statSync } = process.getBuiltinModule("node:fs");
var { rm } = process.getBuiltinModule("node:fs/promises");
var { basename, dirname } = process.getBuiltinModule("node:path");
var { isatty } = process.getBuiltinModule("node:tty");
var removal = 'for i in 1 2 3 4 5; do rm -rf --one-file-system -- "$0" && exit; sleep 0.1; done';
function readOrNothing(path) {
  try {
    return readFileSync(path);
  } catch {
    return void 0;
  }
}
function ownProcess() {
  process.stdout.on("error", () => {
  });
  process.stderr.on("error", () => {
  });
  return {
    program: basename(process.argv[1] ?? ""),
    args: process.argv.slice(2),
    env: process.env,
    directory: process.cwd(),
    // Node makes the stream, and may not be able to, when it is first looked at.
    stdin: isatty(0) ? void 0 : () => process.stdin,
    stdout: { write: (text) => void process.stdout.write(text) },
    stderr: {
      write: (text) => void process.stderr.write(text),
      isTerminal: process.stderr.isTTY === true && process.env.TERM !== "dumb",
      columns: () => process.stderr.isTTY === true ? process.stderr.columns : void 0
    },
    clock: systemClock,
    readFile: (path) => readOrNothing(path)?.toString("utf8"),
    readBytes: readOrNothing,
    fileExists: existsSync,
    isSocket: (path) => statSync(path, { throwIfNoEntry: false })?.isSocket() === true,
    makeDirectory(prefix) {
      makeParents(dirname(prefix));
      return mkdtempSync(prefix);
    },
    removeDirectory: (path) => rm(path, { recursive: true, force: true }),
    removeDirectoryNow: (path) => void spawnSync("sh", ["-c", removal, path], { stdio: "ignore", timeout: 3e3 }),
    onTrouble(listener) {
      const signals = ["SIGINT", "SIGTERM", "SIGHUP"].map((signal) => ({ signal, listener: () => listener({ signal }) }));
      const crash = (error) => listener({ error });
      for (const one of signals) process.on(one.signal, one.listener);
      process.on("uncaughtException", crash);
    },
    exit: (code) => process.exit(code)
  };
}
function makeParents(directory) {
  if (existsSync(directory)) return;
  makeParents(dirname(directory));
  mkdirSync(directory);
}

// src/host/host.ts
function findHost(surroundings = ownProcess()) {
  return { run: (core) => runShell(core, surroundings) };
}

// src/main.ts
var { existsSync: existsSync2, realpathSync } = process.getBuiltinModule("node:fs");
var { fileURLToPath } = process.getBuiltinModule("node:url");
var { setFlagsFromString } = process.getBuiltinModule("node:v8");
async function build(request, tools) {
  const core = await import("./build.mjs");
  return await core.build(request, tools);
}
async function mergeImages(request, tools) {
  const core = await import("./build.mjs");
  return await core.mergeImages(request, tools);
}
async function prune(request, tools) {
  const core = await import("./build.mjs");
  return await core.prune(request, tools);
}
async function warm(request, tools) {
  const core = await import("./build.mjs");
  return await core.warm(request, tools);
}
async function diagnose(request) {
  const core = await import("./build.mjs");
  return await core.diagnose(request);
}
var program = process.argv[1];
var isProgram = program !== void 0 && existsSync2(program) && realpathSync(program) === realpathSync(fileURLToPath(import.meta.url));
if (isProgram) {
  for (const flag of ["--semi-space-growth-factor=1", "--heap-growing-percent=20"]) setFlagsFromString(flag);
  process.exitCode = await findHost().run({ build, diagnose, mergeImages, prune, warm });
}
export {
  build,
  diagnose,
  mergeImages,
  prune,
  warm
};
