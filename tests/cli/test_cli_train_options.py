from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from sentcli.cli.train import train
from sentcli.cli.train_options import first_given, given_settings, is_on_the_line


def asked(words: Sequence[str], question: Callable[[], Any]) -> Any:
    with train.make_context("train", [*words]):
        return question()


@pytest.fixture
def recipe(tmp_path: Path) -> str:
    """A file that has what is usual, and two settings that are not."""
    file = tmp_path / "recipe.toml"
    file.write_text('epochs = "auto"\nlayers = 1\nhidden = 40\npretrain = 2\nrounds = 1\npassages = 3.0\n')
    return str(file)


@pytest.mark.parametrize(
    ("words", "given"),
    [
        ([], {}),
        (["--hidden", "64"], {"hidden_size": ("--hidden", 64)}),
        # What is usual was chosen all the same by whoever wrote it on the line; `auto` leaves the choice.
        (["--layers", "1"], {"num_layers": ("--layers", 1)}),
        (["--epochs", "auto"], {}),
        (["--pretrain", "2", "--seed", "7"], {"pretrain": ("--pretrain", 2), "seed": ("--seed", 7)}),
    ],
)
def test_given_settings_are_those_on_the_line(words: list[str], given: dict[str, tuple[str, Any]]) -> None:
    assert asked(words, given_settings) == given


def test_of_a_file_what_is_not_usual_is_given_and_language_modelling_never(recipe: str) -> None:
    assert asked(["--config", recipe], given_settings) == {"hidden_size": ("--hidden", 40)}
    assert asked(["--config", recipe, "--pretrain", "1"], given_settings) == {
        "hidden_size": ("--hidden", 40),
        "pretrain": ("--pretrain", 1),
    }


def test_the_first_given_of_some_options_is_named(recipe: str) -> None:
    assert asked([], lambda: first_given(["rounds", "passages"])) is None
    assert asked(["--config", recipe], lambda: first_given(["rounds", "passages"])) == "--passages"
    assert asked(["--rounds", "1"], lambda: first_given(["passages", "rounds"])) == "--rounds"


def test_only_a_flag_is_on_the_line(recipe: str) -> None:
    assert asked(["--hidden", "40"], lambda: is_on_the_line("hidden_size"))
    assert not asked(["--config", recipe], lambda: is_on_the_line("hidden_size"))
