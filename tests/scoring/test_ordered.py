"""Labels that are whole numbers in order: the label is their median, the score their mean."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch")

from tiny_models import make_model

from sentcli.errors import UsageError
from sentcli.scoring.labels import STARS, choose_classes
from sentcli.scoring.scorer import Scorer

TEXTS = [" ".join(f"word{number * place % 58}" for place in range(1, 9)) for number in range(1, 60)]


def with_labels(bundle, labels):
    return replace(bundle, config=replace(bundle.config, labels=labels))


@pytest.fixture
def five(make_bundle):
    """A model of five classes."""
    return make_bundle(make_model(num_classes=5))


def test_stars_are_ordered_by_themselves(five):
    with Scorer(with_labels(five, STARS), workers=1) as scorer:
        assert scorer.ordered
        scores, probabilities = scorer.score([*TEXTS, ""]), scorer.probabilities(TEXTS)
    assert (scores.labels[-1], scores.scores[-1]) == (None, None)
    for label, score, row in zip(scores.labels, scores.scores, probabilities, strict=False):
        assert row[: int(label)].sum() >= 0.5 >= row[int(label) :].sum()
        assert score == pytest.approx(row @ [1, 2, 3, 4, 5])
    assert scores.labels[:-1] != [STARS[number] for number in probabilities.argmax(axis=1)]
    assert scores.counts.labels.total() == len(TEXTS)


def test_scores_do_not_depend_on_the_other_texts(five):
    with Scorer(with_labels(five, STARS), workers=1) as scorer:
        together = scorer.score(TEXTS)
        assert [scorer.score([text]).scores[0] for text in TEXTS] == together.scores


def test_other_whole_numbers_are_ordered_where_it_is_asked_for(five):
    numbers = with_labels(five, ("-2", "-1", "0", "1", "2"))
    with Scorer(with_labels(five, STARS), workers=1) as stars, Scorer(numbers, workers=1) as plain:
        expected, most_probable = stars.score(TEXTS), plain.score(TEXTS)
    with Scorer(numbers, workers=1, ordered=True) as scorer:
        found = scorer.score(TEXTS)
    assert [int(label) + 3 for label in found.labels] == [*map(int, expected.labels)]
    assert np.allclose(np.array(found.scores) + 3, expected.scores)
    assert found.labels != most_probable.labels
    with Scorer(with_labels(five, STARS), workers=1, ordered=False) as scorer:
        assert not scorer.ordered
        assert [int(label) - 3 for label in scorer.score(TEXTS).labels] == [*map(int, most_probable.labels)]


def test_the_parts_of_words_are_those_of_the_label(five):
    with Scorer(with_labels(five, STARS), workers=1) as scorer:
        scores, explained = scorer.score(TEXTS), scorer.explain(TEXTS)
        label_of = [(number, row.argmax()) for number, row in enumerate(scorer.probabilities(TEXTS))]
        number = next(number for number, most in label_of if int(scores.labels[number]) != most + 1)
        word, own = explained[number].words[0], int(scores.labels[number]) - 1
        without = TEXTS[number].removeprefix(word.text)
        before, after = scorer.probabilities([TEXTS[number], without])[:, own]
    assert explained[number].label == scores.labels[number]
    assert word.part == pytest.approx(np.log(before / (1 - before)) - np.log(after / (1 - after)), abs=1e-4)


def test_names_have_no_order(five):
    with pytest.raises(UsageError, match="ordered=True needs whole numbers, not class0, class1"):
        Scorer(five, workers=1, ordered=True)


def test_the_median_is_the_first_class_with_half_of_the_probability():
    probabilities = np.array([[0.5, 0.0, 0.5], [0.2, 0.29, 0.51], [0.4, 0.2, 0.4], [np.nan] * 3])
    assert choose_classes(probabilities, ("1", "2", "3"), ordered=True).tolist() == [0, 2, 1, 0]
    assert choose_classes(probabilities, ("1", "2", "3"))[:3].tolist() == [0, 2, 0]
