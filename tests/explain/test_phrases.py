"""Phrases of whole words in any case, and weights of the user's own."""

import pytest

from sentcli.errors import UsageError
from sentcli.explain.phrases import MOST_SHIFT, OwnWords, Phrases, read_weights, shift

TEXT = "A KILLER price, isn’t it? İt's not bad; not-bad, killers!"


@pytest.mark.parametrize(
    ("phrases", "expected"),
    [
        (["killer"], ["KILLER"]),
        (["isn't it"], ["isn’t it"]),
        (["It's", "bad"], ["İt's", "bad", "bad"]),
        (["bad", "not bad"], ["not bad", "bad"]),
        (["not-bad"], ["not-bad"]),
        (["price it", "ice", "?"], ["?"]),
    ],
)
def test_whole_words_are_found_in_any_case_and_the_longest_phrase_first(phrases, expected):
    found = Phrases({phrase: phrase for phrase in phrases}).find(TEXT)
    assert [TEXT[start:end] for _, start, end in found] == expected
    assert {phrase for phrase, _, _ in found} <= {*phrases}


def test_emoji_and_marks_are_words_too():
    assert Phrases({"👍": "a", "c++": "b", "10/10": "c"}).find("👍 c++10/10, 100/10") == [
        ("a", 0, 1),
        ("b", 2, 5),
        ("c", 5, 10),
    ]


def test_a_text_is_shifted_by_each_phrase_but_not_without_limit():
    own = OwnWords({"tender": 1.5, "not tender": -2, "pain": -9})
    assert own.find("Tender, not tender.") == [(1.5, 0, 6), (-2, 8, 18)]
    assert own.shift("Tender, not tender.") == -0.5
    assert own.shift("tender " * 5) == MOST_SHIFT == shift([(100.0, 0, 1)])
    assert own.shift("pain") == -MOST_SHIFT
    assert own.shift("tenderness") == 0


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("w.csv", 'phrase,weight\nkiller,2\n\n"not bad, really",-0.5\n'),
        ("w.csv", '\ufeffkiller,2.0\r\n"not bad, really",-.5\r\n'),
        ("w.toml", 'killer = 2\n"not bad, really" = -0.5\n'),
    ],
)
def test_weights_are_read_from_csv_and_toml(tmp_path, name, text):
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert read_weights(tmp_path / name) == {"killer": 2.0, "not bad, really": -0.5}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("w.csv", "killer;2\n", r"w\.csv: 'killer;2' is not a phrase, a comma and a number"),
        ("w.csv", "killer,very\n", "'killer,very' is not"),
        ("w.csv", "killer,1,2\n", "'killer,1,2' is not"),
        ("w.toml", "killer\n", r"w\.toml: Expected '='"),
        ("w.toml", "killer = [1]\n", "is not a phrase"),
        ("w.toml", f"killer = {100_000 * '['}", r"w\.toml: maximum recursion depth"),
        ("missing.csv", None, r"missing\.csv: No such file"),
    ],
)
def test_a_file_without_weights_is_refused(tmp_path, name, text, message):
    if text is not None:
        (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=message):
        read_weights(tmp_path / name)


@pytest.mark.parametrize("weights", [{" _ ": 1.0}, {"a": float("nan")}, {"a": float("inf")}])
def test_phrases_without_a_word_and_weights_that_are_no_numbers_are_refused(weights):
    with pytest.raises(UsageError):
        OwnWords(weights)
