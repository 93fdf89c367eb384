// The normalizer `sentcli-1`, as in `normalize.py` of a model folder, and the words of `basic_english`.

import { decodeHTML } from "entities";

export const NORMALIZER = "sentcli-1";

// Python's \s and str.split(): JavaScript's \s lacks \x1c-\x1f and \x85, and has \ufeff. Python's \w.
export const SPACES = "\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
export const LETTERS = "\\p{L}\\p{N}"; // str.isalnum()
const WORD = `${LETTERS}_`;

const ENTITY = /&(?:amp;)*(#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});/g;
const tag = `</?[A-Za-z][A-Za-z0-9]*(?:[${SPACES}]+[${WORD}:\\-]+[${SPACES}]*=[^<>]*|[${SPACES}]*/?)>`;
const TAG = new RegExp(tag, "gu");
const TAG_OR_COMMENT = new RegExp(`${tag}|<!--.*?-->`, "gsu");
// With `u`, because Python's IGNORECASE matches U+017F for s.
const LINK = new RegExp(`https?://[^${SPACES}<>]+`, "giu");
const MENTION = new RegExp(`(?<![${WORD}])@[${WORD}]+`, "gu");
const EMOTICON = new RegExp(
  `[:;=](?<![${WORD}]=)['’]?-?(?:(?<smile>\\)+)|(?<frown>\\(+(?![${WORD}]))` +
    `|(?<![${WORD}][:;])(?:(?<laugh>[DpP](?![${WORD}]))|(?<doubt>[/\\\\](?![/\\\\${WORD}]))))`,
  "gu",
);
const EMOJI = { smile: "🙂", frown: "🙁", laugh: "😃", doubt: "😕" };

const OTHER = /[^\x00-\x7f]/;
const SHAPED = /[\ufb00-\ufb06\uff01-\uffee\u2460-\u24ff\u{1d400}-\u{1d7ff}]+/gu;
const SINGLE =
  /[\u2190-\u2bff\u{1f000}-\u{1faff}\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u2fdf\u3005-\u3007\u3040-\u30ff\u3105-\u312f\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u{20000}-\u{3ffff}]/gu;
const REPEATED = /([a-z])\1\1+/g;
const REPEATED_OTHER = /((?![\x00-\x7f])[\p{L}\p{Nl}\p{No}])\1\1+/gu;
const MOST_MARKS = 30;
const TOO_MANY = new RegExp(`[^${WORD}${SPACES}\\x00-\\x7f]{${MOST_MARKS + 1},}`, "gu");
const MARKS = new RegExp(`(\\p{M}{${MOST_MARKS}})\\p{M}+`, "gu");

const APOSTROPHES = /[\x91\x92\u2018\u2019\u201a\u201b\u2032\u2035\u02b9\u02bb\u02bc\xb4`]/g;
const QUOTES = /[\x93\x94\u201c\u201d\u201e\u201f\u2033\u2036\u2039\u203a\xab\xbb\u300c-\u3011\u300a\u300b]/g;
const DASHES = /[\x96\x97\u2010-\u2015\u2212\u2e3a\u2e3b]/g;
const BLANKS =
  /[\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\xa1\xa6\xa7\xa9\xac\xae\xb6\xb7\xbf\u2022\u2044\u2122\u3000]/g;
const INVISIBLE =
  /[\xad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\u2640\u2642\u{1f3fb}-\u{1f3ff}\u{e0020}-\u{e007f}]/gu;
const SEPARATORS = /["&\-/:;<=>@[\\\]^_{|}~#]/g;
const SPACE_RUN = new RegExp(`[${SPACES}]+`, "u");

/** Return the words that a model reads: `words_of` of sentcli. */
export function wordsOf(text) {
  const marked = normalized(text).replace(/['.,()!?*+$%]/g, " $& ");
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
    text = bare.includes("<") ? withoutTags(text).replaceAll("<3", "❤") : bare;
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
  return ` ${EMOJI[Object.keys(EMOJI).find((name) => groups[name] !== undefined)]} `;
}

function changed(text) {
  text = composed(text.replace(SHAPED, (shaped) => shaped.normalize("NFKC")))
    .replace(APOSTROPHES, "'")
    .replace(QUOTES, '"')
    .replace(DASHES, "-")
    .replace(BLANKS, " ")
    .replace(INVISIBLE, "")
    .replaceAll("…", "...")
    .replaceAll("、", ",")
    .replaceAll("。", ".");
  return composed(text.toLowerCase()).replace(SINGLE, " $& ");
}

function composed(text) {
  return fewerMarks(fewerMarks(text).normalize("NFC"));
}

function fewerMarks(text) {
  return text.replace(TOO_MANY, (run) => run.replace(MARKS, "$1"));
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
