// Replaces variables in words, takes quotes and escapes away, and splits text into words, as BuildKit's shell lexer does.

import { LineError } from "./error.ts";
import { maxExpansion, replaceMatches, tooLong, trimPrefix, trimSuffix } from "./pattern.ts";
import { quote } from "./quote.ts";
import { isSpace, splitSpaces } from "./space.ts";

/** The character that escapes the next one and continues lines; `# escape=` chooses it. */
export type Escape = "\\" | "`";

/** What words are expanded with. */
export interface Variables {
  /** undefined: not set, which some modifiers distinguish from empty. */
  get(name: string): string | undefined;
  readonly escape: Escape;
}

/** How the characters of a word are treated beyond the usual. */
interface Treatment {
  /** The words are asked for, not the text alone. */
  readonly split?: boolean;
  /** Quotes stay in the result. */
  readonly keepQuotes?: boolean;
  /** Escape characters stay in the result. */
  readonly keepEscapes?: boolean;
  /** Quotes are ordinary characters. */
  readonly ignoreQuotes?: boolean;
  /** References to unset variables stay as they are. */
  readonly keepUnset?: boolean;
}

/**
 * One word with its variables replaced and its quotes and escapes taken away; white space does not split it. The names of variables
 * that were looked up and not set are added to `missing`. Throws a LineError.
 */
export function expandWord(word: string, variables: Variables, missing?: Set<string>): string {
  return expand(word, variables, {}, missing).text;
}

/** The same, then split at white space that was not quoted, that of values included: the arguments of EXPOSE. */
export function expandWords(word: string, variables: Variables, missing?: Set<string>): string[] {
  return expand(word, variables, { split: true }, missing).words;
}

/** The body of a heredoc: quotes are ordinary characters, and only a backslash escapes, whatever the file's escape character is. */
export function expandBody(body: string, variables: Pick<Variables, "get">, missing?: Set<string>): string {
  return expand(body, { get: (name) => variables.get(name), escape: "\\" }, { ignoreQuotes: true }, missing).text;
}

/** Splits without any variables set; references, and as asked quotes and escapes, stay. */
export function splitWords(text: string, treatment: Pick<Treatment, "keepQuotes" | "keepEscapes">): string[] {
  return expand(text, { get: () => undefined, escape: "\\" }, { ...treatment, keepUnset: true, split: true }).words;
}

function expand(word: string, variables: Variables, treatment: Treatment, missing?: Set<string>): { text: string; words: string[] } {
  const lexer = new Lexer(word, variables, treatment, missing);
  try {
    return lexer.read(undefined, treatment.keepEscapes ?? false);
  } catch (error) {
    if (!(error instanceof LineError)) throw error;
    const shown = word.length > mostShown ? `${quote(word.slice(0, mostShown))}…` : quote(word);
    throw new LineError(`failed to process ${shown}: ${error.message}`, error.hint, error.part);
  }
}

const nameCharacter = /^[\p{L}\p{Nd}_]$/u;
const digit = /^\p{Nd}$/u;
/** https://pubs.opengroup.org/onlinepubs/009695399/utilities/xcu_chap02.html#tag_02_05_02; never set unless as a variable. */
const specialParameters = "@*#?-$!";
/** Of a word in an error text. */
const mostShown = 1000;
/** Substitutions nested deeper than this are a mistake, and would exhaust the stack. */
const maxDepth = 500;

class Lexer {
  readonly #characters: readonly string[];
  readonly #variables: Variables;
  readonly #treatment: Treatment;
  readonly #missing: Set<string> | undefined;
  #next = 0;
  #depth = 0;
  /** Of all values so far. */
  #length = 0;
  #keepEscapes = false;
  /** The word begun so far. BuildKit has one for all nesting levels: `80${X:-81}` loses its `80` when split into words, but not as one word. */
  #begun = "";

  constructor(text: string, variables: Variables, treatment: Treatment, missing?: Set<string>) {
    this.#characters = Array.from(text);
    this.#variables = variables;
    this.#treatment = treatment;
    this.#missing = missing;
  }

