// Why a text has its score: the part of each word, by leaving it out, as `sentcli explain` shows.

import { areMarks, piecesOf, sentencesOf } from "./pieces.js";
import { split } from "./normalize.js";

const UNKNOWN = 1;
// When a word decides; see sentcli/explain/explanation.py.
const PART = 0.1;
const PART_SHARE = 0.2;
const ALONE = 1.5;
const ALONE_SHARE = 0.3;

export class Explainer {
  /** @param {import("./scorer.js").Scorer} scorer */
  constructor(scorer) {
    this.scorer = scorer;
    this.encoder = scorer.encoder;
    this.alone = new Map(); // of the known tokens that were read so far
  }

  /**
   * Return `{label, score, words, phrases, sentences}`, or null for an empty text. Words and phrases are
   * `{start, end, part, isKnown}`, sentences `{start, end, label, score}`.
   */
  async explain(text, options) {
    const [result] = await this.scorer.score([text], options);
    if (!result) return null;
    const words = await this.words(text);
    const spans = sentencesOf(text);
    const alone = await this.scorer.score(spans.map(({ start, end }) => text.slice(start, end)), options);
    const sentences = spans.map((span, place) => ({ ...span, ...(alone[place] ?? { label: null, score: null }) }));
    return { ...result, words, phrases: phrasesOf(text, words), sentences };
  }

  /** Return the words that the model reads, with their parts in log odds. */
  async words(text) {
    let pieces = piecesOf(text).filter((piece) => piece.tokens.length);
    const most = 2 * this.encoder.mostTokens; // an id is two tokens at most
    if (pieces.length > 2 * most) pieces = [...pieces.slice(0, most), ...pieces.slice(-most)];
    const tokens = pieces.flatMap((piece) => piece.tokens);
    await this.readAlone(new Set(tokens));
    const words = [];
    const variants = [tokens];
    let first = 0;
    for (const { start, end, tokens: own } of pieces) {
      const last = first + own.length;
      if (!areMarks(own)) {
        const isKnown = own.every((token) => this.encoder.has(token));
        const alone = Math.max(...own.map((token) => this.alone.get(token) ?? 0));
        words.push({ start, end, part: 0, isKnown, alone });
        variants.push([...tokens.slice(0, first), ...tokens.slice(last)]);
      }
      first = last;
    }
    const ids = variants.map((variant) => this.encoder.truncate(this.encoder.idsOf(variant)));
    const outputs = await this.scorer.run(ids.map((some) => (some.length ? some : [UNKNOWN])));
    const odds = logOdds(outputs.map((output) => output.logits));
    words.forEach((word, place) => (word.part = odds[0] - odds[place + 1]));
    return words;
  }

  // How far the log odds of a token as a text of its own are from those of an unknown word.
  async readAlone(tokens) {
    const added = [...tokens].filter((token) => this.encoder.has(token) && !this.alone.has(token));
    if (!added.length) return;
    const [unknown, ...outputs] = await this.scorer.run([[UNKNOWN], ...added.map((token) => this.encoder.idsOf([token]))]);
    added.forEach((token, place) => {
      const moves = Array.from(outputs[place].logits, (logit, label) => logit - unknown.logits[label]);
      this.alone.set(token, Math.max(...moves) - Math.min(...moves));
    });
  }
}

/** Return the words that decided, the largest part first; neighbors of one sign become a phrase. */
export function phrasesOf(text, words) {
  const least = Math.max(PART, ...words.map((word) => PART_SHARE * Math.abs(word.part)));
  const leastAlone = Math.min(ALONE, Math.max(0, ...words.map((word) => ALONE_SHARE * word.alone)));
  const found = [];
  for (const word of words) {
    if (Math.abs(word.part) < least || word.alone < leastAlone) continue;
    const last = found.at(-1);
    const between = last && text.slice(last.end, word.start);
    if (between && !split(between).length && last.part > 0 === word.part > 0) {
      const part = Math.abs(word.part) > Math.abs(last.part) ? word.part : last.part;
      found[found.length - 1] = { start: last.start, end: word.end, part, isKnown: true };
    } else {
      found.push(word);
    }
  }
  return found.sort((one, other) => Math.abs(other.part) - Math.abs(one.part));
}

// The log odds of the second of two labels, or of the label that the first row predicts.
function logOdds(rows) {
  const label = rows[0].length === 2 ? 1 : rows[0].indexOf(Math.max(...rows[0]));
  return rows.map((logits) => {
    const others = Array.from(logits).filter((_, place) => place !== label);
    const top = Math.max(...others);
    return logits[label] - top - Math.log(others.reduce((sum, logit) => sum + Math.exp(logit - top), 0));
  });
}
