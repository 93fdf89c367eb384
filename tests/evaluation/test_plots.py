from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import image
from matplotlib.figure import Figure

from sentcli.errors import OutputError
from sentcli.evaluation import plots
from sentcli.evaluation.lengths import scores_by_length
from sentcli.evaluation.measurement import measure
from sentcli.evaluation.metrics import reliability, roc_curves
from sentcli.scoring.labels import softmax

NAMES = ("negative", "positive")
HISTORY = [
    {
        "train_loss": 0.5,
        "train_accuracy": 0.75,
        "validation_loss": 0.4,
        "validation_accuracy": 0.8,
        "epoch": 1,
    },
    {
        "train_loss": 0.3,
        "train_accuracy": 0.87,
        "validation_loss": 0.3,
        "validation_accuracy": 0.88,
        "epoch": 2,
    },
    {
        "train_loss": 0.2,
        "train_accuracy": 0.92,
        "validation_loss": 0.35,
        "validation_accuracy": 0.87,
        "epoch": 3,
    },
]


def examples(classes=2, rows=300):
    random = np.random.default_rng(1)
    labels = random.integers(0, classes, rows)
    logits = random.normal(0, 1, (rows, classes))
    logits[np.arange(rows), labels] += 1.5
    return labels, softmax(logits)


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


def error_bars(axes):
    (bars,) = axes.containers[0].lines[2]
    return bars.get_segments()


def assert_picture(path):
    pixels = image.imread(path)
    assert min(pixels.shape[:2]) >= 500
    assert pixels[..., :3].std() > 0.01  # not an empty page


class TestConfusionMatrix:
    def test_has_names_counts_shares_and_accuracy(self, tmp_path, drawn):
        plots.confusion_matrix(tmp_path / "a.png", ((900, 100), (30, 1470)), NAMES)
        assert_picture(tmp_path / "a.png")
        (axes,) = drawn[0].axes
        assert texts_of(axes) == ["900\n90.0%", "100\n10.0%", "30\n2.0%", "1,470\n98.0%"]
        assert [label.get_text() for label in axes.get_xticklabels()] == ["negative", "positive"]
        assert [label.get_text() for label in axes.get_yticklabels()] == ["negative", "positive"]
        assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted", "true")
        assert "2,370 of 2,500 right (94.80%)" in axes.get_title(loc="left")
        # Rows are the true classes, from the top: the image is the matrix of shares.
        assert axes.images[0].get_array().tolist() == [[0.9, 0.1], [0.02, 0.98]]

    def test_a_class_without_example_divides_by_nothing(self, tmp_path, drawn):
        plots.confusion_matrix(tmp_path / "a.png", ((0, 0), (1, 3)), NAMES)
        assert texts_of(drawn[0].axes[0])[:2] == ["0\n0.0%", "0\n0.0%"]

    @pytest.mark.parametrize("classes", [13, 45])
    def test_many_classes_have_a_scale_instead_of_numbers(self, tmp_path, drawn, classes):
        names = [f"class {number}" for number in range(classes)]
        plots.confusion_matrix(tmp_path / "a.png", np.eye(classes, dtype=int).tolist(), names)
        axes, scale = drawn[0].axes
        assert texts_of(axes) == []
        assert scale.get_ylabel() == "share of the true class"
        assert ("class 7" in [label.get_text() for label in axes.get_yticklabels()]) == (classes == 13)

    @pytest.mark.filterwarnings("error")
    def test_names_may_hold_anything(self, tmp_path, drawn):
        names = ["$x_1$ \\frac{", "two\nlines\x07", "あ" * 40]
        plots.confusion_matrix(tmp_path / "a.png", np.eye(3, dtype=int).tolist(), names)
        shown = [label.get_text() for label in drawn[0].axes[0].get_yticklabels()]
        assert shown == ["$x_1$ \\frac{", "two lines ", "あ" * 23 + "…"]


class TestRoc:
    def test_has_the_curve_with_its_area_and_the_chance_line(self, tmp_path, drawn):
        labels, probabilities = examples()
        curves = roc_curves(labels, probabilities, NAMES)
        plots.roc(tmp_path / "a.png", curves)
        assert_picture(tmp_path / "a.png")
        chance, line = drawn[0].axes[0].lines
        assert chance.get_xdata().tolist() == chance.get_ydata().tolist() == [0, 1]
        assert line.get_xdata().tolist() == curves["positive"].false_positive_rate.tolist()
        assert line.get_ydata().tolist() == curves["positive"].true_positive_rate.tolist()
        assert line.get_label() == f"positive (AUC {curves['positive'].auc:.4f})"

    def test_of_many_classes_it_shows_the_worst_and_says_so(self, tmp_path, drawn):
        names = [f"class {number}" for number in range(10)]
        curves = roc_curves(*examples(10), names)
        plots.roc(tmp_path / "a.png", curves)
        axes = drawn[0].axes[0]
        worst = sorted(names, key=lambda name: curves[name].auc)[:7]
        assert [line.get_label().split(" (")[0] for line in axes.lines[1:]] == worst
        assert "the lowest 7 of 10" in axes.get_title(loc="left")

    def test_a_class_whose_name_begins_with_an_underscore_is_in_the_legend(self, tmp_path, drawn):
        curves = roc_curves(*examples(3), ["_a", "b", "c"])
        plots.roc(tmp_path / "a.png", curves)
        names = [text.get_text().split(" (")[0] for text in drawn[0].axes[0].get_legend().get_texts()]
        assert {"\u200b_a", "b", "c"} <= {*names}

    def test_without_a_curve_it_still_draws(self, tmp_path):
        plots.roc(tmp_path / "a.png", {})
        assert_picture(tmp_path / "a.png")


