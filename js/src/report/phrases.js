// Find phrases of whole words, in any case, with their values, as in sentcli/explain/phrases.py.

const WORD = /[\p{L}\p{N}]+|[^\p{L}\p{N}_\s]/gu;

export class Phrases {
  constructor(phrases) {
    this.beginning = new Map(); // by their first word
    for (const [phrase, value] of phrases) {
      const words = wordsOf(phrase).map(([word]) => word);
      if (!this.beginning.has(words[0])) this.beginning.set(words[0], []);
      this.beginning.get(words[0]).push({ value, words });
    }
    for (const entries of this.beginning.values()) entries.sort((one, other) => other.words.length - one.words.length);
  }

  /** Return the value and the start of each phrase of a text; of several at a word, the longest. */
  find(text) {
    const words = wordsOf(text);
    const found = [];
    let end = 0;
    words.forEach(([word, start], place) => {
      const entries = place >= end ? (this.beginning.get(word) ?? []) : [];
      const entry = entries.find((own) => own.words.every((other, step) => words[place + step]?.[0] === other));
      if (!entry) return;
      end = place + entry.words.length;
      found.push({ value: entry.value, start });
    });
    return found;
  }
}

const wordsOf = (text) =>
  Array.from(text.replace(/[`\xb4\u02bc\u2018\u2019]/g, "'").matchAll(WORD), (found) => [found[0].toLowerCase(), found.index]);

/** Return a word and its plural, by each rule. */
export function formsOf(word) {
  return [word, `${word}s`, `${word}es`, ...(word.endsWith("y") ? [`${word.slice(0, -1)}ies`] : [])];
}
