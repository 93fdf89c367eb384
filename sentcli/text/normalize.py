"""Normalize texts as people write them, so that `tokenize` finds their words: the normalizer `sentcli-1`.

`basic_english` knows ASCII alone: `isn’t`, `<b>great</b>` or `Amazing😍` would be unknown words.

A model reads what it learnt from, so other rules need another name in `config.json`. Each model folder has a
copy of this module for other runtimes, so it imports only the standard library.
"""

import re
import unicodedata
from functools import cache
from html import unescape
from itertools import chain, groupby, islice

# ASCII marks that end a word and say nothing, and marks that are tokens of their own.
SEPARATORS = '"&-/:;<=>@[\\]^_{|}~#'
TOKENS = "*+$%"

_ENTITY = re.compile(r"&(?:amp;)*(#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
# A tag has no blank, except before attributes and at its end: "rooms < 20 m2 and > 3 beds" has none.
_TAG = re.compile(r"</?[A-Za-z][A-Za-z0-9]*(?:\s+[\w:-]+\s*=[^<>]*|\s*/?)>")
_TAG_OR_COMMENT = re.compile(rf"{_TAG.pattern}|<!--.*?-->", re.DOTALL)
_BREAK = re.compile("<br />")  # faster than str.replace
_HEART = "<3"
# What says nothing, and has parts that would be words: "https://shop.example/bad", "@great_service".
_LINK, _MENTION = re.compile(r"https?://[^\s<>]+", re.IGNORECASE), re.compile(r"(?<!\w)@\w+")
# Emoticons: eyes, perhaps a tear or a nose, and a mouth. What touches a word may be a bracket, a letter or a
# slash of the text: "pros:(1) cheap", "https://".
_EMOTICON = re.compile(
    r"[:;=](?<!\w=)['’]?-?(?:(?P<smile>\)+)|(?P<frown>\(+(?!\w))"
    r"|(?<!\w[:;])(?:(?P<laugh>[DpP](?!\w))|(?P<doubt>[/\\](?![/\\\w]))))"
)
_AFTER_EYES = ")(DpP/\\'’-"
_EMOJI = {"smile": "🙂", "frown": "🙁", "laugh": "😃", "doubt": "😕"}

# Letters and digits in another shape, which NFKC makes plain: ligatures, full width, circled, mathematical.
_SHAPED = re.compile("[\ufb00-\ufb06\uff01-\uffee\u2460-\u24ff\U0001d400-\U0001d7ff]+")
# Emoji and other symbols, and letters of scripts without blanks between words (Thai, Lao, Burmese, Khmer,
# Chinese, Japanese): each is a token.
_SINGLE = re.compile(
    "([\u2190-\u2bff\U0001f000-\U0001faff"
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u2fdf\u3005-\u3007\u3040-\u30ff\u3105-\u312f"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff])"
)
# Among these characters are all combining marks. No language writes more than 30 of them on one letter: the
# limit of Unicode's stream-safe text format (UAX 15).
_MOST_MARKS = 30
_MAY_BE_MARK = re.compile(r"[^\w\s\x00-\x7f]")
_TOO_MANY = re.compile(rf"{_MAY_BE_MARK.pattern}{{{_MOST_MARKS + 1},}}")
_REPEATED, _REPEATED_OTHER = re.compile(r"([a-z])\1\1+"), re.compile(r"([^\W\d_\x00-\x7f])\1\1+")

_APOSTROPHES = "\x91\x92\u2018\u2019\u201a\u201b\u2032\u2035\u02b9\u02bb\u02bc\xb4`"
_QUOTES = "\x93\x94\u201c\u201d\u201e\u201f\u2033\u2036\u2039\u203a\xab\xbb\u300c-\u3011\u300a\u300b"
_DASHES = "\x96\x97\u2010-\u2015\u2212\u2e3a\u2e3b"
_BLANKS = "\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f"
_BLANKS += "\xa1\xa6\xa7\xa9\xac\xae\xb6\xb7\xbf\u2022\u2044\u2122\u3000"
# Characters without a width, and those that change the emoji before them: variation, color of skin, sex.
_INVISIBLE = (
    "\xad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff"
    "\u2640\u2642\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f"
)


def _characters(ranges: str) -> list[int]:
    """Return the code points of a string in which `a-z` is a range."""
    found = re.findall("(.)-(.)|(.)", ranges, re.DOTALL)
    return [code for low, high, one in found for code in range(ord(low or one), ord(high or one) + 1)]


_TYPOGRAPHY: dict[int, str | None] = {
    **dict.fromkeys(_characters(_APOSTROPHES), "'"),
    **dict.fromkeys(_characters(_QUOTES), '"'),
    **dict.fromkeys(_characters(_DASHES), "-"),
    **dict.fromkeys(_characters(_BLANKS), " "),
    **dict.fromkeys(_characters(_INVISIBLE), None),
    ord("…"): "...",
    ord("、"): ",",
    ord("。"): ".",
}
_ASCII = str.maketrans(SEPARATORS + "`", " " * len(SEPARATORS) + "'")

_OTHER = re.compile("[^\x00-\x7f]")
# Characters that what surrounds them cannot change: no letters with a final form, no parts of other letters.
_ALONE = re.compile("[\x80-\u02ff\u2000-\u20cf\u2100-\u2bff\ufe00-\ufe0f\ufeff\U0001f000-\U0001faff]+")
_MOST_KINDS = 50  # of them, in a text in which each kind is replaced on its own


def normalize(text: str) -> str:
    """Return a text in lower case that `tokenize` splits into its words.

    Links and names of users are removed. Entities and tags of HTML, typographic quotes and dashes, blanks of
    any width, emoticons, emoji, letters repeated for emphasis, hyphens and other marks inside words are
    replaced. A normalized text does not change again.

    :param text: any string.
    :returns: words and marks, with single blanks between them where the text had some.
    """
    text = plain(text).lower().translate(_ASCII)
    for mark in TOKENS:
        text = text.replace(mark, f" {mark} ")
    return " ".join(_REPEATED.sub(r"\1\1", text).split())


def plain(text: str) -> str:
    """Return a text for which the rules for ASCII remain: case, separators, marks and repeated letters.

    It has no HTML, links or emoticons, its other characters are in ASCII or in lower case, and a blank
    surrounds each symbol.
    """
    if "&" in text:
        text = _ENTITY.sub(lambda entity: unescape(f"&{entity[1]};"), text)
    if "<" in text:
        bare = _BREAK.sub(" ", text)  # all that most reviews need
        text = _without_tags(text).replace(_HEART, "❤") if "<" in bare else bare
    if "://" in text:
        text = _LINK.sub(" ", text)
    if "@" in text:
        text = _MENTION.sub(" ", text)
    if (":" in text or ";" in text or "=" in text) and _may_have_face(text):
        text = _EMOTICON.sub(lambda face: f" {_EMOJI[str(face.lastgroup)]} ", text)
    if text.isascii():
        return text
    others = {*_OTHER.findall(text)}
    if len(others) <= _MOST_KINDS and _ALONE.fullmatch("".join(others)):
        for character in others:
            text = text.replace(character, _of_character(character))
        if not any(3 * _of_character(character) in text for character in others):
            return text
    else:  # 20 times as slow
        text = _changed(text)
    return _REPEATED_OTHER.sub(r"\1\1", text)


def _without_tags(text: str) -> str:
    # After the last end of a comment, each beginning of one would be searched to the end of the text.
    commented, end, rest = text.rpartition("-->")
    return _TAG_OR_COMMENT.sub(" ", commented + end) + _TAG.sub(" ", rest)


def _may_have_face(text: str) -> bool:
    """Return whether a mouth may follow eyes, which takes a tenth of the time of a search for emoticons."""
    return any(rest[:1] in _AFTER_EYES for eyes in ":;=" if eyes in text for rest in text.split(eyes)[1:])


def _changed(text: str) -> str:
    text = _SHAPED.sub(lambda shaped: unicodedata.normalize("NFKC", shaped[0]), text)
    text = _composed(text).translate(_TYPOGRAPHY).lower()
    # What was removed or made lower case may have kept a letter and its accent apart.
    return _SINGLE.sub(r" \1 ", _composed(text))


def _composed(text: str) -> str:
    """Return a text in the form NFC, with at most 30 combining marks in a row.

    Python sorts the marks of a letter in quadratic time. No word that a vocabulary knows has so many.
    """
    return _fewer_marks(unicodedata.normalize("NFC", _fewer_marks(text)))


def _fewer_marks(text: str) -> str:
    # Too many in a row have one at each 31st place, which few texts have.
    is_likely = _MAY_BE_MARK.search(text[:: _MOST_MARKS + 1])
    return _TOO_MANY.sub(_cut_marks, text) if is_likely else text


def _cut_marks(found: re.Match[str]) -> str:
    runs = groupby(found[0], lambda character: unicodedata.category(character)[0] == "M")
    return "".join(chain.from_iterable(islice(run, _MOST_MARKS) if is_mark else run for is_mark, run in runs))


_of_character = cache(_changed)
