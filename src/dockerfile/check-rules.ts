// The build checks by name: BuildKit's, in its words, and Slipway's own for what BuildKit lets pass.

/** https://docs.docker.com/reference/build-checks/ */
export interface Rule {
  readonly name: string;
  /** What is to be done or left, in one sentence. */
  readonly description: string;
  /** BuildKit's page about it, where there is one. */
  readonly url?: string;
  /** Off unless `experimental=` names it. */
  readonly experimental?: true;
  /** Not among BuildKit's: it warns, and `error=true` passes it over. */
  readonly own?: true;
}

const buildkit = {
  StageNameCasing: "Stage names should be lowercase",
  FromAsCasing: "The 'as' keyword should match the case of the 'from' keyword",
  NoEmptyContinuation: "Empty continuation lines will become errors in a future release",
  ConsistentInstructionCasing: "All commands within the Dockerfile should use the same casing (either upper or lower)",
  DuplicateStageName: "Stage names should be unique",
  ReservedStageName: "Reserved words should not be used as stage names",
  JSONArgsRecommended: "JSON arguments recommended for ENTRYPOINT/CMD to prevent unintended behavior related to OS signals",
  MaintainerDeprecated: "The MAINTAINER instruction is deprecated, use a label instead to define an image author",
  UndefinedArgInFrom: "FROM command must use declared ARGs",
  WorkdirRelativePath:
    "Relative workdir without an absolute workdir declared within the build can have unexpected results if the base image changes",
  UndefinedVar: "Variables should be defined before their use",
  MultipleInstructionsDisallowed: "Multiple instructions of the same type should not be used in the same stage",
  LegacyKeyValueFormat: "Legacy key/value format with whitespace separator should not be used",
  InvalidBaseImagePlatform: "Base image platform does not match expected target platform",
  RedundantTargetPlatform: "Setting platform to predefined $TARGETPLATFORM in FROM is redundant as this is the default behavior",
  SecretsUsedInArgOrEnv: "Sensitive data should not be used in the ARG or ENV commands",
  InvalidDefaultArgInFrom: "Default value for global ARG results in an empty or invalid base image name",
  FromPlatformFlagConstDisallowed: "FROM --platform flag should not use a constant value",
  CopyIgnoredFile: "Attempting to Copy file that is excluded by .dockerignore",
  ExposeProtoCasing: "Protocol in EXPOSE instruction should be lowercase",
  ExposeInvalidFormat:
    "IP address and host-port mapping should not be used in EXPOSE instruction. This will become an error in a future release",
  InvalidDefinitionDescription:
    "Comment for build stage or argument should follow the format: `# <arg/stage name> <description>`. If this is not intended to be a description comment, add an empty line or comment between the instruction and the comment.",
} as const;

const own = {
  SeveralSourcesNeedSlash: "The destination of several sources should end in a slash: without one, they are written over each other",
  LinkWithChmod: "--link has no effect beside --chmod: the files need the base below them",
  RootedExclude: "Patterns of --exclude are relative to each copied directory: one that begins with a slash matches nothing",
  KeepGitDirWithoutGit: "--keep-git-dir has no effect where no source is a git repository",
  UnknownRule: "Names in # check= should be those of rules",
  IgnoredFlag: "Flags of ARG, STOPSIGNAL and HEALTHCHECK NONE have no effect",
} as const;

/** Own rules that look at files, while these are copied. */
const late = {
  UnknownOwner: "Names in --chown, and in USER before WORKDIR, should be in the image's accounts: one that is not stands for 0",
  NamedFileNotExcluded: "--exclude hides what is in a copied directory, not a file that a source names or matches",
  WildcardSelectsNothing: "A source with wildcards should match something: where nothing matches, nothing is copied",
} as const;

export type LateRuleName = keyof typeof late;
export type RuleName = keyof typeof buildkit | keyof typeof own | LateRuleName;

const withoutPage: readonly string[] = ["InvalidBaseImagePlatform"] satisfies RuleName[];
const experimental: readonly string[] = ["InvalidDefinitionDescription"] satisfies RuleName[];

/** Every rule, BuildKit's first. */
export const rules: readonly Rule[] = [
  ...Object.entries(buildkit).map(([name, description]) => ({
    name,
    description,
    ...(withoutPage.includes(name) ? {} : { url: `https://docs.docker.com/go/dockerfile/rule/${kebab(name)}/` }),
    ...(experimental.includes(name) ? { experimental: true as const } : {}),
  })),
  ...Object.entries({ ...own, ...late }).map(([name, description]) => ({ name, description, own: true as const })),
];

export const ruleNamed = Object.fromEntries(rules.map((rule) => [rule.name, rule])) as Readonly<Record<RuleName, Rule>>;

export const lateRules: readonly Rule[] = rules.filter(({ name }) => name in late);

/** `JSONArgsRecommended` is `json-args-recommended`. */
function kebab(name: string): string {
  return name.replace(/(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])/g, "-").toLowerCase();
}
