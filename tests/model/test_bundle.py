import contextlib
import errno
import hashlib
import json
import os
import shutil
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_models import make_model

from sentcli.config import BundleConfig, ModelConfig, TextConfig
from sentcli.errors import BundleError, OutputError
from sentcli.model import bundle
from sentcli.model.bundle import (
    BASE_RECIPE,
    CARD,
    CONFIG,
    CONFUSION,
    CURVES,
    EVALUATED_RELIABILITY,
    HISTORY,
    LENGTHS,
    MANIFEST,
    METRICS,
    ONNX,
    RECIPE,
    RELIABILITY,
    SIZES,
    VOCAB,
    WEIGHTS,
    Bundle,
    check_target,
    default_bundle_path,
    load_bundle,
    new_bundle,
    write_config,
    write_manifest,
)

SETTINGS = BundleConfig(ModelConfig(5), TextConfig(max_tokens=40), ("bad", "großartig"))
CONTENT = {VOCAB: "<pad>\n<unk>\nfilm\nété\n🎬\n".encode(), ONNX: b"\x00\x01model\xff" * 5}
DIGEST = "0" * 64


def fill(folder: Path, content: dict[str, bytes] = CONTENT) -> None:
    write_config(folder, SETTINGS)
    for name, data in content.items():
        (folder / name).write_bytes(data)


def write(target: Path, content: dict[str, bytes] = CONTENT, *, overwrite: bool = False) -> Path:
    with new_bundle(target, overwrite=overwrite) as folder:
        fill(folder, content)
    return target


