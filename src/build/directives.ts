// What the directives of a Dockerfile ask for that a build does not do here.

import type { Dockerfile } from "../dockerfile/dockerfile.ts";
import type { Plan } from "./plan.ts";

/** Names of the frontend whose language this is, on whatever registry. */
const ownFrontend = /(?:^|\/)docker\/dockerfile(?:-upstream)?(?:[:@]|$)/;

/** `escape` is heeded by the parser, `syntax` needs no image since the language is built in, `check` can turn off what is not there. */
export function directiveWarnings({ directives: { syntax, check } }: Dockerfile): Plan["warnings"] {
  const warnings: { readonly text: string; readonly line: number }[] = [];
  if (syntax !== undefined && !ownFrontend.test(syntax.value))
    warnings.push({ text: `syntax=${syntax.value} is not used: the file is read as a Dockerfile`, line: syntax.line });
  if (check !== undefined && /(?:^|;)\s*error\s*=\s*true\s*(?:;|$)/i.test(check.value))
    warnings.push({ text: "check=error=true has no effect: the build checks are not yet supported", line: check.line });
  return warnings;
}
