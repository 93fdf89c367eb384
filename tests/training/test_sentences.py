"""Sentences that are learnt besides: those that come with sentcli, and others."""

import csv
from collections import Counter
from pathlib import Path

import pytest

from sentcli.config import EVERYDAY
from sentcli.errors import DataError
from sentcli.evaluation.splits import CsvFormat
from sentcli.text.tokenizer import tokenize
from sentcli.training.extra_data import EVERYDAY_FILE, read_sentences

LABELS = ("negative", "positive")
PROBES = Path(__file__).parents[2] / "benchmarks" / "probes"


def words_of(texts: list[str]) -> list[tuple[str, ...]]:
    """Give the words of texts, without marks and case: by these two texts are the same."""
    return [tuple(word for word in tokenize(text) if word.isalnum()) for text in texts]


def test_everyday_sentences_are_as_many_of_each_label_and_all_differ():
    data = read_sentences(EVERYDAY, LABELS, "words", "stars", CsvFormat(";"))
    assert Counter(data.labels) == dict.fromkeys(LABELS, len(data) // 2)
    words = words_of(data.texts)
    assert all(words)
    assert [found for found, times in Counter(words).items() if times > 1] == []
    assert max(map(len, words)) < 60


def test_none_of_them_is_what_models_are_probed_with():
    learnt = set(words_of(read_sentences(EVERYDAY, LABELS, None, None, CsvFormat()).texts))
    files = sorted(PROBES.glob("*.csv"))
    assert files
    for file in files:
        with file.open(encoding="utf-8", newline="") as lines:
            probes = words_of([row["text"] for row in csv.DictReader(lines)])
        assert learnt.isdisjoint(probes), file.name


def test_the_file_is_one_of_usual_csv():
    lines = EVERYDAY_FILE.read_bytes().decode("utf-8").splitlines()
    assert lines[0] == "text,label"
    assert all(line.isprintable() for line in lines)


def test_others_are_read_as_the_data_set_is(tmp_path):
    file = tmp_path / "sentences.csv"
    file.write_text("words;stars\nso good;pos\nso bad;neg\n")
    data = read_sentences(str(file), LABELS, "words", "stars", CsvFormat(";"))
    assert (data.texts, data.labels) == (["so good", "so bad"], ["positive", "negative"])


def test_labels_that_the_model_does_not_have_are_an_error(tmp_path):
    file = tmp_path / "sentences.csv"
    file.write_text("text,label\nso good,5\n")
    with pytest.raises(DataError, match=r"sentences\.csv: unknown label '5' in row 1"):
        read_sentences(str(file), LABELS, None, None, CsvFormat())
    hint = r"unknown label .* knows bad, good; call two .*, or leave --sentences everyday out"
    with pytest.raises(DataError, match=hint):
        read_sentences(EVERYDAY, ("bad", "good"), None, None, CsvFormat())


def test_everyday_sentences_go_with_data_of_0_and_1_and_of_any_case():
    for labels in [("0", "1"), ("NEGATIVE", "POSITIVE"), ("Negative", "Neutral", "Positive")]:
        assert len(read_sentences(EVERYDAY, labels, None, None, CsvFormat()))
