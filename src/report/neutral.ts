// Makes a line of foreign text harmless to terminals and to the log viewers of CI systems.

// In this order: CSI sequences, OSC and other string sequences, other escapes, control and bidirectional-override characters.
const unsafe =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these characters are what it looks for
  /\x1b\[([0-?]*)[ -/]*([@-~])|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[ -/]*[0-~]|[\x00-\x08\x0a-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g;

/**
 * The text without cursor movement, with lone control characters written as `\x07`, and without anything that GitHub (`##[…]`
 * anywhere, `::…::` at the start of a line), GitLab (`section_start:` among control characters) or Buildkite (`--- ` at the start of
 * a line) would obey. `place` says whether the text begins a line or follows something harmless. Colours stay where `colors` is set
 * and end with the text. https://docs.github.com/actions/reference/workflow-commands
 */
export function neutralizeLine(line: string, colors: boolean, place: "start" | "inside" = "start"): string {
  let colored = false;
  const plain = line.replace(unsafe, (sequence, parameters: string | undefined, final: string | undefined) => {
    if (final === "m" && colors && /^[0-9;:]*$/.test(parameters ?? "")) {
      colored = true;
      return sequence;
    }
    return sequence.length > 1 ? "" : escapeCharacter(sequence);
  });
  const anywhere = plain.replace(/##(?=[\w.-]*\[)/g, "## ");
  const sectionless = plain === line ? anywhere : anywhere.replace(/section_(start|end):/g, "section_$1 :");
  const broken = place === "inside" ? sectionless : breakStart(sectionless);
  return colored ? `${broken}\x1b[0m` : broken;
}

function breakStart(text: string): string {
  return text.replace(/^(\s*):(?=:)/, "$1: ").replace(/^(?=(?:---|\+\+\+|~~~|\^\^\^)(?:\s|$))/, " ");
}

function escapeCharacter(character: string): string {
  const code = character.charCodeAt(0);
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16)}`;
}
