// Findings in the Static Analysis Results Interchange Format, which code scanning services read.

import { isAbsolute } from "node:path";
import { pathToFileURL } from "node:url";
import type { Checked } from "../build/build.ts";
import { version } from "./version.ts";

type Finding = Checked["findings"][number];

/** https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html */
export function formatSarif({ file, findings, error }: Checked): unknown {
  const reported = [...new Map(findings.map((finding) => [finding.rule, finding])).values()];
  const artifactLocation = isAbsolute(file)
    ? { uri: pathToFileURL(file).href }
    : { uri: file.split("/").map(encodeURIComponent).join("/"), uriBaseId: "%SRCROOT%" };
  const locate = (region: object) => [{ physicalLocation: { artifactLocation, region } }];
  const failure = error && {
    level: "error",
    message: { text: error.message },
    locations: locate(
      error.place.exact === undefined
        ? { startLine: error.place.line, endLine: Math.max(error.place.line, error.place.endLine) }
        : regionOf({ range: error.place.exact }),
    ),
  };
  return {
    $schema: "https://json.schemastore.org/sarif-2.1.0.json",
    version: "2.1.0",
    runs: [
      {
        tool: { driver: { name: "slipway", semanticVersion: version, rules: reported.map(describeRule) } },
        columnKind: "utf16CodeUnits",
        invocations: [{ executionSuccessful: error === undefined, ...(failure ? { toolExecutionNotifications: [failure] } : {}) }],
        results: findings.map((finding) => ({
          ruleId: finding.rule,
          ruleIndex: reported.findIndex(({ rule }) => rule === finding.rule),
          level: "warning",
          message: { text: finding.message },
          locations: locate(regionOf(finding)),
        })),
      },
    ],
  };
}

function describeRule({ rule, description, url }: Finding): object {
  return {
    id: rule,

    shortDescription: { text: description },
    ...(url === undefined ? {} : { helpUri: url }),
    defaultConfiguration: { level: "warning" },
  };
}

/** Columns count from 1, and the end is the one after the last character. */
function regionOf({ range: { start, end } }: Pick<Finding, "range">): object {
  return { startLine: start.line, startColumn: start.column, endLine: end.line, endColumn: end.column };
}
