"""The page of a training."""

import pytest
from test_page import Elements

pytest.importorskip("sklearn")

from sentcli.evaluation.model_card import read_metrics
from sentcli.model.bundle import default_bundle_path, load_bundle
from sentcli.report.measured import render_training

BOX = load_bundle(default_bundle_path())
METRICS = {**read_metrics(BOX), "best_epoch": 3}
LOSSES = [
    (0.4417, 0.8341, 0.2817, 0.9247),
    (0.3426, 0.9108, 0.2709, 0.9302),
    (0.3082, 0.9322, 0.2695, 0.9297),
]
LOSSES += [(0.2845, 0.9459, 0.2706, 0.9277), (0.2705, 0.9534, 0.2732, 0.9284)]
NAMES = ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy")
EPOCHS = [
    {
        "epoch": number,
        **dict(zip(NAMES, values, strict=True)),
        "lr": 0.001,
        "seconds": 9.0,
        "words_per_second": 9.0,
    }
    for number, values in enumerate(LOSSES, start=1)
]
VALIDATION, ERRORS = METRICS["validation"], METRICS["calibration"]
BASELINE = {"accuracy": 0.85, "accuracy_interval": (0.79, 0.89), "macro_f1": 0.8412, "log_loss": 0.4}
BASELINE |= {"seconds": 1.234, "is_beaten": False, "is_better": False}
BIN = {"low": 0.5, "high": 0.75, "examples": 4, "confidence": 0.6, "accuracy": 0.5}
BIN |= {"accuracy_interval": (0.15, 0.85)}


def page_of(epochs=EPOCHS, name="my-model", **changes):
    page = render_training({**METRICS, **changes}, epochs, name).decode()
    return " ".join(Elements(page.replace("</t", " </t")).text.split())


def test_it_shows_curves_validation_and_data():
    text = page_of()
    for part in (
        "Training of my-model",
        f"{VALIDATION['accuracy']:.1%}".replace("%", " %")
        + f" of the {VALIDATION['examples']:,} validation texts get the right label",
        "lowest after epoch 3 of 5, whose weights the model has.",
        "Loss by epoch",
        "3 (kept) 0.3082 0.9322 0.2695 0.9297",
        f"expected calibration error {ERRORS['error_before']:.4f} {ERRORS['error_after']:.4f}",
        "negative {:,} {:,}".format(*VALIDATION["confusion"][0]),
        "reviews/blitzer.parquet 6,994 1.0 yes",
        METRICS["command"],
    ):
        assert part in text


def test_the_baseline_and_the_reliability():
    text = page_of(baseline=BASELINE, validation=METRICS["validation"] | {"by_confidence": [BIN]})
    assert "linear model has 85.0 %: the network is not better by more than chance" in text
    assert "0.50 to 0.75 50.0 % 4" in text
    assert "the network is worse by more than chance" in page_of(baseline=BASELINE | {"is_better": True})


def test_the_texts_of_each_class_are_counted():
    counts = page_of(classes={"bad": 6994.0, "good": 12000.4})
    assert "By label, times their weights: bad 6,994, good 12,000." in counts


def test_curves_fit_their_axes():
    validation = METRICS["validation"] | {"by_confidence": []}
    page = render_training(METRICS | {"validation": validation}, EPOCHS, "x").decode()
    points = [pair.split(",") for line in page.split('points="')[1:] for pair in line.split('"')[0].split()]
    assert len(points) == 4 * len(EPOCHS)
    assert all(0 <= float(x) <= 100 and 0 <= float(y) <= 100 for x, y in points)
    assert '<span style="bottom:100%">0.442</span>' in page  # of the loss
    assert '<span style="bottom:100%">0.953</span>' in page  # of the accuracy


@pytest.mark.parametrize("epochs", [1, 40])
def test_one_epoch_and_many(epochs):
    records = [EPOCHS[0] | {"epoch": 1 + number} for number in range(epochs)]
    assert "Learning curves" in page_of(records, best_epoch=epochs)


def test_a_loss_that_is_not_known():
    assert "Learning curves" in page_of([EPOCHS[0] | {"validation_loss": None}, EPOCHS[1]])


def test_names_are_escaped():
    data = [METRICS["data"][0] | {"path": "<script>alert(1)</script>"}]
    page = render_training({**METRICS, "data": data}, EPOCHS, "<b>").decode()
    assert page.count("<script") == 1
    assert "<b>" not in page.partition("<main>")[2].partition("tiles")[0]
