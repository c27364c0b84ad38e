// All that is fuzzed.

import { dockerfileTargets } from "./dockerfile-targets.ts";
import { pathTargets } from "./path-targets.ts";
import type { Target } from "./target.ts";
import { wordTargets } from "./word-targets.ts";

export const targets: readonly Target[] = [...dockerfileTargets, ...wordTargets, ...pathTargets];
