// The program's version; scripts/manifests.ts writes it from package.json.

export const version = "0.1.0";
