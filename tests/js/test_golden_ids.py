"""js/test/golden.json: what the package reads in odd texts, for the tests of the module in JavaScript.

`python tests/js/test_golden_ids.py` writes the file again.
"""

import json
import random
import re
import subprocess
import unicodedata
from collections import Counter
from itertools import pairwise
from pathlib import Path

from sentcli.explain.pieces import pieces_of, sentences_of
from sentcli.tables.text_column import TEXT_NAMES
from sentcli.text.encoder import Encoder
from sentcli.text.null_values import NULL_VALUES, NullValues
from sentcli.text.tokenizer import Vocab, truncate, words_of

JS = Path(__file__).parents[2] / "js"
GOLDEN = JS / "test" / "golden.json"
UNICODE = "14.0.0"  # that of Python 3.11: letters that are newer than it may give other ids elsewhere
MAX_TOKENS = 12
_ODD = (
    "’‘“”„…–—−`´ʼ'\"-_*+$%&<>@#:;=/\\|~^()[]{}.,!?\t\r\n \xa0\u2003\u200b\u200d\ufeff\ufe0f\xad\x85\x1c"
    "éÉßſİıǅΣςσñüöäåøæœ×÷°²½¼№™©®€£¥¿¡«»•·ªº"
    "е́Жю中文日本語한국어ไทยကាລאبع०१٣½Ⅳⅷⓐ①ﬁﬀＡａ１！？𝐀𝒷𝟘"
    "😀😍👍🏽👩\u200d🔬❤☺☹♀♂🇬🇧🫠⭐→≈∞✓✗"
    "\u0301\u0308\u0327\u0345\u034f\u20e3\u1ab0\u0e31\u093e"
)
_WORDS = (  # noqa: SIM905  # a list takes a line for each word
    "good bad not isn't Isn’t won't the staff was lovely but awful sooooo goooood GREAT 4.5 10/10 e.g. Mr. "
    "it's well-made co-op C++ don't never again WiFi :) ;-( =/ :D :'( <3 &amp; &lt;br&gt; <br /> <b>bold</b> "
    "</p> <!-- no --> http://a.example/bad HTTPS://x @user a@b.example #tag $5 50% room5 x5 _id_ n/a"
).split(" ")


def _texts() -> list[str]:
    chance = random.Random(58)
    spaced = [f" {value.swapcase()}\u3000" for value in NULL_VALUES[::4]]
    entities = [
        0,
        9,
        10,
        11,
        12,
        13,
        31,
        38,
        65,
        127,
        128,
        129,
        133,
        150,
        159,
        160,
        173,
        0xD800,
        0xFDD0,
        0xFFFF,
    ]
    numbers = [
        f"fine&#{code};fine &#x{code:X};" for code in [*entities, 0x1F600, 0x10FFFF, 0x110000, 9999999]
    ]
    mixed = []
    for _ in range(240):
        parts = [
            chance.choice(_WORDS)
            if chance.random() < 0.6
            else "".join(chance.choices(_ODD, k=chance.randint(1, 4)))
            for _ in range(chance.randint(1, 14))
        ]
        mixed.append("".join(part + chance.choice(["", " ", " ", " "]) for part in parts))
    return [*_WRITTEN, *NULL_VALUES, *spaced, *numbers, *mixed]