def read_all(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def names_in(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def error_of(path: Path) -> str:
    with pytest.raises(BundleError) as caught:
        load_bundle(path)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 500 + len(str(path))
    return message


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path / "models" / "small")


# Writing and reading


def test_round_trip(folder: Path) -> None:
    read = load_bundle(folder)
    assert (read.path, read.name, read.model_file) == (folder, "small", None)
    assert read.config == SETTINGS
    assert read.digests.keys() == {CONFIG, *CONTENT}
    assert {name: read.read(name) for name in CONTENT} == CONTENT
    assert read.vocab.words == ("<pad>", "<unk>", "film", "été", "🎬")
    assert names_in(folder.parent) == ["small"]


def test_bundle_of_a_model(make_bundle: Callable[..., Bundle]) -> None:
    written = make_bundle(make_model(num_classes=3))
    assert written.digests.keys() == {CONFIG, VOCAB, WEIGHTS}
    assert written.config.labels == ("class0", "class1", "class2")
    assert len(written.vocab) == written.config.model.vocab_size


def test_files_are_what_other_tools_expect(folder: Path) -> None:
    manifest = json.loads((folder / MANIFEST).read_bytes())
    lines = [f"{digest}  {name}" for name, digest in manifest["sha256"].items()]
    names = sorted([CONFIG, *CONTENT])
    assert lines == [f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}" for name in names]
    assert json.loads((folder / CONFIG).read_text("utf-8")) == SETTINGS.to_json()
    assert "großartig" in (folder / CONFIG).read_text("utf-8")


def test_folder_has_the_permissions_of_any_new_folder(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        target = write(tmp_path / "new")
        assert os.umask(0o027) == 0o027  # looking at the mask leaves it as it is
    finally:
        os.umask(before)
    assert stat.S_IMODE(target.stat().st_mode) == 0o750


def test_folder_that_is_replaced_keeps_its_permissions(folder: Path) -> None:
    for mode in (0o700, 0o750, 0o777):
        folder.chmod(mode)
        write(folder, {}, overwrite=True)
        assert stat.S_IMODE(folder.stat().st_mode) == mode


def test_manifest_may_be_written_again(folder: Path) -> None:
    before = (folder / MANIFEST).read_bytes()
    write_manifest(folder)
    assert (folder / MANIFEST).read_bytes() == before


def test_model_file_instead_of_the_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = load_bundle(folder / ONNX)
    assert (read.path, read.model_file, read.config) == (folder, ONNX, SETTINGS)
    monkeypatch.chdir(folder)
    read = load_bundle(Path(ONNX))
    assert (read.name, read.model_file) == ("small", ONNX)
    assert load_bundle(Path()).name == "small"


def test_file_that_is_not_of_the_bundle(folder: Path) -> None:
    (folder / "other.onnx").write_bytes(b"")
    assert error_of(folder / "other.onnx") == f"{folder / 'other.onnx'}: not a file of the bundle {folder}"
    assert "not a file of the bundle" in error_of(folder / MANIFEST)
    load_bundle(folder)  # a file too many does not hurt the rest


def test_file_outside_any_model_folder(tmp_path: Path) -> None:
    (tmp_path / "reviews.csv").write_bytes(b"text\n")
    with pytest.raises(BundleError, match=r"reviews\.csv: not a file of a model folder; .*manifest\.json"):
        load_bundle(tmp_path / "reviews.csv")


def test_digest_depends_on_all_files_but_papers_and_nothing_else(folder: Path, tmp_path: Path) -> None:
    digest = load_bundle(folder).digest
    assert len(digest) == 64
    assert load_bundle(write(tmp_path / "again")).digest == digest
    assert load_bundle(folder / ONNX).digest == digest
    digests = json.loads((folder / MANIFEST).read_bytes())["sha256"]
    (folder / MANIFEST).write_text(json.dumps({"sha256": dict(reversed(digests.items()))}))
    assert load_bundle(folder).digest == digest
    others = [
        {**CONTENT, ONNX: b"other"},
        {**CONTENT, "card.md": b""},
        {VOCAB: CONTENT[VOCAB], "other.onnx": CONTENT[ONNX]},
    ]
    digests = {load_bundle(write(tmp_path / f"{n}", other)).digest for n, other in enumerate(others)}
    assert len(digests | {digest}) == 4


def test_digest_stays_with_a_new_card(folder: Path, tmp_path: Path) -> None:
    """As after `evaluate --card`: a scoring that was stopped before goes on with the same model."""
    papers = [CARD, METRICS, HISTORY, CURVES, RELIABILITY, CONFUSION, EVALUATED_RELIABILITY, LENGTHS, SIZES]
    with_papers = write(tmp_path / "papers", CONTENT | dict.fromkeys([*papers, RECIPE, BASE_RECIPE], b"new"))
    assert load_bundle(with_papers).digest == load_bundle(folder).digest


def test_default_bundle_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "site" / "sentcli"
    package.mkdir(parents=True)
    monkeypatch.setattr(bundle, "__file__", str(package / "model" / "bundle.py"))
    assert default_bundle_path() == tmp_path / "site" / "exports" / "imdb-bilstm"
    (package / "exports" / "imdb-bilstm").mkdir(parents=True)
    assert default_bundle_path() == package / "exports" / "imdb-bilstm"


# Overwriting


def test_target_that_exists_is_kept(folder: Path) -> None:
    before = read_all(folder)
    with pytest.raises(OutputError, match=r"small exists; give another name or --overwrite$"):
        write(folder, {})
    assert read_all(folder) == before


def test_overwrite(folder: Path) -> None:
    write(folder, {VOCAB: b"new"}, overwrite=True)
    assert read_all(folder).keys() == {CONFIG, VOCAB, MANIFEST}
    assert load_bundle(folder).read(VOCAB) == b"new"
    assert names_in(folder.parent) == ["small"]


@pytest.mark.parametrize("overwrite", [False, True])
def test_overwrite_is_no_demand(tmp_path: Path, overwrite: bool) -> None:
    load_bundle(write(tmp_path / "deep" / "er" / "new", overwrite=overwrite))


def test_empty_folder_may_be_replaced(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(OutputError, match="--overwrite"):
        check_target(tmp_path / "empty", overwrite=False)
    load_bundle(write(tmp_path / "empty", overwrite=True))


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt, SystemExit])
def test_block_that_fails_leaves_the_old_one(folder: Path, failure: type[BaseException]) -> None:
    before = read_all(folder)
    with pytest.raises(failure), new_bundle(folder, overwrite=True) as temporary:  # noqa: PT012
        assert temporary.parent == folder.parent  # so that the rename is one step
        fill(temporary, {})
        assert read_all(folder) == before
        raise failure
    assert read_all(folder) == before
    assert names_in(folder.parent) == ["small"]


def test_block_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError), new_bundle(tmp_path / "new") as temporary:  # noqa: PT012
        fill(temporary)
        raise ValueError
    assert names_in(tmp_path) == []


