"""Subjects of sentences that a simple score labels."""

from types import SimpleNamespace

import numpy as np
import pytest

from sentcli.report.collector import Review
from sentcli.report.subjects import Subjects
from sentcli.report.words import find_subjects

SIGNS = {"lovely": 1, "fine": 1, "great": 1, "rude": -1, "dirty": -1, "tiny": -1}


def log_odds(texts):
    """Score a text by its words of praise and of complaint."""
    sums = [sum(SIGNS.get(word.strip(".,!"), 0) for word in text.lower().split()) for text in texts]
    return np.array([3.0 * np.sign(total) for total in sums])


class Simple:
    """A scorer of this simple kind, with the words of the user's own subjects."""

    def __init__(self, own):
        self.extras, self.parts = SimpleNamespace(about=own), self

    def alone(self, texts):
        return np.abs(log_odds(texts)).tolist()

    def score_alone(self, texts):
        return SimpleNamespace(scores=(1 / (1 + np.exp(-log_odds(texts)))).tolist())


def subjects_in(texts, since="", **own):
    """Return the subjects of texts of one day each, the last third of which are positive."""
    reviews = [
        Review(text, "positive" if 3 * number >= 2 * len(texts) else "negative", 0.5, (), f"{number:04}", 0)
        for number, text in enumerate(texts)
    ]
    return Subjects(reviews, Simple(own), "positive", since)


def named(subjects):
    return {subject.name: subject for subject in subjects.found}


TEXTS = [
    *["The front desk was rude to us all evening long. The pool was lovely."] * 20,
    *["Our pools are fine, and the receptionist sat there. My desk clerk was dirty, and also rude to me."]
    * 20,
    *["The gizmo was rude. Some gizmos are dirty. I called. A kettle was there."] * 20,
]


def test_words_of_one_subject_are_one_row():
    found = named(subjects_in(TEXTS))
    assert set(found) == {"front desk", "pool", "gizmo"}
    assert found["front desk"].words == ["front desk", "desk clerk"]
    counts = {name: (*row.all, row.praise) for name, row in found.items()}
    assert counts == {"front desk": (40, 40, 0), "pool": (0, 40, 40), "gizmo": (20, 20, 0)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Great location, tiny room", {"location": 1, "room": -1}),
        ("tiny bathrooms / great staff", {}),  # one clause says both
        ("There is no noise, which is great", {}),
        ("There is no parking, which is rude", {"parking": -1}),
        ("I book it, I checked it, they charge me, rude", {}),
        ("The baggage was lovely", {"baggage": 1}),
        ("The luggage was lovely", {"baggage": 1}),
        ("The wi-fi was tiny", {"wifi": -1}),
        ("Room service was rude", {"room service": -1}),
        ("my husband was lovely", {}),
    ],
)
def test_what_a_text_says_of_subjects(text, expected):
    found = named(subjects_in([text] * 12))
    sides = {name: int(row.praise > 0) - int(row.all[0] > 0) for name, row in found.items()}
    assert {name: side for name, side in sides.items() if side} == expected


def test_a_usual_pair_replaces_its_words():
    words = find_subjects(["the litmus paper was dirty", "my litmus paper", "the pepper mill"] * 20, log_odds)
    assert "litmus paper" in words
    assert not {"litmus", "paper", "mill", "pepper"} & words.keys()


def test_figures_of_a_subject():
    desk = named(subjects_in(TEXTS, since="0030"))["front desk"]
    assert (desk.all, desk.praise, desk.before, desk.since) == ((40, 40), 0, (30, 30), (10, 30))
    assert (desk.tier, desk.is_named) == ("clear", True)
    assert desk.stake == pytest.approx(40 / 60)  # all complain, none of the others is negative


def test_subjects_of_complaints_and_of_praise():
    subjects = subjects_in(TEXTS)
    assert [row.name for row in subjects.blamed] == ["front desk"]
    assert "front desk" not in [row.name for row in subjects.praised]


def test_quotes_are_sentences_of_the_subject_and_of_other_texts():
    long = "The pool was rude, and " + "so on and " * 30
    texts = [f"The front desk number {number} was rude to all of us." for number in range(6)] + [
        long,
        "rude desk",
    ]
    subjects, taken = subjects_in(texts, since="0004"), {0, 5}
    (desk,) = subjects.found
    quotes = subjects.quotes(desk, -1, 3, taken)
    assert quotes[0].text == texts[4]
    assert len(quotes) == 3
    assert taken == {0, 5, *(int(quote.day) for quote in quotes)}
    assert all(quote.text == texts[int(quote.day)] for quote in quotes)
    assert len(subjects.quotes(desk, -1, 9, taken)) == 1


def test_own_subjects_are_kept_even_if_rare():
    subjects = subjects_in(TEXTS, Heat=["kettle"], nothing=["zebra"])
    assert [(row.name, row.words, row.all[1]) for row in subjects.own] == [
        ("Heat", ["kettle"], 20),
        ("nothing", [], 0),
    ]


@pytest.mark.parametrize("texts", [[], ["", "!"], ["12", "\n", "\N{SLIGHTLY SMILING FACE}"]])
def test_texts_without_a_subject(texts):
    subjects = subjects_in(texts, own=["desk"])
    assert subjects.found == []
    (own,) = subjects.own
    assert subjects.praised == subjects.blamed == []
    assert subjects.quotes(own, -1, 3, set()) == []


def test_long_texts_are_read_up_to_a_limit():
    assert len(subjects_in([f"The pool was lovely. {'x' * 500_000}"] * 10).reviews) == 3


def test_the_list_has_each_word_once():
    from sentcli.report import words

    lines = (words._FOLDER / "subjects.txt").read_text("utf-8").splitlines()
    rows = [line.split(", ") for line in lines if line and not line.startswith("#")]
    listed = [word for row in rows for word in row]
    assert len(rows) > 300
    assert sorted({*listed}) == sorted(listed)
    assert all(word == word.strip().lower() for word in listed)
