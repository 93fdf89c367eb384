"""The module in JavaScript gives the scores, words, phrases and sentences of the package."""

import json
import subprocess

import invented
import pytest

from sentcli.model.bundle import default_bundle_path
from sentcli.scoring.scorer import Scorer

pytestmark = pytest.mark.slow

ODD = [
    "It isn’t good, but the staff was lovely",
    "Good value. Mr. Smith, e.g. the owner, was rude! Never again... not great; bad",
    "<p>Great&nbsp;food</p><br>awful service 😍😍 :( zzyzzxq https://a.example/bad @user 10/10",
    "ＡＢＳＯＬＵＴＥＬＹ l’ove it — “best” ever!!! soooo goooood, not bad at all",
    "nothing but good but not bad, although the staff was bad\nThe end",
    "N/A",
    "12 !",
    "",
    "e\u0301clair " * 3 + "was the best I ever had. " * 80,
    "中文 ไทย العربية",
]
INVENTED = [text for text, _ in invented.reviews(24, seed=7, labels=invented.THREE)]


def _answers(js, model, texts, file):
    file.write_text(json.dumps(texts), "utf-8")
    command = ["node", js / "answers.js", file, model]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=300, check=True)
    return json.loads(done.stdout)


def _check(found, wanted):
    if wanted.label is None:
        assert found is None
        return
    assert (found["label"], found["score"]) == (wanted.label, pytest.approx(wanted.score, abs=1e-4))
    for name in ("words", "phrases"):
        spelled = [(word["text"], word["part"]) for word in found[name]]
        assert spelled == [(word.text, pytest.approx(word.part, abs=1e-3)) for word in getattr(wanted, name)]
    unknown = [word["text"] for word in found["words"] if not word["isKnown"]]
    assert unknown == [word.text for word in wanted.unknown]
    sentences = [(sentence["text"], sentence["label"]) for sentence in found["sentences"]]
    assert sentences == [(sentence.text, sentence.label) for sentence in wanted.sentences]


def test_explanations_of_the_included_model(js, tmp_path):
    with Scorer(neutral=True) as scorer:
        expected = scorer.explain(ODD)
    for found, wanted in zip(
        _answers(js, default_bundle_path(), ODD, tmp_path / "texts.json"), expected, strict=True
    ):
        _check(found, wanted)


@pytest.mark.parametrize(("model", "neutral"), [("headed", True), ("trained_three", False)])
def test_explanations_of_other_models(js, tmp_path, request, model, neutral):
    bundle = request.getfixturevalue(model)
    with Scorer(bundle, workers=1, neutral=neutral) as scorer:
        expected = scorer.explain(INVENTED)
    assert {wanted.label for wanted in expected} == {*scorer.given_labels}
    for found, wanted in zip(
        _answers(js, bundle.path, INVENTED, tmp_path / "texts.json"), expected, strict=True
    ):
        _check(found, wanted)


def test_scores_of_a_model_with_ngrams(js, tmp_path, make_bundle):
    pytest.importorskip("torch")
    from tiny_models import make_model

    bundle, texts = (
        make_bundle(make_model(ngram_buckets=31)),
        ["word1 word7 word7 word1", "word3"] * 3 + ["word9"],
    )
    with Scorer(bundle, workers=1) as scorer:
        expected = scorer.score(texts)
    found = _answers(js, bundle.path, texts, tmp_path / "texts.json")
    for answer, (label, score) in zip(found, expected, strict=True):
        assert (answer["label"], answer["score"]) == (label, pytest.approx(score, abs=1e-5))