class TestReliability:
    def test_has_accuracy_by_confidence_and_the_counts(self, tmp_path, drawn):
        bins = reliability(*examples())
        plots.reliability(tmp_path / "a.png", bins)
        assert_picture(tmp_path / "a.png")
        upper, lower = drawn[0].axes
        used = bins.counts > 0
        points = upper.containers[0].lines[0]
        assert points.get_xdata().tolist() == bins.confidence[used].tolist()
        assert points.get_ydata().tolist() == bins.accuracy[used].tolist()
        assert texts_of(lower) == [str(count) for count in bins.counts[used]]
        assert [bar.get_height() for bar in lower.patches] == bins.counts[used].tolist()
        title = upper.get_title(loc="left")
        assert "n = 300" in title
        assert f"error {bins.error:.4f}" in title

    def test_error_bars_are_the_95_percent_interval(self, tmp_path, drawn):
        # Ten examples of confidence 0.9, all right: Wilson's interval is 0.7225 to 1.
        plots.reliability(tmp_path / "a.png", reliability(np.ones(10, int), np.tile([0.1, 0.9], (10, 1))))
        (bar,) = error_bars(drawn[0].axes[0])
        assert bar[:, 1] == pytest.approx([0.7225, 1], abs=1e-4)


class TestReliabilityBeforeAfter:
    def test_has_both_diagrams_to_one_scale(self, tmp_path, drawn):
        labels, after = examples()
        before = softmax(np.log(after) / 3)
        plots.reliability_before_after(tmp_path / "a.png", labels, before, after)
        assert_picture(tmp_path / "a.png")
        left, right, *_ = drawn[0].axes
        for axes, word, probabilities in ((left, "Before", before), (right, "After", after)):
            bins = reliability(labels, probabilities)
            title = axes.get_title(loc="left")
            assert title.startswith(f"{word} calibration\nn = 300")
            assert f"error {bins.error:.4f}" in title
            points = axes.containers[0].lines[0]
            assert points.get_ydata().tolist() == bins.accuracy[bins.counts > 0].tolist()
        assert left.get_xlim() == right.get_xlim()
        assert left.get_ylim() == right.get_ylim()
        lowest = min(bar[:, 1].min() for axes in (left, right) for bar in error_bars(axes))
        assert left.get_ylim()[0] <= lowest


class TestAccuracyByLength:
    def test_has_the_bins_that_hold_texts(self, tmp_path, drawn):
        labels, probabilities = examples()
        lengths = np.where(np.arange(300) < 100, 10, 70)
        parts = scores_by_length(labels, probabilities, lengths)
        plots.accuracy_by_length(tmp_path / "a.png", parts)
        assert_picture(tmp_path / "a.png")
        upper, lower = drawn[0].axes
        points = upper.containers[0].lines[0]
        assert points.get_ydata().tolist() == [parts[0].accuracy, parts[2].accuracy]
        assert [bar[:, 1].tolist() for bar in error_bars(upper)] == [
            pytest.approx(list(parts[number].accuracy_interval)) for number in (0, 2)
        ]
        assert texts_of(lower) == ["100", "200"]
        assert [label.get_text() for label in lower.get_xticklabels()] == ["1-31", "64-127"]
        accuracy = (probabilities.argmax(axis=1) == labels).mean()
        assert upper.lines[0].get_ydata() == pytest.approx([accuracy, accuracy])

    def test_one_bin_is_enough(self, tmp_path):
        labels, probabilities = examples()
        plots.accuracy_by_length(tmp_path / "a.png", scores_by_length(labels, probabilities, [7] * 300))
        assert_picture(tmp_path / "a.png")


