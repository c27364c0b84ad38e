// Which variables an instruction sees: ARG and ENV with BuildKit's scoping.

import { formatPlatform, hostPlatform, type Platform } from "../image/platform.ts";

/** Arguments that need no ARG: they reach RUN, but neither the history nor a key unless an ARG declares them. */
const proxyNames = ["HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY"].flatMap((name) => [name, name.toLowerCase()]);

/** The arguments about platforms; global, so a stage sees one only after its ARG. */
export function platformArguments(target: Platform, stageName: string): Map<string, string> {
  const host = hostPlatform();
  const of = (prefix: string, platform: Platform): [string, string][] => [
    [`${prefix}PLATFORM`, formatPlatform(platform)],
    [`${prefix}OS`, platform.os],
    [`${prefix}OSVERSION`, platform["os.version"] ?? ""],
    [`${prefix}ARCH`, platform.architecture],
    [`${prefix}VARIANT`, platform.variant ?? ""],
  ];
  return new Map([...of("BUILD", host), ...of("TARGET", target), ["TARGETSTAGE", stageName]]);
}

/** The variables of a stage at one point; `declare` and `set` are called as its instructions go by. */
export class Scope {
  readonly #env: Map<string, string>;
  readonly #declared: Map<string, string>;
  readonly #globals: ReadonlyMap<string, string>;
  readonly #buildArgs: ReadonlyMap<string, string>;

  constructor(
    globals: ReadonlyMap<string, string>,
    buildArgs: ReadonlyMap<string, string>,
    inherited: { readonly env: Iterable<readonly [string, string]>; readonly declared: Iterable<readonly [string, string]> },
  ) {
    this.#globals = globals;
    this.#buildArgs = buildArgs;
    this.#env = new Map(inherited.env);
    this.#declared = new Map(inherited.declared);
  }

  get(name: string): string | undefined {
    return this.#env.get(name);
  }

  /** ENV. */
  set(name: string, value: string): void {
    this.#env.set(name, value);
  }

  /** ARG: the build argument wins over the default, which wins over the global of that name. Gives the value, if it has one. */
  declare(name: string, fallback: (() => string) | undefined): string | undefined {
    const value = this.#buildArgs.get(name) ?? fallback?.() ?? this.#globals.get(name);
    if (value !== undefined) this.#env.set(name, value);
    this.#declared.set(name, value ?? "");
    return value;
  }

  /** What declared arguments are worth now, in the order of their first declaration: RUN's history shows them. */
  declared(): ReadonlyMap<string, string> {
    return new Map([...this.#declared].map(([name, value]) => [name, this.#env.get(name) ?? value]));
  }

  /** The environment of a RUN. */
  environment(): readonly string[] {
    return [...this.#env].map(([name, value]) => `${name}=${value}`);
  }

  /** The caller's proxies, which a RUN sees besides. */
  proxies(): readonly string[] {
    return proxyNames.flatMap((name) => {
      const value = this.#buildArgs.get(name);
      return value === undefined || this.#env.has(name) ? [] : [`${name}=${value}`];
    });
  }

  /** What a stage built FROM this one starts with. */
  inherited(): { readonly env: Iterable<readonly [string, string]>; readonly declared: Iterable<readonly [string, string]> } {
    return { env: [...this.#env], declared: [...this.#declared] };
  }
}
