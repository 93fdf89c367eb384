"""The model folder: its files and their manifest, read with checks and written atomically."""

import hashlib
import json
import os
import re
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from sentcli.config import BundleConfig
from sentcli.errors import BundleError, OutputError, option, requires
from sentcli.files import system
from sentcli.files.atomic import Lock, output_errors, temporary_path
from sentcli.text import normalize
from sentcli.text.tokenizer import Vocab

CONFIG = "config.json"
VOCAB = "vocab.txt"
# Copies of `sentcli.text.normalize` and of its rules for other runtimes; never run here.
NORMALIZER = ("normalize.py", "normalize.json")
ONNX = "model.onnx"
TORCHSCRIPT = "model.torchscript.pt"
METRICS = "metrics.json"
HISTORY = "history.csv"
LEARNED = "learned-texts.bin"  # see `sentcli.datasets.splits.learned_hashes`; optional
VALIDATION = "validation.csv"
REHEARSAL = "rehearsal.csv"  # labeled sentences that fine-tuning rehearses; of the included model alone
TRAINING = "training.html"
CARD = "README.md"
RECIPE = "recipe.toml"
MANIFEST = "manifest.json"

_SCORED_WITH = (CONFIG, VOCAB, ".onnx", ".torchscript.pt")  # ends of file names
_MAX_FILE = 2 << 30  # bytes; the limit of a protobuf message, and so of an ONNX file
_DEFAULT = Path("exports", "imdb-bilstm")
_HUB_NAME = re.compile(r"hf:/([\w.-]+/[\w.-]+)(?:@([\w./-]+))?")  # of a Path, which has one slash less
_HUB_FILES = ["*.json", VOCAB, ONNX, TORCHSCRIPT, HISTORY, LEARNED, REHEARSAL]  # no others are read


@dataclass(frozen=True)
class Bundle:
    """A model folder."""

    path: Path
    config: BundleConfig
    digests: Mapping[str, str]  # the SHA-256 of each file by its name, from the manifest
    model_file: str | None = None  # the one to run, if the caller named one

    @property
    def name(self) -> str:
        """The name of the folder; in the cache of the hub, where that is a commit, the name of the model."""
        cached = re.search(r"/models--[^/]+--([^/]+)/snapshots/[^/]+$", self.path.as_posix())
        return cached[1] if cached else self.path.resolve().name

    @property
    def digest(self) -> str:
        """One SHA-256 of all files that scores depend on; `evaluate --card` does not change it."""
        digests = {name: digest for name, digest in self.digests.items() if name.endswith(_SCORED_WITH)}
        return hashlib.sha256(json.dumps(digests, sort_keys=True).encode()).hexdigest()

    @property
    def is_shipped(self) -> bool:
        """Whether this is the included model, which is trusted like the code."""
        return self.path.resolve() == default_bundle_path().resolve()

    @cached_property
    def vocab(self) -> Vocab:
        """The vocabulary of `vocab.txt`."""
        content, path, size = self.read(VOCAB), self.path / VOCAB, self.config.model.vocab_size
        try:
            vocab = Vocab.from_text(content.decode())
        except (UnicodeDecodeError, BundleError) as error:
            raise BundleError(f"{path}: {error}") from None
        if len(vocab) != size:
            raise BundleError(f"{path}: {len(vocab)} words, but vocab_size is {size}")
        return vocab

    def read(self, name: str) -> bytes:
        """Return the bytes of a file, checked against the SHA-256 in the manifest."""
        return _read_checked(self.path / name, self.digests)


def default_bundle_path() -> Path:
    """Return the folder of the included model: in the installed package, or next to it in a checkout."""
    package = Path(__file__).parents[1]
    installed = package / _DEFAULT
    return installed if installed.is_dir() else package.parent / _DEFAULT


def load_bundle(path: Path) -> Bundle:
    """Open a model folder, or one model file in such a folder.

    This checks the manifest and the config. Other files are checked when they are read.

    :param path: also the name of the included model, if there is no such path, or a model of the hub such as
        `hf://USER/MODEL@REVISION`.
    """
    if path.as_posix().startswith("hf:/"):
        path = _download(path)
    if path == Path(_DEFAULT.name) and not path.exists():
        path = default_bundle_path()
    _undo_replacement(path)
    try:
        is_folder = stat.S_ISDIR(path.stat().st_mode)
    except (OSError, ValueError) as error:  # a ValueError for a NUL in the path
        hint = "name a folder that `sentcli train` or `export` wrote"
        raise BundleError(f"{path}: no such model ({getattr(error, 'strerror', error)}); {hint}") from None
    folder, model_file = (path, None) if is_folder else (path.parent, path.name)
    if not is_folder and not (folder / MANIFEST).exists():
        raise BundleError(f"{path}: not a file of a model folder: {folder} has no {MANIFEST}")
    digests = _read_manifest(folder / MANIFEST)
    if model_file is not None and model_file not in digests:
        raise BundleError(f"{path}: not a file of the bundle {folder}")
    config = folder / CONFIG
    values = decode_json(config, _read_checked(config, digests))
    return Bundle(folder, BundleConfig.from_json(values, str(config)), digests, model_file)


def _download(path: Path) -> Path:
    """Return the folder of a model in the hub's own cache; first download what the hub has, if it answers.

    :param path: `hf://USER/MODEL` or `hf://USER/MODEL@REVISION`.
    """
    name = path.as_posix().replace("/", "//", 1)
    match = _HUB_NAME.fullmatch(path.as_posix())
    if not match:
        raise BundleError(f"{name}: not a model of the hub; try hf://USER/MODEL or hf://USER/MODEL@REVISION")
    with requires("remote"):
        from huggingface_hub import snapshot_download, utils
    utils.disable_progress_bars()  # type: ignore[attr-defined]  # documented, yet not re-exported
    try:
        return Path(snapshot_download(match[1], revision=match[2], allow_patterns=_HUB_FILES))
    except Exception as error:  # those of the hub, of its cache and of the network have no common base
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        raise BundleError(f"{name}: {reason:.300}; check the name, and the network") from error


