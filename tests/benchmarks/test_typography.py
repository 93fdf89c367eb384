"""Texts are rewritten in ways that keep their words."""

import random
import sys

import invented
import numpy as np
import pytest
import typography

from sentcli.text.normalize import normalize

TEXT = "I said \"it isn't bad\" -- but... <br />R&B fans, don't miss this one - the best album of this year!"
CLEARER = {"emoji of its label", "a letter repeated"}


@pytest.fixture
def rewritten():
    return typography.rewritings(TEXT, True, random.Random(4))


def test_each_rewriting_changes_the_text_and_keeps_its_words(rewritten):
    for name, text in rewritten.items():
        assert text != TEXT, name
        assert (normalize(text) == normalize(TEXT)) == (name not in CLEARER), name


def test_marks_are_those_that_people_and_shops_write(rewritten):
    curly = "I said \u201cit isn\u2019t bad\u201d -- but... <br />R&B fans, don\u2019t miss"
    assert rewritten["curly quotes and apostrophes"].startswith(curly)
    assert rewritten["HTML entities"].startswith("I said &quot;it isn&")
    assert " <br />R&amp;B fans" in rewritten["HTML entities"]
    assert "it isn't <b>bad\"</b> -- but..." in rewritten["every fifth word in <b>"]
    assert 'bad"\u2014but... <br />' in rewritten["em dash without blanks"]
    assert "one\u2014the" in rewritten["em dash without blanks"]
    assert "but\u2026 <br />" in rewritten["ellipsis"]
    assert " <br />\uff32&\uff22 \uff46" in rewritten["full width letters"]
    assert " <br />R&B FANS" in rewritten["upper case"]
    assert rewritten["emoji of its label"][-2] in "👍😍🔥"
    assert rewritten["emoji of its label"].endswith("!")
    assert typography.rewritings("bad ", False, random.Random(1))["emoji of its label"][3] in "👎😡💔"


def test_a_tag_and_an_entity_stay_as_they_are():
    text = "<a href='x y'>a very good&nbsp;one</a> &amp; more"
    for name, found in typography.rewritings(text, True, random.Random(2)).items():
        assert "<a href='x y'>" in found, name
        assert "&nbsp;" in found, name
        assert "&amp;" in found, name


def test_a_text_without_a_word_to_rewrite_stays_as_it_is():
    assert typography.with_emphasis("12 of us", random.Random(1)) == "12 of us"
    assert typography.with_emphasis("great", random.Random(1)) in ("greeeeat", "greaaaat")


def test_labels_that_are_lost_count_as_changed():
    nothing = [np.nan, np.nan]
    before = np.array([[0.9, 0.1], [0.4, 0.6], nothing, [0.3, 0.7], nothing])
    after = np.array([[0.2, 0.8], [0.4, 0.6], [0.5, 0.5], nothing, nothing])
    assert typography.compare(before, after) == (3, pytest.approx(0.7))
    assert typography.compare(before[:0], after[:0]) == (0, 0)


@pytest.mark.parametrize("is_folder", [False, True])
def test_the_same_texts_give_the_same_table(tmp_path, monkeypatch, capsys, is_folder):
    if is_folder:
        pytest.importorskip("huggingface_hub")
    path = tmp_path / "test.csv"
    invented.write_csv(path, invented.reviews(40, seed=3))
    dataset = tmp_path if is_folder else path
    monkeypatch.setattr(sys, "argv", ["typography.py", "--dataset", str(dataset), "--texts", "20"])
    typography.main()
    first = capsys.readouterr().out
    typography.main()
    assert capsys.readouterr().out == first
    title, _, *rows = first.splitlines()
    assert title == "20 texts"
    figures = {name.strip(): cells.split() for name, cells in ((row[:30], row[30:]) for row in rows)}
    assert figures.keys() == typography.rewritings("", True, random.Random(1)).keys()
    assert figures["upper case"] == ["20", "0", "0.00%", "0.0000"]
