"""The model folder: what is written is read, any damage is found, and nothing is lost when it is replaced."""

import contextlib
import hashlib
import json
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from sentcli.config import BundleConfig, ModelConfig, TextConfig
from sentcli.errors import BundleError, OutputError
from sentcli.model import bundle
from sentcli.model.bundle import (
    CARD,
    CONFIG,
    MANIFEST,
    METRICS,
    NORMALIZER,
    ONNX,
    RECIPE,
    VOCAB,
    Bundle,
    check_target,
    check_writable,
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


def load_all(path: Path) -> Bundle:
    """Open a bundle and read each of its files."""
    loaded = load_bundle(path)
    for name in loaded.digests:
        loaded.read(name)
    return loaded


def error_of(path: Path) -> str:
    with pytest.raises(BundleError) as caught:
        load_all(path)
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
    assert (read.path, read.name, read.model_file, read.is_shipped) == (folder, "small", None, False)
    assert read.config == SETTINGS
    assert read.digests.keys() == {CONFIG, *NORMALIZER, *CONTENT}
    assert {name: read.read(name) for name in CONTENT} == CONTENT
    assert read.vocab.words == ("<pad>", "<unk>", "film", "été", "🎬")
    assert names_in(folder.parent) == ["small"]


def test_files_are_what_other_tools_expect(folder: Path) -> None:
    manifest = json.loads((folder / MANIFEST).read_bytes())
    lines = [f"{digest}  {name}" for name, digest in manifest["sha256"].items()]
    names = sorted([CONFIG, *NORMALIZER, *CONTENT])
    assert lines == [f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}" for name in names]
    assert json.loads((folder / CONFIG).read_text("utf-8")) == json.loads(json.dumps(SETTINGS.to_json()))
    assert "großartig" in (folder / CONFIG).read_text("utf-8")


def test_a_new_folder_has_the_usual_permissions_and_a_replaced_one_those_it_had(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        target = write(tmp_path / "new")
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(before)
    assert stat.S_IMODE(target.stat().st_mode) == 0o750
    target.chmod(0o700)
    write(target, {}, overwrite=True)
    assert stat.S_IMODE(target.stat().st_mode) == 0o700


def test_a_model_file_in_place_of_the_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = load_bundle(folder / ONNX)
    assert (read.path, read.model_file, read.config) == (folder, ONNX, SETTINGS)
    monkeypatch.chdir(folder)
    read = load_bundle(Path(ONNX))
    assert (read.name, read.model_file) == ("small", ONNX)
    assert load_bundle(Path()).name == "small"


def test_a_file_that_is_not_of_the_bundle(folder: Path, tmp_path: Path) -> None:
    (folder / "other.onnx").write_bytes(b"")
    assert error_of(folder / "other.onnx") == f"{folder / 'other.onnx'}: not a file of the bundle {folder}"
    load_all(folder)  # another file does not matter to the rest
    (tmp_path / "reviews.csv").write_bytes(b"text\n")
    assert "reviews.csv: not a file of a model folder" in error_of(tmp_path / "reviews.csv")


def test_digest_is_that_of_the_files_that_scores_depend_on(folder: Path, tmp_path: Path) -> None:
    digest = load_bundle(folder).digest
    assert len(digest) == 64
    assert load_bundle(folder / ONNX).digest == digest
    digests = json.loads((folder / MANIFEST).read_bytes())["sha256"]
    (folder / MANIFEST).write_text(json.dumps({"sha256": dict(reversed(digests.items()))}))
    assert load_bundle(folder).digest == digest
    papers = dict.fromkeys([CARD, METRICS, RECIPE], b"new")
    assert load_bundle(write(tmp_path / "papers", CONTENT | papers)).digest == digest
    for name in (ONNX, VOCAB, "other.onnx"):
        assert load_bundle(write(tmp_path / name, {**CONTENT, name: b"other"})).digest != digest


# Overwriting


def test_a_target_that_exists_is_kept_without_overwrite(folder: Path) -> None:
    before = read_all(folder)
    with pytest.raises(OutputError, match=r"small exists; give another name, or add overwrite=True$"):
        write(folder, {})
    assert read_all(folder) == before
    write(folder, {VOCAB: b"new"}, overwrite=True)
    assert read_all(folder).keys() == {CONFIG, *NORMALIZER, VOCAB, MANIFEST}
    assert load_bundle(folder).read(VOCAB) == b"new"
    assert names_in(folder.parent) == ["small"]


def test_overwrite_makes_a_new_folder_too_and_replaces_an_empty_one(tmp_path: Path) -> None:
    load_bundle(write(tmp_path / "deep" / "er" / "new", overwrite=True))
    (tmp_path / "empty").mkdir()
    load_bundle(write(tmp_path / "empty", overwrite=True))


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_block_that_fails_leaves_the_old_one(folder: Path, failure: type[BaseException]) -> None:
    before = read_all(folder)
    with pytest.raises(failure), new_bundle(folder, overwrite=True) as temporary:  # noqa: PT012
        assert temporary.parent == folder.parent  # so that the rename is atomic
        fill(temporary, {})
        assert read_all(folder) == before
        raise failure
    assert read_all(folder) == before
    assert names_in(folder.parent) == ["small"]


@pytest.mark.parametrize(
    ("error", "message"),
    [(OSError(28, "No space left on device"), "No space left"), (OSError("odd"), "odd$")],
)
def test_a_full_disk_leaves_nothing(tmp_path: Path, error: OSError, message: str) -> None:
    with pytest.raises(OutputError, match=f"new: the model folder cannot be written: {message}"):  # noqa: SIM117
        with new_bundle(tmp_path / "new"):
            raise error
    assert names_in(tmp_path) == []


def test_what_appeared_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="new exists"), new_bundle(tmp_path / "new") as temporary:  # noqa: PT012
        fill(temporary)
        write(tmp_path / "other", {}).rename(tmp_path / "new")
    load_bundle(tmp_path / "new")


def test_the_next_run_clears_up_after_a_killed_one(folder: Path) -> None:
    before = read_all(folder)
    folder.rename(folder.with_name(".small.sentcli-old"))  # killed between two renames
    assert load_bundle(folder).path == folder
    assert read_all(folder) == before
    for kind in ("new", "old"):
        shutil.copytree(folder, folder.with_name(f".small.sentcli-{kind}"))
    write(folder, overwrite=True)
    assert names_in(folder.parent) == ["small"]


@pytest.mark.parametrize("moment", ["before the first", "after the first", "before the second"])
@pytest.mark.parametrize(
    ("failure", "raised"),
    [(OSError(5, "Input/output error"), OutputError), (KeyboardInterrupt(), KeyboardInterrupt)],
)
def test_the_old_one_comes_back_when_a_rename_fails(
    folder: Path, monkeypatch: pytest.MonkeyPatch, moment: str, failure: BaseException, raised: type
) -> None:
    before = read_all(folder)
    rename = Path.rename

    def fail(self: Path, target: Path) -> Path:
        number = {"small": "first", ".small.sentcli-new": "second"}.get(self.name)
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


@pytest.mark.parametrize(
    "files", [(), ("thesis.txt",), ("thesis.txt", MANIFEST)], ids=["file", "folder", "other manifest"]
)
def test_another_folder_or_file_is_not_replaced(tmp_path: Path, files: tuple[str, ...]) -> None:
    target = tmp_path / "target"
    if files:
        target.mkdir()
    for file in [target / name for name in files] or [target]:
        file.write_text('{"name": "mine"}')
    with pytest.raises(OutputError, match=r"target exists and is not a model folder, so it is not replaced$"):
        write(target, overwrite=True)
    for file in [target / name for name in files] or [target]:
        assert file.read_text() == '{"name": "mine"}'
    assert names_in(tmp_path) == ["target"]


def test_a_target_in_a_file_or_of_a_long_name_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for target in (tmp_path / "file" / "new", tmp_path / ("x" * 300)):
        with pytest.raises(OutputError, match=r"cannot be written|not a model folder"):
            write(target)
    assert (tmp_path / "file").read_text() == "mine"


def test_a_foreign_file_in_a_model_folder_is_not_lost(folder: Path) -> None:
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"small also holds 'notes.txt', which would be lost; move it away"):
        write(folder, overwrite=True)
    assert (folder / "notes.txt").read_text() == "mine"