_WRITTEN = [
    "",
    "   ",
    "It isn’t good, but the staff was lovely",
    "Good value. Mr. Smith, e.g. the owner, was rude! Never again... not great; bad",
    "<p>Good</p><br>bad<br />never\nagain",
    "nothing but good but not bad, although the staff was bad",
    "&notit; &copyx; &ampx; &amp;amp;lt;b&amp;gt; &NotEqualTilde; &hellip; &nosuch; &AMP; &Aacute;",
    "a<b and c>d <3 rooms < 20 m2 and > 3 beds <a href='x'>link</a> <A-b> <x y> <!-- a --> b --> c",
    "httpſ://example.org/x and https://x.example<b>y</b> ftp://x",
    "é e\u0301 ﬁne ｇｏｏｄ 𝐠𝐨𝐨𝐝 ⓖⓞⓞⓓ İstanbul ΣΑΣ ς",
    "good" + "\u0301" * 40 + " bad" + "\u0301" * 31 + "a" + "\u0308\u0327" * 30,
    "ééééé ААААА ÄÄÄÄ ١١١١ ½½½½ ⅷⅷⅷ ____ goooooood soooo!!!! 😀😀😀",
    "👩‍🔬👍🏽🇬🇧❤️♀️🏴\U000e0067\U000e0062\U000e007f good",
    "1234 5.0 10/10 !!! ... 50% $5",
    "12 😀",
    "good " * 7 + "bad " * 14,
    "not good not good not not good",
    "unknownword anotherone",
    "<unk> <pad> pad unk",
    "你好 good 中文bad ไทยgood",
    "C:/x :/ :\\ 8) (: :-) :)) =) x=) ;D :P: 'tis :’-( :'-D",
    "«good» „bad“ ‹good› “bad” 「good」",
    "tab\tline\rfeed\x0bform\x0cfile\x1cnext\x85sep\u2028end",
]


def golden() -> dict[str, object]:
    texts = list(dict.fromkeys(_texts()))
    found = [words_of(text) for text in texts]
    counts = Counter(word for words in found for word in words)
    words = Vocab.of_counts(counts, 3).words
    pairs = Counter(f"{one} {two}" for words in found for one, two in pairwise(words))
    bigrams = [pair for pair, count in pairs.items() if count > 2 and {*pair.split(" ")} <= {*words}]
    vocab = Vocab([*words, *sorted(bigrams)])
    return {
        "unicode": UNICODE,
        "config": {
            "model": {"vocab_size": len(vocab)},
            "text": {"max_tokens": MAX_TOKENS, "normalizer": "sentcli-1", "tokenizer": "basic_english"},
        },
        "vocabulary": vocab.to_text(),
        "texts": _read(texts, vocab),
    }


def _read(texts: list[str], vocab: Vocab) -> list[dict[str, object]]:
    nulls = NullValues(NULL_VALUES)
    encoded = Encoder(vocab).encode(["" if text in nulls else text for text in texts])
    return [
        {
            "text": text,
            "words": words_of(text),
            "ids": truncate(encoded.ids[start : start + length].tolist(), MAX_TOKENS),
            "pieces": [text[piece.start : piece.end] for piece in pieces_of(text)],
            "sentences": [text[begin:end] for begin, end in sentences_of(text)],
        }
        for text, start, length in zip(texts, encoded.starts, encoded.lengths, strict=True)
    ]


def test_the_package_reads_the_same():
    saved = json.loads(GOLDEN.read_text("utf-8"))
    texts = [entry["text"] for entry in saved["texts"]]
    assert _read(texts, Vocab.from_text(saved["vocabulary"])) == saved["texts"]


def test_null_values_are_those_of_the_package():
    quoted = re.findall(r'"(?:[^"\\]|\\.)*"', (JS / "src" / "null_values.js").read_text("utf-8"))
    assert tuple(map(json.loads, quoted)) == NULL_VALUES


def test_bare_words_are_those_of_the_package():
    code = (JS / "src" / "explain.js").read_text("utf-8").partition("const BARE")[2]
    words = (JS.parent / "sentcli" / "explain" / "bare_words.txt").read_text("utf-8").split()
    assert "".join(re.findall(r'"([^"]*)"', code.partition(".replaceAll")[0])).split() == words


def test_names_of_texts_are_those_of_the_package():
    code = (JS / "src" / "csv_header.js").read_text("utf-8").partition("const TEXT_NAMES")[2]
    assert "".join(re.findall(r'"([^"]*)"', code.partition(".split")[0])).split() == TEXT_NAMES


def test_the_module_in_javascript(js):
    done = subprocess.run(["node", "--test"], cwd=js, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]


if __name__ == "__main__":
    if unicodedata.unidata_version != UNICODE:
        raise SystemExit(f"needs a Python with Unicode {UNICODE}, such as 3.11")
    content = golden()
    entries = ",\n".join(json.dumps(entry, ensure_ascii=True) for entry in content.pop("texts"))  # type: ignore[union-attr]
    head = json.dumps(content)[:-1]
    GOLDEN.write_text(f'{head}, "texts": [\n{entries}\n]}}\n', "utf-8")
