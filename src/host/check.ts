// Prints what the build checks found: as text, as BuildKit's JSON, or as SARIF.

import type { Checked } from "../build/build.ts";
import { neutralizeLine } from "../report/neutral.ts";
import { showPlace } from "./excerpt.ts";
import { formatSarif } from "./sarif.ts";

/** Ends in a line feed. Formats other than json and sarif are text. */
export function showChecked(checked: Checked, format: string): string {
  if (format === "json") return printJson(formatJson(checked));
  if (format === "sarif") return printJson(formatSarif(checked));
  return formatText(checked)
    .split("\n")
    .map((line) => `${neutralizeLine(line, false)}\n`)
    .join("");
}

/** As JSON. CI systems obey `##[` wherever it stands; in JSON it stands in texts alone. */
export function printJson(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2).replaceAll("##[", "#\\u0023[")}\n`;
}

/** As `docker build --check` prints it. */
function formatText({ file, source, findings, error }: Checked): string {
  const count = findings.length === 1 ? "1 warning has been found!" : `${findings.length} warnings have been found!`;
  const head = findings.length > 0 ? [`Check complete, ${count}`] : error === undefined ? ["Check complete, no warnings found."] : [];
  const blocks = findings.map(({ rule, url, message, range }) => {
    const place = showPlace({ file, source, line: range.start.line, endLine: range.end.line });
    return `WARNING: ${rule}${url === undefined ? "" : ` - ${url}`}\n${message}\n${place}`;
  });
  const failed = error === undefined ? [] : [`ERROR: ${error.message}\n${showPlace(error.place)}`];
  return [...head, ...blocks, ...failed].join("\n\n");
}

/** BuildKit's `--call=check,format=json`: https://github.com/moby/buildkit/blob/master/frontend/subrequests/lint/lint.go */
function formatJson({ file, source, findings, error }: Checked): unknown {
  const located = (line: number, endLine: number) => ({ ranges: [{ start: { line }, end: { line: Math.max(line, endLine) } }] });
  return {
    warnings: findings.map(({ rule, description, url, message, range }) => ({
      ruleName: rule,
      description,
      ...(url === undefined ? {} : { url }),
      detail: message,
      location: located(range.start.line, range.end.line),
    })),
    sources: [{ fileName: file, language: "Dockerfile", data: Buffer.from(source).toString("base64") }],
    ...(error === undefined ? {} : { error: { message: error.message, location: located(error.place.line, error.place.endLine) } }),
  };
}
