// What a stage is built FROM, and what its steps take files from.

import type { Tree } from "../filesystem/filesystem.ts";
import type { Layer } from "../image/image.ts";
import type { BuiltStage, Siblings, StageTools } from "./built-stage.ts";
import type { Origin, StagePlan } from "./plan.ts";
import type { Hit } from "./resume.ts";
import { filesOf } from "./sources.ts";
import { StageFiles } from "./stage-files.ts";
import type { MountOrigin } from "./step-mounts.ts";

interface OriginTools extends StageTools {
  /** Puts layers on the stage's root, and says what they come to. */
  unpack(layers: readonly Layer[]): Promise<Tree>;
}

export class StageOrigins {
  readonly #stage: StagePlan;
  readonly #siblings: Siblings;
  readonly #tools: OriginTools;

  constructor(stage: StagePlan, siblings: Siblings, tools: OriginTools) {
    this.#stage = stage;
    this.#siblings = siblings;
    this.#tools = tools;
  }

  /** What the stage starts with. With a hit, of the stages that it is built FROM only the image at their bottom is opened. */
  async base(hit: Hit | undefined): Promise<BuiltStage> {
    let origin = this.#stage.base;
    if (hit !== undefined) while (origin.kind === "stage") origin = this.#siblings.plan.stages[origin.stage]?.base ?? { kind: "scratch" };
    const opened = await this.open(origin);
    return "root" in opened ? opened : { ...opened, root: opened.files, made: [], fidelity: "full", keys: undefined };
  }

  async open(origin: Origin): Promise<BuiltStage | Pick<BuiltStage, "files" | "family">> {
    switch (origin.kind) {
      case "scratch":
        return { files: this.filesOf([], () => this.#tools.layers.tree([])), family: "oci" };
      case "stage": {
        const stage = this.#siblings.stages[origin.stage];
        if (stage === undefined) throw new Error(`Cannot use stage ${origin.stage}: it is not built before this one`);
        return stage;
      }
      case "image": {
        const image = await this.#tools.image(origin);
        const isUnpacked = origin === this.#stage.base && this.#siblings.unpacked.has(origin.digest);
        const read = () => (isUnpacked ? this.#tools.unpack(image.layers) : this.#tools.layers.tree(image.layers));
        return { files: this.filesOf(image.layers, read), family: image.family };
      }
      case "context":
        throw new Error("Cannot use the build context as an image");
    }
  }

  filesOf(layers: readonly Layer[], read: () => Promise<Tree>): StageFiles {
    return new StageFiles(
      layers.map((layer) => ({ layer })),
      this.#tools.layers,
      read,
    );
  }

  async source(origin: Origin): Promise<MountOrigin> {
    if (origin.kind === "context") {
      const files = filesOf(this.#tools.contexts, origin);
      return {
        key: `context ${origin.name ?? ""}`,
        view: files,
        keepsOwners: files.keepsOwners,
        locate: async () => files.content,
        xattrs: files.xattrs,
      };
    }
    const { files } = await this.open(origin);
    return {
      key: files.layers.map(({ diffId }) => diffId).join(" "),
      view: await files.tree(),
      keepsOwners: true,
      locate: async (paths) => {
        const contents = await files.contents(paths, this.#tools.files);
        return (path) => contents.get(path);
      },
    };
  }
}