  #peek(): string | undefined {
    return this.#characters[this.#next];
  }

  #take(): string | undefined {
    return this.#characters[this.#next++];
  }

  /** Reads up to and with `stop`, or to the end. */
  read(stop: string | undefined, keepEscapes: boolean): { text: string; words: string[] } {
    const outer = this.#keepEscapes;
    this.#keepEscapes = keepEscapes;
    if (++this.#depth > maxDepth) throw new LineError("substitutions are nested too deeply");
    try {
      return this.#readPlain(stop);
    } finally {
      this.#keepEscapes = outer;
      this.#depth--;
    }
  }

  #readPlain(stop: string | undefined): { text: string; words: string[] } {
    let text = "";
    const words: string[] = [];
    let inWord = false;
    this.#begun = "";
    const isSplit = this.#treatment.split === true;
    const addRaw = (part: string) => {
      if (!isSplit) return;
      this.#begun += part;
      inWord = true;
    };
    const endWord = () => {
      if (!inWord || this.#begun === "") return;
      words.push(this.#begun);
      this.#begun = "";
      inWord = false;
    };
    const addSplit = (value: string) => {
      let isFirst = true;
      for (const part of splitSpaces(value)) {
        if (!isFirst) endWord();
        isFirst = false;
        if (part !== "") addRaw(part);
      }
    };
    const finish = () => {
      if (this.#begun !== "") words.push(this.#begun);
      this.#begun = "";
      return { text, words };
    };

    for (let character = this.#peek(); character !== undefined; character = this.#peek()) {
      if (character === stop) {
        this.#take();
        return finish();
      }
      if (character === "$") {
        const value = this.#readDollar();
        text += value;
        if (isSplit) addSplit(value);
        continue;
      }
      const special = this.#readSpecial(character);
      if (special !== undefined) {
        text += special;
        addRaw(special);
        continue;
      }
      this.#take();
      if (character !== this.#variables.escape) {
        if (isSpace(character)) endWord();
        else addRaw(character);
        text += character;
        continue;
      }
      if (this.#keepEscapes) {
        addRaw(character);
        text += character;
      }
      const escaped = this.#take();
      if (escaped === undefined) break;
      addRaw(escaped);
      text += escaped;
    }
    if (stop !== undefined) throw new LineError(`unexpected end of statement while looking for matching ${stop}`);
    return finish();
  }

  /** What begins with a quote or `<`, whose white space does not split words. */
  #readSpecial(character: string): string | undefined {
    if (character === "<") return this.#readLess();
    if (this.#treatment.ignoreQuotes) return undefined;
    if (character === "'") return this.#within(() => this.#readSingleQuoted());
    return character === '"' ? this.#within(() => this.#readDoubleQuoted()) : undefined;
  }

  /** The delimiter of a heredoc may stand apart from its `<<`. */
  #readLess(): string {
    this.#take();
    if (this.#peek() !== "<") return "<";
    this.#take();
    let text = "<<";
    for (let next = this.#peek(); next === " " || next === "\t" || next === "\r"; next = this.#peek()) text += this.#take();
    return text;
  }

  /** An error is one of the characters that are read here, or of fewer. */
  #within(read: () => string): string {
    const start = this.#next;
    try {
      return read();
    } catch (error) {
      if (error instanceof LineError && error.part.inner === undefined) {
        const [before, inner] = [this.#characters.slice(0, start), this.#characters.slice(start, this.#next)].map((part) => part.join(""));
        error.part = { inner: inner ?? "", at: before?.length ?? 0 };
      }
      throw error;
    }
  }

  #takeQuote(): string {
    const mark = this.#take() ?? "";
    return this.#treatment.keepQuotes ? mark : "";
  }

  #readSingleQuoted(): string {
    const mark = this.#takeQuote();
    let text = "";
    for (let character = this.#take(); character !== "'"; character = this.#take()) {
      if (character === undefined) throw new LineError("unexpected end of statement while looking for matching single-quote");
      text += character;
    }
    return `${mark}${text}${mark}`;
  }

  #readDoubleQuoted(): string {
    const mark = this.#takeQuote();
    let text = "";
    for (;;) {
      const character = this.#peek();
      if (character === undefined) throw new LineError("unexpected end of statement while looking for matching double-quote");
      if (character === "$") {
        text += this.#readDollar();
        continue;
      }
      this.#take();
      if (character === '"') return `${mark}${text}${mark}`;
      if (character !== this.#variables.escape) {
        text += character;
        continue;
      }
      if (this.#keepEscapes) text += character;
      const escaped = this.#peek();
      if (escaped === undefined) continue;
      text += escaped === '"' || escaped === "$" || escaped === this.#variables.escape ? this.#take() : character;
    }
  }

  #readDollar(): string {
    const value = this.#within(() => this.#readReference());
    this.#length += value.length;
    if (this.#length > maxExpansion) throw tooLong();
    return value;
  }

  #readReference(): string {
    this.#take();
    if (this.#peek() === "{") {
      this.#take();
      return this.#readBraced();
    }
    const name = this.#readName();
    if (name === "") return "$";
    return this.#lookUp(name) ?? (this.#treatment.keepUnset ? `$${name}` : "");
  }

  #readBraced(): string {
    const first = this.#peek();
    if (first === undefined) throw new LineError("syntax error: missing '}'");
    if (first === "{" || first === "}" || first === ":") throw new LineError("syntax error: bad substitution");
    const name = this.#readName();
    const sign = this.#take();
    switch (sign) {
      case undefined:
        throw new LineError("syntax error: missing '}'");
      case "}":
        return this.#lookUp(name) ?? (this.#treatment.keepUnset ? `\${${name}}` : "");
      case ":":
        return this.#readModified(name, this.#take(), true);
      case "/":
        return this.#readReplaced(name);
      default:
        return this.#readModified(name, sign, false);
    }
  }

  #readModified(name: string, modifier: string | undefined, emptyIsUnset: boolean): string {
    const sign = `${emptyIsUnset ? ":" : ""}${modifier ?? ""}`;
    const isTrim = modifier === "#" || modifier === "%";
    if (modifier === undefined) throw new LineError("syntax error: missing '}'");
    if ((isTrim && emptyIsUnset) || !"-+?#%".includes(modifier)) throw new LineError(`unsupported modifier (${sign}) in substitution`);
    const word = this.#readOperand("}", isTrim, "syntax error: missing '}'");
    const value = this.#lookUp(name);
    if (value === undefined && this.#treatment.keepUnset) return `\${${name}${sign}${word}}`;
    const given = value !== undefined && !(emptyIsUnset && value === "");
    switch (modifier) {
      case "-":
        return given ? value : word;
      case "+":
        return given ? word : "";
      case "?": {
        if (given) return value;
        throw new LineError(`${name}: ${word || `is not allowed to be ${value === undefined ? "unset" : "empty"}`}`);
      }
      default: {
        const longest = word.startsWith(modifier);
        const pattern = longest ? word.slice(1) : word;
        return modifier === "#" ? trimPrefix(pattern, value ?? "", longest) : trimSuffix(pattern, value ?? "", longest);
      }
    }
  }

  #readReplaced(name: string): string {
    const all = this.#peek() === "/";
    if (all) this.#take();
    const pattern = this.#readOperand("/", true, `syntax error: missing '/' in \${}`);
    const text = this.#readOperand("}", true, "syntax error: missing '}'");
    const value = this.#lookUp(name);
    if (value === undefined && this.#treatment.keepUnset) return `\${${name}/${pattern}/${text}}`;
    return replaceMatches(pattern, value ?? "", text, all);
  }

  #readOperand(stop: string, keepEscapes: boolean, unfinished: string): string {
    try {
      return this.read(stop, keepEscapes).text;
    } catch (error) {
      if (error instanceof LineError && this.#peek() === undefined) throw new LineError(unfinished, undefined, error.part);
      throw error;
    }
  }

  /** A name, a number, or one special parameter; empty where none stands. */
  #readName(): string {
    const first = this.#peek();
    if (first !== undefined && specialParameters.includes(first)) {
      this.#take();
      return first;
    }
    const allowed = first !== undefined && digit.test(first) ? digit : nameCharacter;
    let name = "";
    for (let next = first; next !== undefined && allowed.test(next); next = this.#peek()) {
      name += next;
      this.#take();
    }
    return name;
  }

  #lookUp(name: string): string | undefined {
    const value = this.#variables.get(name);
    if (value === undefined) this.#missing?.add(name);
    return value;
  }
}
