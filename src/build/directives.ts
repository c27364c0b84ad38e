// What the directives of a Dockerfile ask for that a build does not do here.

import type { Dockerfile } from "../dockerfile/dockerfile.ts";
import type { Plan } from "./plan.ts";

/** Names of the frontend whose language this is, on whatever registry. */
const ownFrontend = /(?:^|\/)docker\/dockerfile(?:-upstream)?(?:[:@]|$)/;

/** `escape` is heeded by the parser, `syntax` needs no image since the language is built in, `check` is the checks' own. */
export function directiveWarnings({ directives: { syntax } }: Dockerfile): Plan["warnings"] {
  const warnings: { readonly text: string; readonly line: number }[] = [];
  if (syntax !== undefined && !ownFrontend.test(syntax.value))
    warnings.push({ text: `syntax=${syntax.value} is not used: the file is read as a Dockerfile`, line: syntax.line });
  return warnings;
}