@pytest.mark.parametrize("is_elsewhere", [False, True])
def test_the_work_is_done_in_a_folder_beside_it(tmp_path: Path, is_elsewhere: bool) -> None:
    work, target, elsewhere = (tmp_path / name for name in ("work", "new", "elsewhere"))
    work.mkdir()
    elsewhere.mkdir()
    if is_elsewhere:  # it may be another disk
        target.symlink_to(elsewhere / "new")
    with new_bundle(target, within=work) as temporary:
        assert temporary.parent == (elsewhere if is_elsewhere else work)
        fill(temporary)
    load_bundle(target)
    assert names_in(work) == []


def test_full_disk_in_the_block(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"new: the model folder cannot be written: No space left on"):  # noqa: SIM117
        with new_bundle(tmp_path / "new"):
            raise OSError(28, "No space left on device")
    with pytest.raises(OutputError, match=r"new: the model folder cannot be written: odd$"):  # noqa: SIM117
        with new_bundle(tmp_path / "new"):
            raise OSError("odd")
    assert names_in(tmp_path) == []


@pytest.mark.parametrize(("code", "written"), [(errno.EINVAL, True), (errno.EIO, False)])
def test_file_system_that_cannot_sync_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, written: bool
) -> None:
    def fsync(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", fsync)
    with contextlib.nullcontext() if written else pytest.raises(OutputError, match="Input/output error"):
        write(tmp_path / "model")
    assert names_in(tmp_path) == (["model"] if written else [])


def test_what_came_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="new exists"), new_bundle(tmp_path / "new") as temporary:  # noqa: PT012
        fill(temporary)
        write(tmp_path / "new", {})
    load_bundle(tmp_path / "new")
    with pytest.raises(OutputError, match=r"new also holds 'notes\.txt'"):  # noqa: PT012, SIM117
        with new_bundle(tmp_path / "new", overwrite=True) as temporary:
            fill(temporary)
            (tmp_path / "new" / "notes.txt").write_text("mine")
    assert (tmp_path / "new" / "notes.txt").read_text() == "mine"
    assert names_in(tmp_path) == ["new"]


@pytest.mark.parametrize("moment", ["before the first", "after the first", "before the second"])
@pytest.mark.parametrize(
    ("failure", "raised"),
    [(OSError(5, "Input/output error"), OutputError), (KeyboardInterrupt(), KeyboardInterrupt)],
)
def test_old_one_comes_back_when_the_new_one_cannot_be_put_there(
    folder: Path, monkeypatch: pytest.MonkeyPatch, moment: str, failure: BaseException, raised: type
) -> None:
    """Whether it fails, or a signal comes, before the renames or between them."""
    before = read_all(folder)
    rename = Path.rename

    def fail(self: Path, target: Path) -> Path:
        number = {"small": "first", ".tmp": "second"}.get(self.suffix or self.name)
        if moment == f"before the {number}":
            raise failure
        renamed = rename(self, target)
        if moment == f"after the {number}":
            raise failure
        return renamed

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(raised):
        write(folder, {}, overwrite=True)
    assert read_all(folder) == before
    assert names_in(folder.parent) == ["small"]
    assert names_in(folder.parent) == ["small"]


def test_a_signal_when_the_new_one_is_there_leaves_no_old_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = Path.rename

    def interrupted(self: Path, target: Path) -> Path:
        renamed = rename(self, target)
        if self.suffix == ".tmp":
            raise KeyboardInterrupt
        return renamed

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write(folder, {"new": b"file"}, overwrite=True)
    assert "new" in names_in(folder)
    assert names_in(folder.parent) == ["small"]


