// The normalizer `sentcli-1`, as in sentcli/text/normalize.py with its rules, and the words of `basic_english`.

import { decodeHTML } from "entities";
import RULES from "../../sentcli/text/normalize.json" with { type: "json" };

export const NORMALIZER = "sentcli-1";

// Python's \s and str.split(): JavaScript's \s lacks \x1c-\x1f and \x85, and has \ufeff. Python's \w.
export const SPACES = "\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
export const LETTERS = "\\p{L}\\p{N}"; // str.isalnum()
const WORD = `${LETTERS}_`;

// A pattern of Python, which writes its classes in brackets.
function pattern(source, flags) {
  const spelled = source.replaceAll("\\s", SPACES).replaceAll("\\w", WORD).replaceAll("(?P<", "(?<");
  return new RegExp(spelled, flags);
}

const ENTITY = pattern(RULES.entity, "g");
const TAG = pattern(RULES.tag, "gu");
const TAG_OR_COMMENT = pattern(`${RULES.tag}|${RULES.comment}`, "gsu");
// With `u`, because Python's IGNORECASE matches U+017F for s.
const LINK = pattern(RULES.link, "giu");
const MENTION = pattern(RULES.mention, "gu");
const EMOTICON = pattern(RULES.emoticon, "gu");

const OTHER = /[^\x00-\x7f]/;
const SHAPED = pattern(`[${RULES.shaped}]+`, "gu");
const SINGLE = pattern(`[${RULES.single}]`, "gu");
const REPEATED = pattern(RULES.repeated, "g");
const REPEATED_OTHER = /((?![\x00-\x7f])[\p{L}\p{Nl}\p{No}])\1\1+/gu;
const TOO_MANY = pattern(`${RULES.may_be_mark}{${RULES.most_marks + 1},}`, "gu");
const MANY_MARKS = pattern(`(\\p{M}{${RULES.most_marks}})\\p{M}+`, "gu");
const TYPOGRAPHY = Object.entries(RULES.typography).map(([mark, characters]) => [pattern(`[${characters}]`, "gu"), mark]);
const SEPARATORS = new RegExp(`[${RULES.separators.replace(/[\]\\^-]/g, "\\$&")}]`, "g");
/** The tokens that are no words. */
export const MARKS = `'.,()!?${RULES.tokens}`;
const TOKENS = new RegExp(`[${MARKS}]`, "g");
const SPACE_RUN = new RegExp(`[${SPACES}]+`, "u");

/** Return the words that a model reads: `words_of` of sentcli. */
export function wordsOf(text) {
  const marked = normalized(text).replace(TOKENS, " $& ");
  return split(marked);
}

/** Split at white space, as Python does. */
export function split(text) {
  return text.split(SPACE_RUN).filter(Boolean);
}

// Without the blanks around *+$% and between words, which `wordsOf` treats.
function normalized(text) {
  text = plain(text).toLowerCase().replace(SEPARATORS, " ").replaceAll("`", "'");
  return text.replace(REPEATED, "$1$1");
}

function plain(text) {
  if (text.includes("&")) text = text.replace(ENTITY, (_, name) => unescape(name));
  if (text.includes("<")) {
    const bare = text.replaceAll("<br />", " ");
    text = bare.includes("<") ? withoutTags(text).replaceAll("<3", RULES.heart) : bare;
  }
  if (text.includes("://")) text = text.replace(LINK, " ");
  if (text.includes("@")) text = text.replace(MENTION, " ");
  if (/[:;=]/.test(text)) text = text.replace(EMOTICON, emojiOf);
  return OTHER.test(text) ? changed(text).replace(REPEATED_OTHER, "$1$1") : text;
}

// After the last end of a comment, each beginning of one would be searched to the end of the text.
function withoutTags(text) {
  const end = text.lastIndexOf("-->") < 0 ? 0 : text.lastIndexOf("-->") + 3;
  return text.slice(0, end).replace(TAG_OR_COMMENT, " ") + text.slice(end).replace(TAG, " ");
}

function emojiOf(...found) {
  const groups = found.at(-1);
  return ` ${RULES.emoji[Object.keys(RULES.emoji).find((name) => groups[name] !== undefined)]} `;
}

function changed(text) {
  text = composed(text.replace(SHAPED, (shaped) => shaped.normalize("NFKC")));
  for (const [characters, mark] of TYPOGRAPHY) text = text.replace(characters, mark);
  return composed(text.toLowerCase()).replace(SINGLE, " $& ");
}

function composed(text) {
  return fewerMarks(fewerMarks(text).normalize("NFC"));
}

function fewerMarks(text) {
  return text.replace(TOO_MANY, (run) => run.replace(MANY_MARKS, "$1"));
}

// Python's html.unescape of `&name;`: the numbers 0x80 to 0x9f are those of cp1252, invalid ones vanish.
const CP1252 = "€\x81‚ƒ„…†‡ˆ‰Š‹Œ\x8dŽ\x8f\x90‘’“”•–—˜™š›œ\x9džŸ";

function unescape(name) {
  if (name[0] !== "#") return decodeHTML(`&${name};`);
  const code = /^#x/i.test(name) ? parseInt(name.slice(2), 16) : parseInt(name.slice(1), 10);
  if (code === 0 || (code >= 0xd800 && code <= 0xdfff) || code > 0x10ffff) return "\ufffd";
  if (code >= 0x80 && code <= 0x9f) return CP1252[code - 0x80];
  return isInvalid(code) ? "" : String.fromCodePoint(code);
}

function isInvalid(code) {
  const isControl = code < 0x20 && ![0x9, 0xa, 0xc, 0xd].includes(code);
  return isControl || code === 0x7f || (code >= 0xfdd0 && code <= 0xfdef) || (code & 0xfffe) === 0xfffe;
}
