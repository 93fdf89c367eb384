import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

from sentcli.evaluation import plots
from sentcli.evaluation.evaluate import measure
from sentcli.evaluation.metrics import reliability
from sentcli.scoring.labels import softmax

NAMES = ("negative", "positive")
HISTORY = [
    {"train_loss": 0.5, "train_accuracy": 0.75, "validation_loss": 0.4, "validation_accuracy": 0.8},
    {"train_loss": 0.3, "train_accuracy": 0.87, "validation_loss": 0.3, "validation_accuracy": 0.88},
    {"train_loss": 0.2, "train_accuracy": 0.92, "validation_loss": 0.35, "validation_accuracy": 0.87},
]


def measured(classes=2, rows=300):
    random = np.random.default_rng(1)
    labels = random.integers(0, classes, rows)
    logits = random.normal(0, 1, (rows, classes))
    logits[np.arange(rows), labels] += 1.5
    texts = ["word " * (10 if row < 100 else 70) for row in range(rows)]
    return measure(texts, labels, softmax(logits), [*map(str, range(classes))])


@pytest.fixture
def drawn(monkeypatch):
    """Collect the figures that are saved."""
    figures = []
    savefig = Figure.savefig

    def keep(figure, *args, **kwargs):
        figures.append(figure)
        savefig(figure, *args, **kwargs)

    monkeypatch.setattr(Figure, "savefig", keep)
    return figures


def texts_of(axes):
    return [text.get_text() for text in axes.texts]


def points_of(axes):
    return axes.containers[0].lines[0].get_xdata().tolist(), axes.containers[0].lines[0].get_ydata().tolist()


def test_the_confusion_matrix_has_names_and_shares_of_the_true_class(tmp_path, drawn):
    of = measured()
    plots.confusion_matrix(tmp_path / "a.png", of, NAMES)
    axes, _ = drawn[0].axes
    (a, b), (c, d) = of.figures.confusion
    assert texts_of(axes) == [
        f"{n / total:.1%}" for n, total in ((a, a + b), (b, a + b), (c, c + d), (d, c + d))
    ]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["negative", "positive"]
    assert f"{a + d} of 300 correct" in axes.get_title(loc="left")


@pytest.mark.parametrize("classes", [30, 31])
def test_classes_are_named_up_to_thirty_and_the_worst_pairs_beyond(tmp_path, drawn, classes):
    of, names = measured(classes, 2000), [f"class {number}" for number in range(classes)]
    plots.confusion_matrix(tmp_path / "a.png", of, names)
    axes = drawn[0].axes[0]
    named = [label.get_text() for label in axes.get_yticklabels()]
    if classes == 30:
        assert named == names
        return
    counts = np.array(of.figures.confusion)
    np.fill_diagonal(counts, 0)
    assert [bar.get_width() for bar in axes.patches] == sorted(counts.ravel())[-20:]
    assert len(named) == 20
    label, predicted = np.unravel_index(counts.argmax(), counts.shape)
    assert named[-1] == f"{label} → {predicted}"


@pytest.mark.filterwarnings("error")
def test_names_can_be_anything(tmp_path, drawn):
    plots.confusion_matrix(tmp_path / "a.png", measured(3), ["$x_1$ \\frac{", "two\nlines\x07", "あ" * 40])
    shown = [label.get_text() for label in drawn[0].axes[0].get_yticklabels()]
    assert shown == ["$x_1$ \\frac{", "two\\nlines\\x07", "あ" * 23 + "…"]


def test_reliability_diagrams_have_one_scale(tmp_path, drawn):
    of = measured()
    before = softmax(np.log(of.probabilities) / 3)
    plots.reliability(tmp_path / "a.png", of.labels, {"Before": before, "After": of.probabilities})
    left, right = drawn[0].axes
    for axes, title, probabilities in ((left, "Before", before), (right, "After", of.probabilities)):
        bins = reliability(of.labels, probabilities)
        used = bins.counts > 0
        assert axes.get_title(loc="left") == f"{title}\nexpected calibration error {bins.error:.4f}"
        assert points_of(axes) == (bins.confidence[used].tolist(), bins.accuracy[used].tolist())
        assert texts_of(axes) == [str(count) for count in bins.counts[used]]
    assert (left.get_xlim(), left.get_ylim()) == (right.get_xlim(), right.get_ylim())


def test_curves_have_both_parts_and_the_selected_epoch(tmp_path, drawn):
    plots.curves(tmp_path / "a.png", HISTORY)
    plots.curves(tmp_path / "b.png", HISTORY[:2], HISTORY)
    for axes, metric in zip(drawn[0].axes, ("loss", "accuracy"), strict=True):
        train, validation, kept = axes.lines
        assert train.get_ydata().tolist() == [record[f"train_{metric}"] for record in HISTORY]
        assert validation.get_ydata().tolist() == [record[f"validation_{metric}"] for record in HISTORY]
        assert set(kept.get_xdata()) == {2}  # the lowest validation loss
    train, _, kept, fine_tuning = drawn[1].axes[0].lines
    assert train.get_xdata().tolist() == [1, 2, 3, 4, 5]
    assert (set(kept.get_xdata()), set(fine_tuning.get_xdata())) == ({5}, {3.5})


def test_the_same_figures_have_the_same_bytes_whatever_the_settings_of_the_process(tmp_path):
    plots.curves(tmp_path / "a.png", HISTORY)
    with mpl.rc_context({"font.size": 30, "savefig.dpi": 20, "axes.facecolor": "red"}):
        plots.curves(tmp_path / "b.png", HISTORY)
        assert mpl.rcParams["font.size"] == 30
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
