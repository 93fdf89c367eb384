"""`sentcli train --config`: settings from a TOML file, and the recipe in a model folder."""

import tomllib
from pathlib import Path

import invented
import pytest
from commands import fail, invoke, parse

pytest.importorskip("torch")  # `sentcli train` needs it

from sentcli.cli.train import train
from sentcli.cli.train_options import given_settings
from sentcli.config import DataSet, settable
from sentcli.model.bundle import RECIPE
from sentcli.tables.options import ReadOptions
from sentcli.training.corpus import DataSource
from sentcli.training.record import recipe_of, to_toml
from sentcli.training.settings import resolve_settings

SMALL = """
glove = "none"
hidden-size = 4
embedding-dim = 5
max_tokens = 20
batch-size = 8
epochs = 2
lr = 1e-2
threads = 1
device = "cpu"
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return invented.write_csv(tmp_path / "reviews.csv", invented.reviews(60, seed=3))


@pytest.fixture
def write(tmp_path: Path):
    def write(content: str, name: str = "train.toml") -> Path:
        (tmp_path / name).write_text(content, "utf-8")
        return tmp_path / name

    return write


def settings(*arguments: object) -> dict[str, object]:
    return parse(f"sentcli train {' '.join(map(str, arguments))}").params


def test_a_file_gives_defaults_and_a_flag_overrides_it(write) -> None:
    file = write('hidden-size = 7\nlr = 1\npooling = "last"\noutput = "there"\nthreads = 2\n')
    read = settings("--config", file)
    assert (read["hidden_size"], read["lr"], read["pooling"]) == (7, 1.0, "last")
    assert (read["output"], read["threads"], read["seed"]) == (Path("there"), 2, settings()["seed"])
    read = settings("--hidden-size", 9, "--config", file, "-o", "here")
    assert (read["hidden_size"], read["lr"], read["output"]) == (9, 1.0, Path("here"))


def test_a_file_sets_a_flag(write) -> None:
    assert settings("--config", write("round-labels = true"))["round_labels"] is True


def test_auto_overrides_the_file(write) -> None:
    file = write('epochs = 4\nmin_freq = "auto"\n')
    assert settings("--config", file)["epochs"] == 4
    assert settings("--config", file)["min_freq"] is None
    assert settings("--config", file, "--epochs", "auto")["epochs"] is None


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("hiden-size = 3", ["unknown key 'hiden-size'; did you mean hidden-size"]),
        ("epochs = 2.5", ["epochs: '2.5' is not a valid integer"]),
        ("epochs = true", ["epochs is True", "string or a number"]),
        ("round-labels = 2", ["round-labels: '2' is not a valid boolean"]),
        ("batch-size = 3\nbatch_size = 4", ["batch_size is given twice"]),
        ('pooling = "min"', ["pooling: 'min' is not one of", "'max+mean'"]),
        ('output = "a\\u0000b"', ["output is 'a\\x00b'"]),
        ("overwrite = false", ["overwrite cannot be set in a file; give --overwrite"]),
        ("epochs 3", ["not TOML", "line 1"]),
        ("epochs = " + "[" * 5000, ["not TOML"]),
    ],
)
def test_a_wrong_key_or_value_is_refused_with_file_and_key(write, content, named) -> None:
    file = write(content)
    failure = fail("train", "--config", file)
    assert failure.code == 2
    for part in (str(file), *named):
        assert part in failure.message


def test_a_file_that_cannot_be_read_is_named(tmp_path) -> None:
    message = fail("train", "--config", tmp_path / "nothing.toml").message
    assert "nothing.toml: the settings cannot be read: No such file" in message
    assert "Is a directory" in fail("train", "--config", tmp_path).message
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    assert "binary.toml: not TOML" in fail("train", "--config", tmp_path / "binary.toml").message


def test_the_recipe_has_every_setting_and_nothing_of_the_run(data, write, tmp_path) -> None:
    made = invoke("train", "--config", write(SMALL), "--dataset", data, "-o", tmp_path / "one")
    assert made.exit_code == 0, made.output
    values = tomllib.loads((tmp_path / "one" / RECIPE).read_text("utf-8"))
    keys = {setting.name.replace("_", "-") for setting in settable()}
    assert values.keys() == keys | {"dataset", "glove", "max-rejects"}
    assert (values["dataset"], values["glove"]) == (str(data), "none")
    assert (values["hidden-size"], values["lr"]) == (4, 0.01)
    # Settings chosen by the data have their chosen values.
    assert isinstance(values["min-freq"], int)
    assert isinstance(values["validation-share"], float)


def test_a_path_that_is_not_utf8_goes_through_the_recipe(data, write, tmp_path) -> None:
    odd = tmp_path / "caf\udce9.txt"
    try:
        odd.write_text("the 1 2 3 4 5\nwas 1 2 3 4 5\n")
    except OSError:
        pytest.skip("this file system takes no such name")
    line = ("--config", write(SMALL), "--dataset", data, "--glove", odd)
    assert invoke("train", *line, "-o", tmp_path / "one").exit_code == 0
    again = invoke("train", "--config", tmp_path / "one" / RECIPE, "-o", tmp_path / "again")
    assert again.exit_code == 0, again.output


def test_any_value_goes_through_a_recipe(write) -> None:
    """Texts that TOML has to escape, and all values of a table."""
    odd = '"\\\n\t\x7f\N{CLAPPER BOARD}'
    first = DataSet(odd, weight=1e-5, targets={"3 stars": 0.5, "1": 0, odd: 1}, most=9, validate=False)
    source = DataSource((first, DataSet("b", "t", "l")), csv=ReadOptions(quotechar="\x7f"), positive=odd)
    values = tomllib.loads(to_toml(recipe_of(resolve_settings(source, {"lr": 1e-9}), odd)))
    assert (values["quotechar"], values["positive"], values["license"]) == ("\x7f", odd, odd)
    tables = tuple(DataSet.from_table(table, "there") for table in values["data"])
    assert tables == source.data


@pytest.mark.parametrize("file", ["exports/imdb-bilstm/recipe.toml", "data/recipe.toml", "docs/classic.toml"])
def test_recipes_of_the_repository_are_read(file) -> None:
    read = settings("--config", Path(__file__).parents[2] / file)
    assert read["weight_decay"] == (0 if "classic" in file else 0.01)


def test_given_settings_come_from_the_command_line_and_the_file(write) -> None:
    file = write('epochs = "auto"\nhidden-size = 40\nclip = 2\n')
    with train.make_context("train", ["--config", str(file), "--seed", "7"]):
        assert given_settings() == {"epochs": None, "hidden_size": 40, "clip": 2.0, "seed": 7}
    with train.make_context("train", []):
        assert given_settings() == {}
