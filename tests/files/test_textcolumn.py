"""Texts in bytes behave as the strings that they are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentcli.files.textcolumn import TextColumn, are_wide
from tests.text_blocks import make_block

# Long ones are cut in another way than short ones; eight bytes are looked at together.
TEXTS = ["", "a", "film", "a film, a film", "a film; a film", "é", "x" * 7 + "é"]
TEXTS += ["y" * 3000, "y" * 2999 + "z"]
PARTS = st.lists(st.tuples(st.booleans(), st.lists(st.sampled_from(TEXTS), max_size=9)), max_size=5)


@pytest.mark.parametrize("between", [b"", b"\n", b"," * 8000, "é".encode() * 4000])
def test_texts_are_decoded_wherever_they_lie(between):
    texts = ["", "é", "a film", "x" * 600, "ü"]
    some = make_block(texts, between=between)
    assert [*some] == [some[number] for number in range(len(texts))] == texts
    assert [*some[1:4]] == texts[1:4]
    assert [*some[np.array([0, 2, 4])]] == texts[::2]
    assert [*some[2:2]] == []


def column(parts):
    return TextColumn.of(*(make_block(texts) if in_bytes else texts for in_bytes, texts in parts))


def strings(parts):
    return [text for _, texts in parts for text in texts]


@given(PARTS, st.integers(0, 45), st.integers(0, 45))
def test_a_column_is_a_sequence_of_its_texts(parts, start, stop):
    found, texts = column(parts), strings(parts)
    assert (len(found), [*found]) == (len(texts), texts)
    assert [found[number] for number in range(len(texts))] == texts
    assert [*found[start:stop]] == texts[start:stop]
    assert [*found[np.arange(len(texts))[start:stop:3]]] == texts[start:stop:3]
    assert [*found[-1:]] == texts[-1:]
    with pytest.raises(IndexError):
        found[len(texts)]


@given(PARTS)
def test_each_text_is_there_once_among_the_distinct_ones(parts):
    texts = strings(parts)
    kept, numbers = column(parts).distinct()
    assert [kept[number] for number in numbers] == texts
    if len({in_bytes for in_bytes, _ in parts}) == 1:  # else equal ones may stay, one of either kind
        assert [*kept] == [*dict.fromkeys(texts)]


@pytest.mark.parametrize("in_bytes", [False, True])
def test_distinct_ones_stay_in_their_order(in_bytes):
    texts = ["a good film", "bad", "a good film", "", "a good flim", "bad", "bed"]
    kept, numbers = column([(in_bytes, texts[:2]), (in_bytes, texts[2:])]).distinct()
    assert [*kept] == ["a good film", "bad", "", "a good flim", "bed"]
    assert numbers.tolist() == [0, 1, 0, 2, 3, 1, 4]
    some = column([(in_bytes, ["a good film", "a bad film"])])
    kept, numbers = some.distinct()
    assert kept is some
    assert numbers.tolist() == [0, 1]


def test_texts_with_the_same_key_are_compared():
    form = "0123456789 {} 0123456789 {} 0123456789"  # equal at the places that the key is of
    texts = [form.format(one, other) for one, other in ("ab", "bc", "ab", "ca")]
    some = make_block(texts)
    assert len(set(some.keys().tolist())) == 1
    kept, numbers = TextColumn.of(some).distinct()
    assert [*kept] == [*dict.fromkeys(texts)]
    assert [kept[number] for number in numbers] == texts


def test_keys_tell_texts_apart_by_all_that_they_are_of():
    texts = ["abcdefgh" * 4, "Xbcdefgh" + "abcdefgh" * 3, "abcdefgh" * 3 + "abcdefgX", "abcdefgh" * 5]
    texts += ["abcdefgh" + "abcdefghabXdefgh" + "abcdefgh", "a" * 20, "a" * 30, "", "short"]
    assert len(set(make_block(texts).keys().tolist())) == len(texts) - 1
    assert make_block(texts).keys()[-2:].tolist() == [0, 0]


def test_no_text_is_a_blank_one():
    assert [*TextColumn.of(["a", None], [None], make_block(["b"]))] == ["a", "", "", "b"]
    assert [*TextColumn.of(TextColumn.of([None]), ["c"])] == ["", "c"]


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "latin-1"])
@pytest.mark.parametrize("length", [0, 600])
def test_bytes_come_out_in_utf8(encoding, length):
    texts = ["é" + "x" * length, "", "a" * length, "ü"]
    some = make_block(texts, encoding)
    assert [*map(bytes, some.cut())] == [text.encode(encoding) for text in texts]
    both = TextColumn.of(some, texts)
    assert [*map(bytes, both.to_utf8())] == [text.encode() for text in texts] * 2
    assert [*both] == texts * 2


def test_lone_surrogates_stay_what_they_are():
    assert [*make_block(["\ud800 lone", "b"])] == ["\ud800 lone", "b"]
    assert make_block(["\ud800 lone"]).to_utf8() == TextColumn.of(["\ud800 lone"]).to_utf8()


@given(st.lists(st.sampled_from([b"", b"a", b"\xc3\xa9", b"1234567\xe9", b"x" * 30, b"\x7f", b"\x80"])))
def test_parts_beyond_ascii_are_told(parts):
    borders = np.cumsum([0, *map(len, parts)])
    wanted = [not part.isascii() for part in parts]
    assert are_wide(b"".join(parts), borders).tolist() == wanted
    if len(parts) > 3:
        assert are_wide(b"".join(parts), borders[2:-1]).tolist() == wanted[2:-1]
