// Ends a build when its process is told to end: once in good order, the second time at once.

import type { Surroundings, Trouble } from "./surroundings.ts";

/** How long cleaning up may take: everything is to be gone within 5 s. */
const patienceMs = 4_000;

const codes = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;

export interface Interruption {
  /** Aborts at the first signal, or the first error that nobody caught. */
  readonly signal: AbortSignal;
  /** 128 and the signal's number; 1 after an uncaught error; undefined while there was neither. */
  readonly exitCode: number | undefined;
  /** The work is over: from now on a signal ends the process at once, with this exit code. */
  end(exitCode: number): void;
}

/** `giveUp` runs just before the process ends with its cleaning up undone. */
export function watchInterruption(surroundings: Pick<Surroundings, "onTrouble" | "exit" | "clock">, giveUp: () => void): Interruption {
  const controller = new AbortController();
  let exitCode: number | undefined;
  let stopTimer = () => {};
  const exitNow = (code: number) => {
    giveUp();
    surroundings.exit(code);
  };
  let endedWith: number | undefined;
  surroundings.onTrouble((trouble) => {
    if (endedWith !== undefined && "signal" in trouble) {
      surroundings.exit(endedWith);
      return;
    }
    if (exitCode !== undefined) {
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
    },
  };
}

function codeOf(trouble: Trouble): number {
  return "signal" in trouble ? codes[trouble.signal] : 1;
}