def test_the_current_folder_is_not_replaced(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = read_all(folder)
    monkeypatch.chdir(folder)
    with pytest.raises(OutputError, match="is the current folder or a mount point, which is not replaced"):
        write(Path("../small"), {}, overwrite=True)
    assert read_all(Path()) == before


def test_a_mount_point_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A volume of a container is one: its rename would fail after hours of training."""
    monkeypatch.setattr("sentcli.model.bundle.os.access", lambda path, mode: True)  # whoever the user is
    (tmp_path / "root").symlink_to("/")
    for spelling in (Path("/"), tmp_path / "root"):
        with pytest.raises(OutputError, match="or a mount point, which is not replaced"):
            check_target(spelling, overwrite=True)


def test_a_folder_without_permission_is_not_written(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_writable(folder)
    monkeypatch.setattr("sentcli.model.bundle.os.access", lambda path, mode: mode != os.W_OK)
    with pytest.raises(OutputError, match="no permission to write there"):
        check_target(folder, overwrite=True)
    with pytest.raises(OutputError, match="no permission to write there"):
        check_writable(folder)


def test_a_link_to_a_model_folder_stays(folder: Path, tmp_path: Path) -> None:
    link = tmp_path / "current"
    link.symlink_to(folder)
    assert load_bundle(link).name == "small"
    write(link, {}, overwrite=True)
    assert link.readlink() == folder
    assert load_bundle(folder).digests.keys() == {CONFIG, *NORMALIZER}


# Damage


def test_every_truncation_is_found(folder: Path) -> None:
    for name in (CONFIG, VOCAB, ONNX):
        content = (folder / name).read_bytes()
        for other in (*(content[:length] for length in range(len(content))), content + b"\n"):
            (folder / name).write_bytes(other)
            assert error_of(folder).startswith(f"{folder / name}: damaged or changed")
        (folder / name).write_bytes(content)
    content = (folder / MANIFEST).read_bytes()
    for length in range(len(content) - 1):  # the last byte is the end of the line
        (folder / MANIFEST).write_bytes(content[:length])
        assert error_of(folder).startswith(f"{folder / MANIFEST}: not JSON: ")


@pytest.mark.parametrize("bit", [0, 5, 7])
def test_every_flipped_bit_is_found(folder: Path, bit: int) -> None:
    before, accepted = load_bundle(folder), 0
    for name in (CONFIG, VOCAB, ONNX, MANIFEST):
        content = (folder / name).read_bytes()
        for place in range(len(content)):
            flipped = bytearray(content)
            flipped[place] ^= 1 << bit
            (folder / name).write_bytes(flipped)
            if name == MANIFEST:
                with contextlib.suppress(BundleError):
                    assert load_all(folder).digests == before.digests  # white space became other white space
                    accepted += 1
            else:
                assert error_of(folder).startswith(f"{folder / name}: damaged or changed")
        (folder / name).write_bytes(content)
    assert accepted < 0.1 * len(content)


def test_a_file_that_changes_after_loading_is_not_used(folder: Path) -> None:
    read = load_bundle(folder)
    (folder / ONNX).write_bytes(b"another model")
    with pytest.raises(BundleError, match=r"model.onnx: damaged or changed"):
        read.read(ONNX)
    (folder / VOCAB).unlink()
    with pytest.raises(BundleError, match=r"vocab.txt: the file is missing"):
        _ = read.vocab
    with pytest.raises(BundleError, match=r"the bundle has no other.onnx; the folder that"):
        read.read("other.onnx")


def hard_links(folder: Path, place: Path) -> Path:
    """Copy a folder as `cp -l` does, and as uv and conda install a package."""
    shutil.copytree(folder, place / "copy", copy_function=os.link)
    return place / "copy"


def hub_cache(folder: Path, place: Path) -> Path:
    """Copy a folder as the cache of the Hugging Face hub stores it: links to blobs that hashes name."""
    blobs, snapshot = (
        place / "models--me--small" / "blobs",
        place / "models--me--small" / "snapshots" / "0f3a",
    )
    blobs.mkdir(parents=True)
    snapshot.mkdir(parents=True)
    for file in folder.iterdir():
        blob = hashlib.sha256(file.read_bytes()).hexdigest()
        shutil.copyfile(file, blobs / blob)
        (snapshot / file.name).symlink_to(Path("..", "..", "blobs", blob))
    return snapshot


@pytest.mark.parametrize("copy", [hard_links, hub_cache])
def test_a_folder_of_links_is_read_like_a_folder_of_files(
    folder: Path, tmp_path: Path, copy: Callable[[Path, Path], Path]
) -> None:
    linked, wanted = copy(folder, tmp_path), load_all(folder)
    for read in (load_all(linked), load_all(linked / ONNX)):
        assert (read.config, read.digest, read.digests) == (wanted.config, wanted.digest, wanted.digests)
    write(linked, {VOCAB: b"new"}, overwrite=True)
    assert load_all(folder).digests == wanted.digests
    assert load_all(linked).read(VOCAB) == b"new"


@pytest.mark.parametrize("name", [CONFIG, VOCAB, ONNX, MANIFEST])
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (Path.exists, "the file is missing from the model folder"),
        (os.mkfifo, "not a regular file"),
        (lambda file: file.symlink_to("/dev/zero"), "not a regular file"),
        (lambda file: file.symlink_to(file.name), "Too many levels of symbolic links"),
        (lambda file: file.symlink_to("nothing"), "the file is missing from the model folder"),
        (Path.mkdir, ""),
    ],
    ids=["missing", "pipe", "device", "link to itself", "dangling link", "folder"],
)
def test_only_regular_files_are_read(
    folder: Path, name: str, make: Callable[[Path], object], message: str
) -> None:
    (folder / name).unlink()
    make(folder / name)
    assert error_of(folder).startswith(f"{folder / name}: {message}")


def test_the_included_model_is_that_of_the_package_or_of_the_checkout(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site" / "sentcli"
    installed = package / "exports" / "imdb-bilstm"
    monkeypatch.setattr(bundle, "__file__", str(package / "model" / "bundle.py"))
    assert default_bundle_path() == tmp_path / "site" / "exports" / "imdb-bilstm"  # in a checkout
    shutil.copytree(folder, installed)
    assert default_bundle_path() == installed
    (tmp_path / "link").symlink_to(installed)
    for path in (installed, tmp_path / "link" / ONNX, Path("imdb-bilstm")):
        assert load_all(path).is_shipped
    assert not load_all(folder).is_shipped


def test_a_file_that_is_too_large(folder: Path) -> None:
    with (folder / ONNX).open("wb") as large:
        large.truncate((2 << 30) + 1)  # a hole: it takes no room on the disk
    assert error_of(folder) == f"{folder / ONNX}: {(2 << 30) + 1} bytes, more than a model file can have"


def test_no_such_model(tmp_path: Path) -> None:
    message = "none: no such model (No such file or directory); name a folder that `sentcli train` or"
    assert message in error_of(tmp_path / "none")
    assert "no such model" in error_of(tmp_path / "none" / ONNX)
    assert "manifest.json: the file is missing" in error_of(tmp_path)
    with pytest.raises(BundleError, match=r"no such model \(File name too long\)"):
        load_bundle(tmp_path / ("x" * 300))


# Manifest, config and vocabulary that are not valid


def set_manifest(folder: Path, content: object) -> str:
    (folder / MANIFEST).write_text(json.dumps(content))
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
    assert (
        set_manifest(folder, {"sha256": {name: DIGEST}})
        == f"{name!r:.100} is not a valid name for a file of a model"
    )


@pytest.mark.parametrize("digest", [None, 1, [], "", DIGEST[1:], DIGEST + "0", "A" * 64, DIGEST + "\n"])
def test_no_digest(folder: Path, digest: object) -> None:
    message = set_manifest(folder, {"sha256": {CONFIG: digest}})
    assert message == "the digest of config.json is not a SHA-256"


@pytest.mark.parametrize("values", [[], None, 3, "text", {}, {"sha256": None}, {"sha256": {}}])
def test_a_manifest_without_digests(folder: Path, values: object) -> None:
    assert set_manifest(folder, values).startswith("it has no object 'sha256'")
    assert set_manifest(folder, {"sha256": {VOCAB: DIGEST}}).startswith("the bundle has no config.json; ")


BAD_JSON = [
    *(b"", b"{", b"nonsense", b"{'sha256': {}}", b'{"a": 1} x', b'{"\xff": 1}'),
    *(b"[" * 200_000, b'{"a":' * 200_000, b"9" * 5000),
]


@pytest.mark.parametrize("content", BAD_JSON, ids=range(len(BAD_JSON)))
@pytest.mark.parametrize("name", [MANIFEST, CONFIG])
def test_no_json(folder: Path, name: str, content: bytes) -> None:
    (folder / name).write_bytes(content)
    if name != MANIFEST:
        write_manifest(folder)
    assert error_of(folder).startswith(f"{folder / name}: not JSON: ")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"dropout": 0.5', '"dropout": NaN', "model: dropout "),
        ('"dropout": 0.5', f'"dropout": {"9" * 4000}', "model: dropout "),
        ('"bad",', "", "labels: 2 different names needed"),
    ],
)
def test_a_config_that_is_not_valid(folder: Path, old: str, new: str, message: str) -> None:
    text = (folder / CONFIG).read_text("utf-8")
    assert old in text
    (folder / CONFIG).write_text(text.replace(old, new), "utf-8")
    write_manifest(folder)
    assert error_of(folder).startswith(f"{folder / CONFIG}: {message}")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<pad>\n<unk>\nab\xff\n", "'utf-8' codec can't decode byte 0xff in position 14"),
        (b"<pad>\n<unk>\nfilm\n", "3 words, but vocab_size is 5"),
        (b"<pad>\n<unk>\na\nb\nb\n", "the vocabulary has the word 'b' twice"),
        (b"", "a vocabulary begins with"),
    ],
)
def test_a_vocabulary_that_is_not_valid(folder: Path, content: bytes, message: str) -> None:
    (folder / VOCAB).write_bytes(content)
    write_manifest(folder)
    with pytest.raises(BundleError) as caught:
        _ = load_bundle(folder).vocab
    assert str(caught.value).startswith(f"{folder / VOCAB}: {message}")
