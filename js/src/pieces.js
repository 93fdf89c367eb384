// The pieces and sentences of a text in its own spelling, as in sentcli/explain/pieces.py.

import { LETTERS, MARKS, SPACES, wordsOf } from "./normalize.js";

const LT = "&(?:amp;)*lt;";
const GT = "&(?:amp;)*gt;";
// What has no blank, or is a comment or a tag.
const CHUNK = new RegExp(
  `<!--(?:(?!<!--).)*?-->|(?:<|${LT})/?[A-Za-z](?:(?!${LT})[^<>])*?(?:>|${GT})|<3|[^${SPACES}<]+|<`,
  "gsu",
);
// Words with their apostrophes and hyphens, numbers such as 4.5 and 10/10, and the marks between them.
const WORD = new RegExp(
  `[${LETTERS}]+(?:(?:['\`\\xb4\\u02bc\\u2018\\u2019\\-]|(?<=\\p{Nd})[./,:](?=\\p{Nd}))[${LETTERS}]+)*|[^${LETTERS}]+`,
  "gu",
);

const INNER = `${LETTERS}_`; // Python's \w
const START = `(?<![${INNER}])`; // \b before a letter
const MARK = `[^${INNER}${SPACES}<]`;
// Sentences end with a mark, but not with the period of "e.g." and "Mr.", a line break, or a tag. Clauses end
// before a word that begins another judgment. The group is Python's possessive `++`.
const SENTENCE_END = new RegExp(
  `(?<!${MARK})(?:(?!\\.[${SPACES}])|(?<!${START}\\p{L})(?<!${START}[MD][rs])(?<!${START}Mrs))` +
    `(?=${MARK}*[.!?…。])(?!${MARK}*,)(?=(${MARK}+))\\1(?:[${SPACES}]+|(?=<))` +
    `|(?<!&amp)(?<!&quot)(?<!&#39)(?<!&nbsp);[${SPACES}]+|\\n|<(?:br|/?p|/?div|/?li)(?![${INNER}])[^<>]*>` +
    `|[,:\\u2013\\u2014\\-](?=[${SPACES}]?(?:but|although|though|however|yet|while|whereas|except)[${SPACES}][${INNER}])` +
    `|(?<!${START}(?:all|last|nothing|anything|everything))[${SPACES}](?=but[${SPACES}][${INNER}])`,
  "giu",
);

// Where a clause may end. It does if both sides have a word with this effect alone, in log odds. A word with this
// effect keeps the "with" after it: "bad rooms with good beds", but not "happy with the beds".
const CLAUSE = new RegExp(
  `[,;][${SPACES}]+|${START}([${LETTERS}]+)[${SPACES}](?=with[${SPACES}])` +
    `|[${SPACES}](?=(?:and|while|whereas|though|yet)[${SPACES}])`,
  "giu",
);
const SAYS = 1;

/** Return whether tokens are only marks. */
export function areMarks(tokens) {
  return tokens.every((token) => token.length === 1 && MARKS.includes(token));
}

/** Return the pieces of a text in order: `{start, end, tokens}`. Together they have its tokens. */
export function piecesOf(text) {
  const pieces = [...text.matchAll(CHUNK)].flatMap((chunk) => cut(chunk[0], chunk.index));
  const whole = wordsOf(text);
  const isSame = areEqual(pieces.flatMap((piece) => piece.tokens), whole);
  return isSame ? pieces : [{ start: 0, end: text.length, tokens: whole }];
}

/** Return `{start, end}` of each sentence or clause of a text that has a word. */
export function sentencesOf(text) {
  const ends = [...text.matchAll(SENTENCE_END)].map((found) => found.index + found[0].length);
  const borders = [0, ...ends, text.length];
  return ends
    .concat(text.length)
    .map((end, place) => trimmed(text, borders[place], end))
    .filter(({ start, end }) => !areMarks(wordsOf(text.slice(start, end))));
}

/**
 * Return the clauses of texts that each say something: the number of the `text`, the `sentence` and the `clause`, both
 * `{start, end}`.
 *
 * @param {(texts: string[]) => Promise<number[]>} effects how far one of the words of each text moves the log odds alone
 */
export async function clausesOf(texts, effects) {
  const cut = []; // possible clauses, each with the word before
  texts.forEach((text, number) => {
    for (const sentence of sentencesOf(text)) {
      const marks = marksOf(text.slice(0, sentence.end), sentence.start);
      const borders = [sentence.start, ...marks.map((mark) => mark.index + mark[0].length), sentence.end];
      const words = ["", ...marks.map((mark) => mark[1] ?? "")];
      words.forEach((word, place) => {
        cut.push({ text: number, sentence, clause: { start: borders[place], end: borders[place + 1] }, word });
      });
    }
  });
  const says = await effects(cut.map(({ text, clause }) => texts[text].slice(clause.start, clause.end)));
  const wordsSay = await effects(cut.map(({ word }) => word));
  const clauses = [];
  let lastSaid = 0;
  cut.forEach(({ text, sentence, clause }, place) => {
    let said = says[place];
    const last = clauses.at(-1);
    if (last?.sentence === sentence && (Math.min(said, lastSaid) < SAYS || wordsSay[place] >= SAYS)) {
      last.clause = { start: last.clause.start, end: clause.end };
      said = Math.max(said, lastSaid);
    } else clauses.push({ text, sentence, clause });
    lastSaid = said;
  });
  return clauses;
}

function marksOf(text, start) {
  const marks = [];
  CLAUSE.lastIndex = start;
  for (let mark; (mark = CLAUSE.exec(text)); ) marks.push(mark);
  return marks;
}

function trimmed(text, start, end) {
  const part = text.slice(start, end);
  const [before] = part.match(new RegExp(`^[${SPACES}]*`, "u"));
  const [after] = part.match(new RegExp(`[${SPACES}]*$`, "u"));
  return { start: start + before.length, end: end - after.length };
}

// The words and marks of a chunk, or the whole chunk if it has other tokens than they.
function cut(chunk, first) {
  const words = [...chunk.matchAll(WORD)].map((found) => ({
    start: first + found.index,
    end: first + found.index + found[0].length,
    tokens: wordsOf(found[0]),
  }));
  const whole = wordsOf(chunk);
  const isSame = areEqual(words.flatMap((word) => word.tokens), whole);
  return isSame ? words : [{ start: first, end: first + chunk.length, tokens: whole }];
}

function areEqual(some, others) {
  return some.length === others.length && some.every((value, place) => value === others[place]);
}
