import inspect
import json
from types import SimpleNamespace

import pytest

from sentcli import errors
from sentcli.errors import (
    InterruptedRunError,
    MissingExtraError,
    SentcliError,
    StopRequested,
    UsageError,
    is_utf8,
    names_flags,
    option,
    pip_command,
    requires,
    signal_of,
    without_secrets,
)


def test_requires_names_the_pip_command() -> None:
    with pytest.raises(MissingExtraError) as caught, requires("train"):
        import no_such_package_at_all  # noqa: F401
    missing = "this needs the package 'no_such_package_at_all', which is not installed"
    assert str(caught.value) == f"{missing}; try: {pip_command('train')}"
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)


@pytest.mark.parametrize(
    ("origin", "command"),
    [
        (None, "pip install 'sentcli[train]'"),
        ({"url": "file:///a", "dir_info": {"editable": True}}, "pip install -e 'file:///a[train]'"),
        ({"url": "file:///a", "dir_info": {}}, "pip install 'sentcli[train] @ file:///a'"),
        (
            {"url": "https://example.org/s.git", "vcs_info": {"vcs": "git"}},
            "pip install 'sentcli[train] @ git+https://example.org/s.git'",
        ),
    ],
)
def test_an_extra_comes_from_where_the_package_came_from(monkeypatch, origin, command) -> None:
    text = origin and json.dumps(origin)
    installed = SimpleNamespace(read_text=lambda name: text)
    monkeypatch.setattr("importlib.metadata.distribution", lambda name: installed)
    assert pip_command("train") == command


def test_requires_lets_the_rest_pass() -> None:
    with requires("train"):
        import json
    assert json.loads("1") == 1
    with pytest.raises(ZeroDivisionError), requires("train"):
        _ = 1 / 0
    with pytest.raises(ImportError) as caught, requires("train"):
        from json import no_such_name  # noqa: F401
    assert not isinstance(caught.value, SentcliError)  # a broken package: no pip command mends that


def test_a_usage_error_exits_with_2_and_any_other_with_1() -> None:
    kinds = {
        kind for _, kind in inspect.getmembers(errors, inspect.isclass) if kind.__module__ == errors.__name__
    }
    kinds -= {InterruptedRunError, StopRequested}
    assert len(kinds) > 10
    for kind in kinds:
        error = kind("what, where, what to try")
        assert isinstance(error, SentcliError)
        assert (error.exit_code, str(error)) == (1 + (kind is UsageError), "what, where, what to try"), kind


@pytest.mark.parametrize(("signal_number", "code"), [(1, 129), (2, 130), (15, 143)])
def test_interrupted_run_exits_as_shells_expect(signal_number: int, code: int) -> None:
    error = InterruptedRunError("saved; go on with --resume", signal_number)
    assert isinstance(error, SentcliError)
    assert (error.exit_code, str(error)) == (code, "saved; go on with --resume")
    assert SentcliError.exit_code == 1


def test_a_stop_request_is_no_ordinary_exception() -> None:
    error = StopRequested(15)
    assert signal_of(error) == 15
    assert isinstance(error, KeyboardInterrupt)
    assert not isinstance(error, Exception)  # an `except Exception` on the way does not swallow it


@pytest.mark.parametrize("text", ["", "a", "é", "\ud7ff", "\ue000", "\U0010ffff", "\ud800", "a\udfff"])
def test_is_utf8_where_it_can_be_encoded(text: str) -> None:
    assert is_utf8(text) == (text == text.encode(errors="ignore").decode())


def test_an_option_is_named_as_its_user_writes_it() -> None:
    cases = [
        ("text_column", None, "text_column", "--text-column"),
        ("text_column", "a b", "text_column='a b'", "--text-column 'a b'"),
        ("skip_rows", 2, "skip_rows=2", "--skip-rows 2"),
        ("overwrite", True, "overwrite=True", "--overwrite"),
        ("output_format", "csv", "write.format='csv'", "--output-format csv"),
    ]
    for name, value, argument, flag in cases:
        assert option(name, value) == argument
        with names_flags():
            assert option(name, value) == flag
        assert option(name, value) == argument


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://user:pw@host/x.csv?X-Amz-Signature=SIG", "http://host/x.csv?..."),
        ("https://token@host/x.csv", "https://host/x.csv"),
        ("sftp://user:p@w@host/x.csv?a=b: no such file", "sftp://host/x.csv?a=b: no such file"),
        ("http://host/x.csv?sig=1&b=2: status 404", "http://host/x.csv?...: status 404"),
        ("url='http://u:p@host/x?sig=1', http://host/y?z", "url='http://host/x?...', http://host/y?..."),
        ("abfs://container@account.net/x.csv", "abfs://container@account.net/x.csv"),
        ("s3://bucket/a?b@c:d/*.csv: no such files", "s3://bucket/a?b@c:d/*.csv: no such files"),
        ("what is http://host: an @ and a ?", "what is http://host: an @ and a ?"),
    ],
)
def test_what_is_shown_of_urls_has_no_secrets(text: str, shown: str) -> None:
    assert without_secrets(text) == shown
