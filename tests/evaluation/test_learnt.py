"""What a model says of the texts that it learnt from, and how many of others are among them."""

import base64
import json
import random
import shutil

import numpy as np
import pytest

from sentcli.errors import BundleError
from sentcli.evaluation.leakage import sample, sample_to_json, share_learnt, united
from sentcli.model.bundle import load_bundle, write_manifest

TEXTS = [f"A text that nobody else has, the one with number {number}." for number in range(20_000)]


@pytest.fixture
def learner(trained, tmp_path):
    """Give a model that says it learnt from these texts, or has this in the place of its sample."""

    def learner(texts):
        folder = tmp_path / "model"
        shutil.copytree(trained.path, folder, dirs_exist_ok=True)
        said = sample_to_json(sample(texts)) if isinstance(texts, list) else texts
        metrics = json.loads(trained.read("metrics.json")) | {"learnt_sample": said}
        (folder / "metrics.json").write_text(json.dumps(metrics))
        write_manifest(folder)
        return load_bundle(folder)

    return learner


def test_of_few_texts_every_one_is_known(learner):
    model = learner(TEXTS[:1000])
    assert share_learnt(model, TEXTS[:1000]).about == 1
    assert share_learnt(model, TEXTS[300:301]).about == 1
    assert share_learnt(model, TEXTS[900:1200]).about == pytest.approx(1 / 3)
    assert share_learnt(model, TEXTS[1000:]).about == 0
    assert share_learnt(model, []).about == 0


def test_of_many_texts_the_share_is_an_estimate(learner):
    model = learner(TEXTS[:10_000])
    assert len(sample(TEXTS[:10_000])) == 2048
    assert share_learnt(model, TEXTS[:10_000]).about == 1
    assert share_learnt(model, TEXTS[5_000:]).about == pytest.approx(1 / 3, abs=0.05)
    assert share_learnt(model, TEXTS[10_000:]).about == 0


def test_of_a_few_texts_one_that_is_known_may_be_chance(learner):
    model = learner(TEXTS[:10_000])
    known = [text for text in TEXTS[:10_000] if share_learnt(model, [text]).about]
    others = TEXTS[10_000:10_020]
    assert share_learnt(model, [known[0], *others]).least < 0.1 < share_learnt(model, known[:20]).least
    assert share_learnt(model, TEXTS[5_000:]).least > 0.25
    assert share_learnt(learner(TEXTS[:10]), TEXTS[9:19]) == (0.1, 0.1)  # all that was learnt is known


def test_order_copies_and_white_space_make_no_difference(learner):
    texts = TEXTS[:50]
    random.Random(1).shuffle(texts)
    again = [f"  {text.replace(' ', chr(10))}\r\n" for text in texts] * 3
    np.testing.assert_array_equal(sample(again), sample(TEXTS[:50]))
    assert share_learnt(learner(texts), [*again, *TEXTS[50:100]]).about == 0.5


def test_what_many_people_write_alike_tells_nothing(learner):
    model = learner(["Great product!", "\ud800" * 30, *TEXTS[:10]])
    assert share_learnt(model, ["Great product!"] * 10).about == 0
    assert share_learnt(model, ["Great product!", *TEXTS[9:11]]).about == 0.5
    assert share_learnt(model, ["\ud800" * 30]).about == 1  # no UTF-8, but a text as any other


def test_where_all_texts_are_short_they_count(learner):
    model = learner(["good", "bad", "so so"])
    assert share_learnt(model, ["bad", " so  so", "", " "]).about == 1
    assert share_learnt(model, ["bad", "worse"]).about == 0.5
    assert share_learnt(model, ["bad", *TEXTS[:3]]).about == 0


@pytest.mark.parametrize("count", [100, 3000])
def test_samples_of_two_are_the_sample_of_all(count):
    one, other = TEXTS[:count], TEXTS[count // 2 : 2 * count]
    np.testing.assert_array_equal(united(sample(one), sample(other)), sample([*one, *other]))


def test_nothing_is_known_where_a_model_says_nothing(learner, trained, tmp_path):
    assert share_learnt(learner([]), TEXTS[:10]).about == 0
    shutil.copytree(trained.path, tmp_path / "bare")
    (tmp_path / "bare" / "metrics.json").unlink()
    write_manifest(tmp_path / "bare")
    assert share_learnt(load_bundle(tmp_path / "bare"), TEXTS[:10]).about == 0


@pytest.mark.parametrize("said", [7, "%", base64.b64encode(b"no hashes").decode()])
def test_a_damaged_sample_is_told(learner, said):
    with pytest.raises(BundleError, match=r"metrics\.json: it does not say what was learnt"):
        share_learnt(learner(said), TEXTS[:10])