@contextmanager
def new_bundle(target: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Yield a temporary folder to fill; then write its manifest and rename it to `target`.

    When the block fails, the folder is removed; what a killed run has left, by the next run. An old `target`
    stays until the new one is complete. If `target` is a link, the folder that it points to is replaced.
    """
    _undo_replacement(target)
    check_target(target, overwrite=overwrite)
    with output_errors(f"{target}: the model folder cannot be written"), ExitStack() as stack:
        place = target.resolve()
        place.parent.mkdir(parents=True, exist_ok=True)
        folder, old = temporary_path(place, "new"), temporary_path(place, "old")
        stack.enter_context(Lock(folder))
        for left in (folder, old):
            shutil.rmtree(left, ignore_errors=True)
        folder.mkdir()
        try:
            yield folder
            write_manifest(folder)
            check_target(target, overwrite=overwrite)  # it may have appeared or changed since the first check
            if place.exists():
                folder.chmod(stat.S_IMODE(place.stat().st_mode))
                place.rename(old)
            folder.rename(place)
            system.sync(place.parent)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            if old.exists() and not place.exists():
                old.rename(place)
            shutil.rmtree(old, ignore_errors=True)


def _undo_replacement(target: Path) -> None:
    """Restore the name of a model folder, if a run was killed while it replaced the folder."""
    with suppress(OSError, ValueError):  # usually there is none; a ValueError for a NUL in the path
        place = target.resolve()
        if not place.exists():
            temporary_path(place, "old").rename(place)


def check_target(target: Path, *, overwrite: bool) -> None:
    """Check that a model folder may be written here, before hours of training."""
    try:
        if not target.exists():
            return
        if not overwrite:
            raise OutputError(f"{target} exists; give another name, or add {option('overwrite', True)}")
        check_writable(target)  # else its files could not be deleted
        # The user's shell would be in a deleted folder, and a volume of a container cannot be renamed.
        if target.samefile(".") or target.resolve().is_mount():
            raise OutputError(f"{target} is the current folder or a mount point, which is not replaced")
        foreign = {file.name for file in target.iterdir()} - {MANIFEST}
        if foreign:
            foreign -= _read_manifest(target / MANIFEST).keys()
    except (OSError, BundleError):
        raise OutputError(f"{target} exists and is not a model folder, so it is not replaced") from None
    if foreign:
        raise OutputError(f"{target} also holds {min(foreign)!r:.200}, which would be lost; move it away")


def check_writable(folder: Path) -> None:
    """Check that a folder can be written to, before hours of training."""
    if not os.access(folder, os.W_OK):
        raise OutputError(f"{folder}: no permission to write there")


def write_manifest(folder: Path) -> None:
    """Write the SHA-256 of each file of a folder to `manifest.json`, and sync all of them to disk."""
    manifest = folder / MANIFEST
    files = sorted({*folder.iterdir()} - {manifest})
    digests = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
    manifest.write_text(json.dumps({"sha256": digests}, indent=2) + "\n")
    for path in (*files, manifest, folder):
        system.sync(path)


def write_config(folder: Path, config: BundleConfig) -> None:
    """Write `config.json`, and the normalizer that it names."""
    for name in NORMALIZER:
        shutil.copyfile(Path(normalize.__file__).with_name(name), folder / name)
    (folder / CONFIG).write_text(json.dumps(config.to_json(), indent=2, ensure_ascii=False) + "\n", "utf-8")


def _read_manifest(path: Path) -> dict[str, str]:
    values = decode_json(path, _read_file(path))
    digests = values.get("sha256") if isinstance(values, dict) else None
    if not isinstance(digests, dict) or not digests:
        raise BundleError(f"{path}: it has no object 'sha256' of file names and digests")
    for name, digest in digests.items():
        # A name without a separator is in the folder. The file may be a link, as in the cache of the hub.
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", name) or name == MANIFEST:
            raise BundleError(f"{path}: {name!r:.100} is not a valid name for a file of a model")
        if not isinstance(digest, str) or not re.fullmatch(r"[0-9a-f]{64}", digest):
            raise BundleError(f"{path}: the digest of {name} is not a SHA-256")
    return digests


def _read_checked(path: Path, digests: Mapping[str, str]) -> bytes:
    """Return the bytes of a file, which are those that were hashed."""
    if path.name not in digests:
        manifest, hint = path.with_name(MANIFEST), "the folder that `sentcli train` wrote has it"
        raise BundleError(f"{manifest}: the bundle has no {path.name}; {hint}")
    content = _read_file(path)
    if hashlib.sha256(content).hexdigest() != digests[path.name]:
        raise BundleError(f"{path}: damaged or changed: its SHA-256 is not the one in {MANIFEST}")
    return content


def _read_file(path: Path) -> bytes:
    """Return the bytes of a regular file, or of one that a link points to; refuse devices and pipes."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise BundleError(f"{path}: not a regular file")
        if status.st_size > _MAX_FILE:
            raise BundleError(f"{path}: {status.st_size} bytes, more than a model file can have")
        return path.read_bytes()
    except FileNotFoundError:
        raise BundleError(f"{path}: the file is missing from the model folder") from None
    except OSError as error:
        raise BundleError(f"{path}: {error.strerror}") from None


def decode_json(path: Path, content: bytes) -> Any:
    """Return the value of the JSON in a file.

    :raises BundleError: if it is not JSON.
    """
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{path}: not JSON: {error}") from None
