// Platforms: operating system, architecture and variant, and which image serves which platform.

/** As in an image index: https://github.com/opencontainers/image-spec/blob/main/image-index.md */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
  readonly "os.version"?: string;
  readonly "os.features"?: readonly string[];
}

const architectures: Readonly<Record<string, readonly [string, string?]>> = {
  x86_64: ["amd64"],
  "x86-64": ["amd64"],
  x64: ["amd64"],
  i386: ["386"],
  i686: ["386"],
  ia32: ["386"],
  aarch64: ["arm64"],
  armhf: ["arm", "v7"],
  armel: ["arm", "v6"],
};

/** Gives a platform its usual spelling, as containerd does: `x86_64` is `amd64`, `arm64/v8` is `arm64`, `arm` is `arm/v7`. */
export function normalizePlatform(platform: Platform): Platform {
  const os = platform.os.toLowerCase() === "macos" ? "darwin" : platform.os.toLowerCase();
  const given = platform.architecture.toLowerCase();
  const [architecture, implied] = architectures[given] ?? [given];
  let variant: string | undefined = platform.variant?.toLowerCase() || implied;
  if (architecture === "arm64" && (variant === "8" || variant === "v8")) variant = undefined;
  if (architecture === "amd64" && variant === "v1") variant = undefined;
  if (architecture === "arm") variant = variant === undefined ? "v7" : /^\d/.test(variant) ? `v${variant}` : variant;
  const { variant: _, ...rest } = platform;
  return { ...rest, os, architecture, ...(variant ? { variant } : {}) };
}

/** Reads `os/arch[/variant]` or `arch`; throws a SyntaxError that quotes the text. */
export function parsePlatform(text: string): Platform {
  const parts = text.trim().split("/");
  const wrong = parts.length > 3 || parts.some((part) => !/^[A-Za-z0-9_.()-]+$/.test(part));
  if (wrong) throw new SyntaxError(`Cannot read platform "${text}": it must be os/architecture[/variant], for example linux/arm64`);
  const [first = "", second, variant] = parts;
  if (second !== undefined) return normalizePlatform({ os: first, architecture: second, ...(variant ? { variant } : {}) });
  return /^(linux|windows|darwin|freebsd|macos)$/i.test(first)
    ? normalizePlatform({ os: first, architecture: process.arch })
    : normalizePlatform({ os: "linux", architecture: first });
}

/** `linux/arm/v7`. */
export function formatPlatform(platform: Platform): string {
  return [platform.os, platform.architecture, platform.variant].filter(Boolean).join("/");
}

/** The platform of the machine that this process runs on. */
export function hostPlatform(): Platform {
  return normalizePlatform({ os: "linux", architecture: process.arch });
}

/**
 * How well an image of platform `offered` serves `wanted`: a lower number is better, undefined means not at all. An older ARM
 * variant serves a newer one (`arm/v6` runs on `arm/v7`), as containerd's matcher has it.
 */
export function platformDistance(wanted: Platform, offered: Platform): number | undefined {
  const want = normalizePlatform(wanted);
  const offer = normalizePlatform(offered);
  if (want.os !== offer.os || want.architecture !== offer.architecture) return undefined;
  if (want.variant === offer.variant) return 0;
  const level = (variant: string | undefined) => Number(/^v(\d+)/.exec(variant ?? "")?.[1] ?? (want.architecture === "amd64" ? 1 : 8));
  const distance = level(want.variant) - level(offer.variant);
  return distance >= 0 ? distance + 1 : undefined;
}
