// Compares what two builders made of a program; differences are lines for people.

import { isDeepStrictEqual } from "node:util";
import { deliberate } from "./deliberate.ts";
import type { HistoryLine, LayerNode, Outcome } from "./outcome.ts";

/** `wanted` is the reference's. Empty where they agree. The word before the first colon says what differs. */
export function compareOutcomes(wanted: Outcome, got: Outcome): string[] {
  if (wanted.fails && got.fails)
    return wanted.line === got.line || deliberate.failures.some((excused) => excused(wanted, got))
      ? []
      : [`line: should fail in ${wanted.line}: ${wanted.message}`, `      fails in ${got.line}: ${got.message}`];
  if (wanted.fails) return [`failure: should fail in line ${wanted.line}: ${wanted.message}`];
  if (got.fails) return [`success: should not fail: ${got.message}`];
  return [
    ...compareLayers(wanted.layers, got.layers),
    ...compareConfigs(wanted.config, got.config),
    ...compareHistories(wanted.history, got.history),
  ];
}

function compareConfigs(wanted: Readonly<Record<string, unknown>>, got: Readonly<Record<string, unknown>>): string[] {
  const keys = [...new Set([...Object.keys(wanted), ...Object.keys(got)])].sort();
  return keys.flatMap((key) =>
    isDeepStrictEqual(wanted[key], got[key])
      ? []
      : [
          `config: ${key} should be ${JSON.stringify(wanted[key])}`,
          `        ${" ".repeat(key.length)}        is ${JSON.stringify(got[key])}`,
        ],
  );
}

function compareHistories(wanted: readonly HistoryLine[], got: readonly HistoryLine[]): string[] {
  const told = (line: HistoryLine | undefined) =>
    line === undefined ? line : { ...line, created_by: deliberate.history(line.created_by ?? "") };
  const length = Math.max(wanted.length, got.length);
  return Array.from({ length }, (_, index) => index).flatMap((index) =>
    isDeepStrictEqual(told(wanted[index]), told(got[index]))
      ? []
      : [`history: ${index} should be ${JSON.stringify(wanted[index])}`, `         ${index}        is ${JSON.stringify(got[index])}`],
  );
}

type Layers = readonly (readonly LayerNode[])[];

function compareLayers(wanted: Layers, got: Layers): string[] {
  if (wanted.length !== got.length) return [`layers: there should be ${wanted.length}, there are ${got.length}`];
  return wanted.flatMap((nodes, index) => {
    const other = got[index] ?? [];
    const key = ({ p, t }: LayerNode) => (t === "q" ? `${p}/.wh..wh..opq` : p);
    const [left, right] = [nodes, other].map((list) => new Map(list.map((node) => [key(node), node])));
    const twice = [nodes, other].map((list) => list.length - new Set(list.map(key)).size);
    const paths = [...new Set([...nodes, ...other].map(key))].sort();
    return [
      ...(twice[0] === twice[1] ? [] : [`layer ${index}: ${twice[1]} paths stand there twice, should be ${twice[0]}`]),
      ...paths.flatMap((path) => compareNodes(`layer ${index}: ${path}`, left?.get(path), right?.get(path))),
    ];
  });
}

function compareNodes(name: string, wanted: LayerNode | undefined, got: LayerNode | undefined): string[] {
  if (isDeepStrictEqual(wanted, got) || deliberate.nodes.some((excused) => excused(wanted, got))) return [];
  return [`${name} should be ${showNode(wanted)}`, `${" ".repeat(name.length)}        is ${showNode(got)}`];
}

function showNode(node: LayerNode | undefined): string {
  if (node === undefined) return "missing";
  const { p, ...rest } = node;
  return Object.entries(rest)
    .map(([key, value]) => `${key}=${typeof value === "string" ? value.replaceAll("\n", "\\n") : JSON.stringify(value)}`)
    .join(" ");
}
