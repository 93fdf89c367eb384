"""Normalise texts as people write them, so that `tokenize` finds their words: the normaliser `sentcli-1`.

`basic_english` knows ASCII alone: `isn’t`, `<b>great</b>` or `Amazing😍` would be unknown words.

A model reads what it learnt from, so other rules need another name in `config.json`. Each model folder has a
copy of this module and of its rules for other runtimes, so it imports only the standard library.
"""

import json
import re
import unicodedata
from functools import cache
from html import unescape
from itertools import chain, groupby, islice
from pathlib import Path

# js/src/normalize.js reads the rules too, and spells out \s and \w, which therefore stand in brackets.
_RULES = json.loads(Path(__file__).with_suffix(".json").read_text("utf-8"))

# ASCII marks that end a word and say nothing, and marks that are tokens of their own.
SEPARATORS: str = _RULES["separators"]
TOKENS: str = _RULES["tokens"]

_ENTITY = re.compile(_RULES["entity"])
# A tag has no blank, except before attributes and at its end: "rooms < 20 m2 and > 3 beds" has none.
_TAG = re.compile(_RULES["tag"])
_TAG_OR_COMMENT = re.compile(f"{_RULES['tag']}|{_RULES['comment']}", re.DOTALL)
_BREAK = re.compile("<br />")  # faster than str.replace
# What says nothing, and has parts that would be words: "https://shop.example/bad", "@great_service".
_LINK, _MENTION = re.compile(_RULES["link"], re.IGNORECASE), re.compile(_RULES["mention"])
# Emoticons: eyes, perhaps a tear or a nose, and a mouth. What touches a word may be a bracket, a letter or a
# slash of the text: "pros:(1) cheap", "https://".
_EMOTICON, _EMOJI = re.compile(_RULES["emoticon"]), _RULES["emoji"]
_AFTER_EYES = ")(DpP/\\'’-"

# Letters and digits in another shape, which NFKC makes plain: ligatures, full width, circled, mathematical.
_SHAPED = re.compile(f"[{_RULES['shaped']}]+")
# Emoji and other symbols, and letters of scripts without blanks between words (Thai, Lao, Burmese, Khmer,
# Chinese, Japanese): each is a token.
_SINGLE = re.compile(f"([{_RULES['single']}])")
# Among these characters are all combining marks. No language writes more than 30 of them on one letter: the
# limit of Unicode's stream-safe text format (UAX 15).
_MOST_MARKS: int = _RULES["most_marks"]
_MAY_BE_MARK = re.compile(_RULES["may_be_mark"])
_TOO_MANY = re.compile(f"{_RULES['may_be_mark']}{{{_MOST_MARKS + 1},}}")
_REPEATED, _REPEATED_OTHER = re.compile(_RULES["repeated"]), re.compile(r"([^\W\d_\x00-\x7f])\1\1+")


def _characters(ranges: str) -> list[int]:
    """Return the code points of a string in which `a-z` is a range."""
    found = re.findall("(.)-(.)|(.)", ranges, re.DOTALL)
    return [code for low, high, one in found for code in range(ord(low or one), ord(high or one) + 1)]


# Quotes, dashes and blanks. "" replaces characters without a width, and those that change the emoji before
# them: variation, colour of skin, sex.
_TYPOGRAPHY: dict[int, str] = {
    code: mark for mark, ranges in _RULES["typography"].items() for code in _characters(ranges)
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
    replaced. A normalised text does not change again.

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
        text = _without_tags(text).replace("<3", _RULES["heart"]) if "<" in bare else bare
    if "://" in text:
        text = _LINK.sub(" ", text)
    if "@" in text:
        text = _MENTION.sub(" ", text)
    if (":" in text or ";" in text or "=" in text) and _may_have_face(text):
        text = _EMOTICON.sub(lambda face: f" {_EMOJI[face.lastgroup]} ", text)
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