def test_what_comes_between_the_renames_does_not_cost_the_old_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, rename = read_all(folder), Path.rename

    def meanwhile(self: Path, target: Path) -> Path:
        renamed = rename(self, target)
        if self == folder:
            foreign_folder(folder)
        return renamed

    monkeypatch.setattr(Path, "rename", meanwhile)
    with pytest.raises(OutputError, match="cannot be written"):
        write(folder, {}, overwrite=True)
    assert names_in(folder) == ["thesis.txt"]
    (old,) = (path for path in folder.parent.iterdir() if path != folder)
    assert read_all(old) == before


def test_a_folder_that_may_not_be_written_is_not_replaced(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its files could not be removed; who runs the tests may write everywhere."""
    monkeypatch.setattr(
        "sentcli.model.bundle.os.access", lambda path, mode: path != folder or mode != os.W_OK
    )
    with pytest.raises(OutputError, match="no permission to write there, so it is not replaced"):
        check_target(folder, overwrite=True)


def test_target_within_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputError, match=r"cannot be written|no model folder"):
        write(tmp_path / "file" / "new")
    assert (tmp_path / "file").read_text() == "mine"


def foreign_folder(target: Path) -> None:
    target.mkdir()
    (target / "thesis.txt").write_text("mine")


def foreign_manifest(target: Path) -> None:
    foreign_folder(target)
    (target / MANIFEST).write_text('{"name": "a browser extension"}')


def file(target: Path) -> None:
    target.write_text("mine")


@pytest.mark.parametrize("make", [foreign_folder, foreign_manifest, file])
def test_what_is_no_model_folder_is_not_replaced(tmp_path: Path, make: Callable[[Path], None]) -> None:
    target = tmp_path / "target"
    make(target)
    with pytest.raises(OutputError, match=r"target exists and is no model folder, so it is not replaced$"):
        write(target, overwrite=True)
    assert (target if target.is_file() else target / "thesis.txt").read_text() == "mine"
    assert names_in(tmp_path) == ["target"]


def test_foreign_file_in_a_model_folder(folder: Path) -> None:
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"small also holds 'notes.txt', which would be lost; move it away"):
        write(folder, overwrite=True)
    assert (folder / "notes.txt").read_text() == "mine"
    (folder / "notes.txt").unlink()
    write(folder, {}, overwrite=True)


@pytest.mark.parametrize("spelling", [".", "../small", "{}"])
def test_current_folder_is_not_replaced(folder: Path, monkeypatch: pytest.MonkeyPatch, spelling: str) -> None:
    before = read_all(folder)
    monkeypatch.chdir(folder)
    with pytest.raises(OutputError, match=r" is the current folder, which is not replaced"):
        write(Path(spelling.format(folder)), {}, overwrite=True)
    assert read_all(Path()) == before
    assert names_in(folder.parent) == ["small"]
    monkeypatch.chdir(folder.parent)
    write(Path("small"), {}, overwrite=True)


def test_mount_point_is_not_replaced(tmp_path: Path) -> None:
    """As the volume of a container is one: its rename would fail when all is trained."""
    (tmp_path / "root").symlink_to("/")
    for spelling in (Path("/"), tmp_path / "root"):
        with pytest.raises(
            OutputError, match=r" is a mount point, which cannot be replaced; name a folder in"
        ):
            check_target(spelling, overwrite=True)


def test_damaged_model_folder_may_be_replaced(folder: Path) -> None:
    (folder / ONNX).unlink()
    (folder / VOCAB).write_bytes(b"changed")
    write(folder, overwrite=True)
    load_bundle(folder)


def test_model_folder_of_hard_links_may_be_replaced(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "kept", copy_function=os.link)
    before = read_all(folder)
    write(folder, {VOCAB: b"new"}, overwrite=True)
    assert load_bundle(folder).read(VOCAB) == b"new"
    assert read_all(tmp_path / "kept") == before


def test_link_to_a_model_folder_stays(folder: Path, tmp_path: Path) -> None:
    link = tmp_path / "current"
    link.symlink_to(folder)
    assert load_bundle(link).name == "small"
    write(link, {}, overwrite=True)
    assert link.readlink() == folder
    assert load_bundle(folder).digests.keys() == {CONFIG}


# Damage


def test_every_truncation_is_found(folder: Path) -> None:
    for name in (CONFIG, VOCAB, ONNX):
        content = (folder / name).read_bytes()
        for length in range(len(content)):
            (folder / name).write_bytes(content[:length])
            assert error_of(folder).startswith(f"{folder / name}: damaged or changed")
        (folder / name).write_bytes(content + b"\n")
        assert error_of(folder).startswith(f"{folder / name}: damaged or changed")
        (folder / name).write_bytes(content)
    load_bundle(folder)


def test_every_truncation_of_the_manifest_is_found(folder: Path) -> None:
    content = (folder / MANIFEST).read_bytes()
    for length in range(len(content) - 1):  # the last byte is the end of the line
        (folder / MANIFEST).write_bytes(content[:length])
        assert error_of(folder).startswith(f"{folder / MANIFEST}: not JSON: ")


@pytest.mark.parametrize("bit", [0, 5, 7])
def test_every_flipped_bit_is_found(folder: Path, bit: int) -> None:
    for name in (CONFIG, VOCAB, ONNX):
        content = (folder / name).read_bytes()
        for place in range(len(content)):
            flipped = bytearray(content)
            flipped[place] ^= 1 << bit
            (folder / name).write_bytes(flipped)
            assert error_of(folder).startswith(f"{folder / name}: damaged or changed")
        (folder / name).write_bytes(content)


@pytest.mark.parametrize("bit", [0, 1, 4, 6, 7])
def test_flipped_bit_in_the_manifest_never_passes_for_another_model(folder: Path, bit: int) -> None:
    before = load_bundle(folder)
    content = (folder / MANIFEST).read_bytes()
    accepted = 0
    for place in range(len(content)):
        flipped = bytearray(content)
        flipped[place] ^= 1 << bit
        (folder / MANIFEST).write_bytes(flipped)
        with contextlib.suppress(BundleError):
            assert load_bundle(folder).digests == before.digests  # white space became other white space
            accepted += 1
    assert accepted < 0.1 * len(content)


def test_file_that_changes_after_loading(folder: Path) -> None:
    read = load_bundle(folder)
    (folder / ONNX).write_bytes(b"another model")
    with pytest.raises(BundleError, match=r"model.onnx: damaged or changed"):
        read.read(ONNX)
    (folder / VOCAB).unlink()
    with pytest.raises(BundleError, match=r"vocab.txt: the file is missing"):
        _ = read.vocab
    with pytest.raises(BundleError, match=r"the bundle has no model.safetensors; the folder that"):
        read.read(WEIGHTS)


@pytest.mark.parametrize("name", [CONFIG, VOCAB, ONNX, MANIFEST])
def test_missing_file(folder: Path, name: str) -> None:
    (folder / name).unlink()
    assert error_of(folder) == f"{folder / name}: the file is missing from the model folder"


@pytest.mark.parametrize("name", [CONFIG, ONNX, MANIFEST])
def test_link_is_refused(folder: Path, tmp_path: Path, name: str) -> None:
    (folder / name).rename(tmp_path / name)
    (folder / name).symlink_to(tmp_path / name)
    assert error_of(folder) == f"{folder / name}: a link; try a copy of the model folder by cp -rL"
    subprocess.run(["cp", "-rL", folder, tmp_path / "copy"], check=True)
    load_bundle(tmp_path / "copy")


@pytest.mark.parametrize("name", [CONFIG, VOCAB, ONNX, MANIFEST])
def test_hard_link_is_refused(folder: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "elsewhere").hardlink_to(folder / name)
    assert error_of(folder) == (
        f"{folder / name}: a hard link: the same file has a name elsewhere, through which it can change; "
        "try a copy of the model folder"
    )
    shutil.copytree(folder, tmp_path / "copy")
    load_bundle(tmp_path / "copy")
    (tmp_path / "elsewhere").unlink()
    load_bundle(folder)


def test_hard_link_made_after_loading_is_refused(folder: Path, tmp_path: Path) -> None:
    read = load_bundle(folder)
    (tmp_path / "elsewhere").hardlink_to(folder / ONNX)
    with pytest.raises(BundleError, match=r"model.onnx: a hard link"):
        read.read(ONNX)


def test_model_in_the_box_may_be_linked(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As uv and conda install it: each file is a hard link to the installer's cache."""
    package = tmp_path / "site" / "sentcli"
    installed = package / "exports" / "imdb-bilstm"
    shutil.copytree(folder, installed, copy_function=os.link)
    assert "a hard link" in error_of(installed)
    monkeypatch.setattr(bundle, "__file__", str(package / "model" / "bundle.py"))
    read = load_bundle(default_bundle_path())
    assert read.read(ONNX) == CONTENT[ONNX]
    assert read.vocab.words[2] == "film"
    (tmp_path / "link").symlink_to(installed)
    load_bundle(tmp_path / "link" / ONNX)
    assert "a hard link" in error_of(folder)


@pytest.mark.parametrize("name", [CONFIG, ONNX, MANIFEST])
def test_pipe_does_not_hang(folder: Path, name: str) -> None:
    (folder / name).unlink()
    os.mkfifo(folder / name)
    assert error_of(folder) == f"{folder / name}: not a plain file"


@pytest.mark.parametrize("name", [CONFIG, ONNX, MANIFEST])
def test_folder_in_place_of_a_file(folder: Path, name: str) -> None:
    (folder / name).unlink()
    (folder / name).mkdir()
    assert error_of(folder).startswith(f"{folder / name}: ")


def test_file_that_is_too_large(folder: Path) -> None:
    with (folder / ONNX).open("wb") as large:
        large.truncate((2 << 30) + 1)  # a hole: it takes no room on the disk
    assert error_of(folder) == f"{folder / ONNX}: {(2 << 30) + 1} bytes, more than a model file can have"


def test_no_such_model(tmp_path: Path) -> None:
    assert error_of(tmp_path / "none") == (
        f"{tmp_path / 'none'}: no such model; give a folder that `sentcli train` or `export` wrote"
    )
    assert "no such model" in error_of(tmp_path / "none" / ONNX)
    assert "manifest.json: the file is missing" in error_of(tmp_path)


def test_name_that_is_too_long(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 300)
    with pytest.raises(BundleError, match=r"File name too long|no such model"):
        load_bundle(path)
    with pytest.raises(OutputError):
        write(path)


# Manifest, config and vocabulary that are not valid


def set_manifest(folder: Path, content: object) -> str:
    text = content if isinstance(content, str) else json.dumps(content)
    (folder / MANIFEST).write_text(text)
    message = error_of(folder)
    assert message.startswith(f"{folder / MANIFEST}: ")
    return message.removeprefix(f"{folder / MANIFEST}: ")


@pytest.mark.parametrize(
    "name",
    [
        *("../config.json", "sub/config.json", "/etc/hostname", "..", ".", ".hidden", "", "-", "a\\b", "C:a"),
        *("config.json\n", "config.json\x00", "a b", "ü.json", MANIFEST, "x" * 50_000 + "/"),
    ],
)
def test_names_that_leave_the_folder(folder: Path, name: str) -> None:
    assert set_manifest(folder, {"sha256": {name: DIGEST}}) == f"{name!r:.100} is not a file name of a bundle"


@pytest.mark.parametrize(
    "digest", [None, 1, [], "", DIGEST[1:], DIGEST + "0", "A" * 64, DIGEST + "\n", "g" * 64]
)
def test_no_digest(folder: Path, digest: object) -> None:
    message = set_manifest(folder, {"sha256": {CONFIG: digest}})
    assert message == "the digest of config.json is not a SHA-256"


@pytest.mark.parametrize(
    "values", [[], None, 3, "sha256", {}, {"sha256": None}, {"sha256": []}, {"sha256": {}}]
)
def test_manifest_without_digests(folder: Path, values: object) -> None:
    assert set_manifest(folder, values if values != "sha256" else '"sha256"').startswith("no object 'sha256'")


def test_manifest_without_config(folder: Path) -> None:
    digests = json.loads((folder / MANIFEST).read_bytes())["sha256"]
    del digests[CONFIG]
    assert set_manifest(folder, {"sha256": digests}) == "the bundle has no config.json"


BAD_JSON = [
    *("", "{", "nonsense", "{'sha256': {}}", '{"a": 1} x'),
    *("[" * 200_000, '{"a":' * 200_000, "9" * 5000),
]


@pytest.mark.parametrize("text", BAD_JSON, ids=range(len(BAD_JSON)))
@pytest.mark.parametrize("name", [MANIFEST, CONFIG])
def test_no_json(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text, "utf-8")
    if name != MANIFEST:
        write_manifest(folder)
    assert error_of(folder).startswith(f"{folder / name}: not JSON: ")


@pytest.mark.parametrize("name", [MANIFEST, CONFIG])
def test_json_that_is_not_utf8(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b'{"\xff": 1}')
    if name != MANIFEST:
        write_manifest(folder)
    assert error_of(folder).startswith(f"{folder / name}: not JSON: ")


def test_repeated_key(folder: Path) -> None:
    text = '{"sha256": {"config.json": "%s", "config.json": "%s"}}' % (DIGEST, "1" * 64)  # noqa: UP031
    assert set_manifest(folder, text) == "not JSON: a key comes twice in one object"
    config = (folder / CONFIG).read_text("utf-8")
    (folder / CONFIG).write_text(config.replace('"text"', '"labels": [], "text"', 1), "utf-8")
    write_manifest(folder)
    assert error_of(folder) == f"{folder / CONFIG}: not JSON: a key comes twice in one object"


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999", "9" * 4000])
def test_config_with_an_odd_number(folder: Path, number: str) -> None:
    text = (folder / CONFIG).read_text("utf-8")
    (folder / CONFIG).write_text(text.replace('"dropout": 0.5', f'"dropout": {number}'), "utf-8")
    write_manifest(folder)
    assert error_of(folder).startswith(f"{folder / CONFIG}: model: dropout ")


def test_config_that_is_not_valid(folder: Path) -> None:
    values = SETTINGS.to_json()
    values["labels"] = ["one"]
    (folder / CONFIG).write_text(json.dumps(values))
    write_manifest(folder)
    assert error_of(folder).startswith(f"{folder / CONFIG}: labels: 2 different names needed")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<pad>\n<unk>\nab\xff\n", "not UTF-8 at byte 14"),
        (b"<pad>\n<unk>\nfilm\n", "3 words, but vocab_size is 5"),
        (b"<pad>\n<unk>\na\nb\nc\nd\n", "6 words, but vocab_size is 5"),
        (b"<pad>\n<unk>\na\nb\nb\n", "the vocabulary has the word 'b' twice"),
        (b"", "a vocabulary begins with"),
    ],
)
def test_vocab_that_is_not_valid(folder: Path, content: bytes, message: str) -> None:
    (folder / VOCAB).write_bytes(content)
    write_manifest(folder)
    with pytest.raises(BundleError) as caught:
        _ = load_bundle(folder).vocab
    assert str(caught.value).startswith(f"{folder / VOCAB}: {message}")


def test_bundle_without_vocab(folder: Path) -> None:
    (folder / VOCAB).unlink()
    write_manifest(folder)
    with pytest.raises(BundleError, match=r"manifest.json: the bundle has no vocab.txt$"):
        _ = load_bundle(folder).vocab


def test_copied_bundle_is_the_same(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "copy")
    assert load_bundle(tmp_path / "copy").digest == load_bundle(folder).digest
