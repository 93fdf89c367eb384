// The pieces and sentences of a text in its own spelling, as in sentcli/explain/pieces.py.

import { LETTERS, SPACES, wordsOf } from "./normalize.js";

const MARKS = new Set("'.,!?()*+$%"); // tokens that are no words
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

/** Return whether tokens are only marks. */
export function areMarks(tokens) {
  return tokens.every((token) => MARKS.has(token));
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