class TestCurves:
    def test_has_loss_and_accuracy_of_both_parts(self, tmp_path, drawn):
        plots.curves(tmp_path / "a.png", HISTORY)
        assert_picture(tmp_path / "a.png")
        for axes, metric in zip(drawn[0].axes, ("loss", "accuracy"), strict=True):
            train, validation, kept = axes.lines
            assert train.get_ydata().tolist() == [record[f"train_{metric}"] for record in HISTORY]
            assert validation.get_ydata().tolist() == [record[f"validation_{metric}"] for record in HISTORY]
            assert train.get_xdata().tolist() == [1, 2, 3]
            assert set(kept.get_xdata()) == {2}  # the lowest validation loss
        (legend,) = drawn[0].legends
        assert [text.get_text() for text in legend.texts] == ["train", "validation", "epoch that was kept"]

    def test_epochs_of_the_model_it_went_on_from_stand_before_its_own(self, tmp_path, drawn):
        plots.curves(tmp_path / "a.png", HISTORY[:2], HISTORY)
        assert_picture(tmp_path / "a.png")
        for axes, metric in zip(drawn[0].axes, ("loss", "accuracy"), strict=True):
            train, _, kept, begins = axes.lines
            assert train.get_ydata().tolist() == [row[f"train_{metric}"] for row in [*HISTORY, *HISTORY[:2]]]
            assert train.get_xdata().tolist() == [1, 2, 3, 4, 5]
            assert (set(kept.get_xdata()), set(begins.get_xdata())) == ({5}, {3.5})

    def test_one_epoch_is_enough(self, tmp_path):
        plots.curves(tmp_path / "a.png", HISTORY[:1])
        assert_picture(tmp_path / "a.png")


class TestSizes:
    def test_each_size_is_a_point_and_each_number_of_layers_a_line(self, tmp_path, drawn):
        sizes = [
            {"hidden": hidden, "layers": layers, "validation_accuracy": accuracy, "reviews_per_second": speed}
            for hidden, layers, accuracy, speed in (
                (64, 1, 0.92, 2500),
                (32, 1, 0.9, 6600),
                (64, 2, 0.921, 900),
            )
        ]
        plots.accuracy_by_speed(tmp_path / "a.png", sizes)
        assert_picture(tmp_path / "a.png")
        (axes,) = drawn[0].axes
        assert [line.get_xdata().tolist() for line in axes.lines] == [[2500, 6600], [900]]
        assert [line.get_ydata().tolist() for line in axes.lines] == [[0.92, 0.9], [0.921]]
        assert texts_of(axes) == ["64", "32", "64"]
        drawn[0].canvas.draw()
        assert [label.get_text() for label in axes.get_xticklabels(which="both")] == ["900", "2,500", "6,600"]


class TestFiles:
    def test_the_same_figures_give_the_same_bytes(self, tmp_path):
        plots.curves(tmp_path / "a.png", HISTORY)
        with mpl.rc_context({"font.size": 30, "savefig.dpi": 20, "axes.facecolor": "red"}):
            plots.curves(tmp_path / "b.png", HISTORY)
        assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()

    def test_the_settings_of_the_process_stay(self, tmp_path):
        with mpl.rc_context({"font.size": 30}):
            plots.curves(tmp_path / "a.png", HISTORY)
            assert mpl.rcParams["font.size"] == 30

    def test_a_folder_that_is_not_there_is_an_error_with_the_path(self, tmp_path):
        with pytest.raises(OutputError, match=r"nowhere/a\.png.*No such file"):
            plots.curves(tmp_path / "nowhere" / "a.png", HISTORY)

    def test_an_old_picture_stays_when_the_new_one_cannot_be_written(self, tmp_path, monkeypatch):
        def fill_up(figure, file, **options):
            (file.open("wb") if isinstance(file, Path) else file).write(b"half")
            raise OSError(28, "No space left on device")

        (tmp_path / "a.png").write_bytes(b"old")
        monkeypatch.setattr("matplotlib.figure.Figure.savefig", fill_up)
        with pytest.raises(OutputError, match=r"a\.png: the picture cannot be written: No space left"):
            plots.curves(tmp_path / "a.png", HISTORY)
        assert (tmp_path / "a.png").read_bytes() == b"old"
        assert [file.name for file in tmp_path.iterdir()] == ["a.png"]

    def test_an_evaluation_has_four_pictures(self, tmp_path):
        plots.check_folder(tmp_path / "new" / "folder", overwrite=False)
        measured = measure(["seven words, and no more than that"] * 300, *examples(), NAMES)
        plots.draw_evaluation(tmp_path / "new" / "folder", measured, NAMES)
        files = sorted(file.name for file in (tmp_path / "new" / "folder").iterdir())
        assert files == ["accuracy_by_length.png", "confusion_matrix.png", "reliability.png", "roc.png"]

    @pytest.mark.parametrize(
        "name", ["confusion_matrix.png", "roc.png", "reliability.png", "accuracy_by_length.png"]
    )
    def test_a_picture_that_is_there_needs_overwrite(self, tmp_path, name):
        (tmp_path / name).touch()
        with pytest.raises(OutputError, match=f"{name} exists.*--overwrite"):
            plots.check_folder(tmp_path, overwrite=False)
        plots.check_folder(tmp_path, overwrite=True)

    def test_a_model_folder_keeps_its_own_pictures(self, trained):
        with pytest.raises(OutputError, match="is a model folder"):
            plots.check_folder(trained.path, overwrite=True)

    def test_a_file_in_place_of_the_folder_is_an_error(self, tmp_path):
        (tmp_path / "file").touch()
        with pytest.raises(OutputError, match="file: the folder cannot be made"):
            plots.check_folder(tmp_path / "file", overwrite=True)
