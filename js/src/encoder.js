// From a text to the ids that a model reads, by its `vocab.txt` and `config.json`.

import { NULL_VALUES } from "./null_values.js";
import { NORMALIZER, SPACES, wordsOf } from "./normalize.js";

const UNKNOWN = 1;
const FOREIGN = 0.3; // of the words: with a larger share unknown, a text is perhaps in another language
const MEANING = /[\p{L}\p{So}\p{Lowercase}]/u;
// As Python's casefold on what can become ASCII.
const folded = (value) => value.toUpperCase().toLowerCase();
const forms = (value) => [
  value, `${value}.`, `${value}!`, `(${value})`, `[${value}]`, `<${value}>`, `"${value}"`, `'${value}'`, `-${value}-`,
];
const nulls = new Set(NULL_VALUES.flatMap((value) => forms(folded(value))));
const longest = Math.max(...[...nulls].map((value) => value.length));
const AROUND = new RegExp(`^[${SPACES}]+|[${SPACES}]+$`, "gu");

/** Return whether a text is a null value, such as `N/A`: it counts as blank. */
export function isNull(text) {
  const bare = text.replace(AROUND, "");
  return bare.length <= longest && nulls.has(folded(bare));
}

export class Encoder {
  /**
   * @param {string} vocabulary the content of vocab.txt
   * @param {object} config the content of config.json
   */
  constructor(vocabulary, config) {
    const { normalizer, tokenizer, max_tokens: mostTokens } = config.text;
    if (normalizer !== NORMALIZER || tokenizer !== "basic_english") {
      throw new Error(`the model needs the normalizer ${normalizer} and the tokenizer ${tokenizer}`);
    }
    const words = vocabulary.replace(/\n$/, "").split("\n");
    if (words.length !== config.model.vocab_size) {
      throw new Error(`vocab.txt has ${words.length} lines instead of ${config.model.vocab_size}`);
    }
    this.mostTokens = mostTokens;
    this.words = words;
    this.ids = new Map(words.map((word, id) => [word, id]).slice(UNKNOWN + 1));
    this.means = words.map((word, id) => id > UNKNOWN && MEANING.test(word));
  }

  has(word) {
    return this.ids.has(word);
  }

  /** Return the ids of a text; none if it is empty: blank, a null value, or without a known word. */
  encode(text) {
    const ids = isNull(text) ? [] : this.idsOf(wordsOf(text));
    return ids.some((id) => this.means[id]) ? this.truncate(ids) : [];
  }

  /** Return whether a text is perhaps in another language, and whether the model reads only a part of it. */
  doubtsOf(text) {
    const ids = isNull(text) ? [] : this.idsOf(wordsOf(text));
    const unknown = ids.filter((id) => id === UNKNOWN).length;
    const words = ids.flatMap((id) => (id > UNKNOWN ? this.words[id].split(" ") : []));
    const known = words.filter((word) => MEANING.test(word)).length;
    return { isForeign: unknown > FOREIGN * (unknown + known), isTruncated: known > 0 && ids.length > this.mostTokens };
  }

  /** Return the ids of words; bigrams are matched from the left. */
  idsOf(words) {
    const ids = [];
    let before = ""; // the word that a bigram may begin with
    for (const word of words) {
      const bigram = before && this.ids.get(`${before} ${word}`);
      if (bigram) {
        ids[ids.length - 1] = bigram;
        before = "";
      } else {
        ids.push(this.ids.get(word) ?? UNKNOWN);
        before = word;
      }
    }
    return ids;
  }

  /** Keep a quarter of the allowed tokens from the beginning of a longer text, the others from its end. */
  truncate(ids) {
    const most = this.mostTokens;
    const head = Math.floor(most / 4);
    return ids.length <= most ? ids : [...ids.slice(0, head), ...ids.slice(head - most)];
  }
}
