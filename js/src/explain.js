// Why a text has its score: the part of each word, by leaving it out, as `sentcli explain` shows.

import { areMarks, piecesOf, sentencesOf } from "./pieces.js";
import { split, wordsOf } from "./normalize.js";

const UNKNOWN = 1;
// When a word decides; see sentcli/explain/explanation.py.
const PART = 0.1;
const PART_SHARE = 0.2;
const ALONE = 1.5;
const ALONE_SHARE = 0.3;
const [SHARE, FEWEST] = [4, 4]; // of many texts, a quarter of the words is left out, and at least this many
// As in sentcli/explain/bare_words.txt: words that say nothing alone. A negation belongs to the next other word.
const BARE = (
  "not no nor never cannot without hardly barely but else and or so as if then than though although yet while upon because " +
  "the a an it its this that these those there i we you they he she my our your their me us them who which what " +
  "is are was were be been being has had have do does did will would can could should may might must to of in on at for with " +
  "from by into all any very really too even quite particularly especially only just much more also"
).replaceAll(" ", "|");
const NOT = "(?:not|no|nor|never|cannot|without|hardly|barely|[a-z]+n['`\u00b4\u02bc\u2018\u2019]t)";
const IS_BARE = new RegExp(`^(?:${BARE}|${NOT})[^\\p{L}\\p{N}_]*$`, "iu");
const NEGATED = new RegExp(
  `(?<![\\p{L}\\p{N}_])${NOT}\\s+(?:(?:${BARE})\\s+){0,3}(?!(?:${BARE})(?![\\p{L}\\p{N}_]))[\\p{L}\\p{N}]+`,
  "giu",
);

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

  /** Return for each text the largest effect of one of its words alone, in log odds. */
  async effects(texts) {
    const read = texts.map((text) => (text ? wordsOf(text) : []));
    await this.readAlone(new Set(read.flat()));
    return read.map((tokens) => tokens.reduce((most, token) => Math.max(most, this.alone.get(token) ?? 0), 0));
  }

  /**
   * Return the words that the model reads, with their parts in log odds: all of them, or only the quarter with the
   * largest effect alone.
   */
  async words(text, isExact = true) {
    let pieces = piecesOf(text).filter((piece) => piece.tokens.length);
    const most = 2 * this.encoder.mostTokens; // an id is two tokens at most
    if (pieces.length > 2 * most) pieces = [...pieces.slice(0, most), ...pieces.slice(-most)];
    const tokens = pieces.flatMap((piece) => piece.tokens);
    await this.readAlone(new Set(tokens));
    let words = [];
    let first = 0;
    for (const { start, end, tokens: own } of pieces) {
      const last = first + own.length;
      if (!areMarks(own)) {
        const isKnown = own.every((token) => this.encoder.has(token));
        const alone = Math.max(...own.map((token) => this.alone.get(token) ?? 0));
        words.push({ start, end, part: 0, isKnown, alone, first, last });
      }
      first = last;
    }
    if (!isExact) {
      const kept = Math.max(FEWEST, Math.ceil(words.length / SHARE));
      const likely = [...words].sort((one, other) => other.alone - one.alone).slice(0, kept);
      words = likely.sort((one, other) => one.first - other.first);
    }
    const variants = [tokens, ...words.map((word) => [...tokens.slice(0, word.first), ...tokens.slice(word.last)])];
    const ids = variants.map((variant) => this.encoder.truncate(this.encoder.idsOf(variant)));
    const outputs = await this.scorer.run(ids.map((some) => (some.length ? some : [UNKNOWN])));
    const odds = logOdds(outputs.map((output) => output.logits));
    return words.map(({ first: _, last: __, ...word }, place) => ({ ...word, part: odds[0] - odds[place + 1] }));
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

/**
 * Return the words that decided, the largest part first; neighbors of one sign become a phrase. A sentence does not
 * decide which words of another one are shown.
 */
export function phrasesOf(text, words) {
  const leastAlone = Math.min(ALONE, Math.max(0, ...words.map((word) => ALONE_SHARE * word.alone)));
  const negated = Array.from(text.matchAll(NEGATED), (match) => [match.index, match.index + match[0].length]);
  const found = [];
  for (const sentence of sentencesOf(text)) {
    const own = words.filter((word) => sentence.start <= word.start && word.start < sentence.end);
    const least = Math.max(PART, ...own.map((word) => PART_SHARE * Math.abs(word.part)));
    for (const word of own) {
      if (Math.abs(word.part) < least || word.alone < leastAlone) continue;
      const span = negated.find(([start, end]) => start <= word.start && word.start < end) ?? [word.end, word.end];
      if (span[0] !== word.start && IS_BARE.test(text.slice(word.start, word.end))) continue;
      const phrase = { ...word, start: Math.min(span[0], word.start), end: Math.max(span[1], word.end) };
      const last = found.at(-1);
      const between = last && text.slice(last.end, phrase.start);
      const isNeighbor = between && !split(between).length && last.part > 0 === word.part > 0;
      if (last && (phrase.start < last.end || isNeighbor)) {
        found.pop();
        phrase.start = last.start;
        phrase.part = Math.abs(word.part) > Math.abs(last.part) ? word.part : last.part;
      }
      found.push(phrase);
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
