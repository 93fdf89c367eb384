"""The model folder: its files, its manifest, reading it with every check, writing it in one step."""

import errno
import hashlib
import json
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from sentcli.config import BundleConfig
from sentcli.errors import BundleError, OutputError
from sentcli.files.durable import sync
from sentcli.text.vocabulary import Vocab

CONFIG = "config.json"
VOCAB = "vocab.txt"
WEIGHTS = "model.safetensors"
ONNX = "model.onnx"
INT8_ONNX = "model.int8.onnx"
TORCHSCRIPT = "model.torchscript.pt"
ORIGIN = "model.safetensors.sha256"  # of an export: the weights that it was made from
METRICS = "metrics.json"
HISTORY = "history.csv"
CURVES = "curves.png"
RELIABILITY = "reliability.png"  # on validation, before and after calibration
CONFUSION = "confusion_matrix.png"  # this and the next two: of what `evaluate --card` measured
EVALUATED_RELIABILITY = "evaluated_reliability.png"
LENGTHS = "accuracy_by_length.png"
SIZES = "sizes.png"
CARD = "README.md"
RECIPE = "recipe.toml"
BASE_RECIPE = "base.toml"  # that of the model which training went on from
MANIFEST = "manifest.json"

# What says how a model was made and what it reaches; `evaluate --card` rewrites it, as often as one likes.
_PAPERS = frozenset(
    {METRICS, HISTORY, CURVES, RELIABILITY, CONFUSION, EVALUATED_RELIABILITY, LENGTHS, SIZES, CARD}
    | {RECIPE, BASE_RECIPE}
)
_MAX_FILE = 2 << 30  # bytes; what a protobuf message, hence an ONNX file, can hold
_DEFAULT = Path("exports", "imdb-bilstm")


@dataclass(frozen=True)
class Bundle:
    """A model folder whose files were found to be what its manifest says.

    :param path: the folder.
    :param config: what `config.json` holds.
    :param digests: file name to SHA-256, as in the manifest.
    :param model_file: the file of the model to run, where the caller named one, else None.
    """

    path: Path
    config: BundleConfig
    digests: Mapping[str, str]
    model_file: str | None = None

    @property
    def name(self) -> str:
        return self.path.resolve().name

    @property
    def digest(self) -> str:
        """One SHA-256 for all files but the papers: two bundles with the same give the same scores.

        New figures on the card must not keep a run that was stopped from going on.
        """
        scoring = {name: digest for name, digest in self.digests.items() if name not in _PAPERS}
        return hashlib.sha256(json.dumps(scoring, sort_keys=True).encode()).hexdigest()

    @cached_property
    def vocab(self) -> Vocab:
        """The words of `vocab.txt`.

        :raises BundleError: when it is not a vocabulary of the size that the config states.
        """
        content, path = self.read(VOCAB), self.path / VOCAB
        try:
            vocab = Vocab.from_text(content.decode())
        except UnicodeDecodeError as error:
            raise BundleError(f"{path}: not UTF-8 at byte {error.start}") from None
        except BundleError as error:
            raise BundleError(f"{path}: {error}") from None
        if len(vocab) != self.config.model.vocab_size:
            raise BundleError(f"{path}: {len(vocab)} words, but vocab_size is {self.config.model.vocab_size}")
        return vocab

    def read(self, name: str) -> bytes:
        """Give the bytes of a file of the manifest, checked: what is used is what was hashed.

        :raises BundleError: when the manifest lacks the file, or its bytes are not those of the manifest.
        """
        if name not in self.digests:
            hint = "; the folder that `sentcli train` wrote has it" if name in (*_PAPERS, WEIGHTS) else ""
            raise BundleError(f"{self.path / MANIFEST}: the bundle has no {name}{hint}")
        return _read_checked(self.path / name, self.digests[name])


def default_bundle_path() -> Path:
    """Find the model in the box: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parents[1]
    installed = package / _DEFAULT
    return installed if installed.is_dir() else package.parent / _DEFAULT


def load_bundle(path: Path) -> Bundle:
    """Open a model folder, or one model file within such a folder, and check every file of it.

    :raises BundleError: naming the file that is missing, changed or not valid.
    """
    try:
        folder, model_file = (path, None) if path.is_dir() else (path.parent, path.name)
        exists = path.exists()
    except OSError as error:  # a name that is too long, a folder that may not be entered
        raise BundleError(f"{path}: {error.strerror}") from None
    if not exists:
        raise BundleError(f"{path}: no such model; give a folder that `sentcli train` or `export` wrote")
    if model_file is not None and not (folder / MANIFEST).exists():
        raise BundleError(f"{path}: not a file of a model folder; there is no {MANIFEST} beside it")
    digests = _read_manifest(folder / MANIFEST)
    if CONFIG not in digests:
        raise BundleError(f"{folder / MANIFEST}: the bundle has no {CONFIG}")
    if model_file is not None and model_file not in digests:
        raise BundleError(f"{path}: not a file of the bundle {folder}")
    for name, digest in digests.items():
        content = _read_checked(folder / name, digest)
        if name == CONFIG:
            config = BundleConfig.from_json(_decode_json(folder / name, content), str(folder / name))
    return Bundle(folder, config, digests, model_file)


@contextmanager
def new_bundle(target: Path, *, overwrite: bool = False, within: Path | None = None) -> Iterator[Path]:
    """Give a temporary folder to fill; at the end it gets its manifest and becomes `target`.

    Nothing is left behind when the block fails, and an old `target` stays until the new one is complete.
    A link is followed: the folder that it points to is replaced, not the link.

    :param within: a folder that is left behind anyway when the process is killed: if it lies beside `target`,
        the temporary one is made in it. None: beside `target` too.
    :raises OutputError: when `target` is not to be replaced (see `check_target`) or cannot be written.
    """
    check_target(target, overwrite=overwrite)
    try:
        place = target.resolve()
        place.parent.mkdir(parents=True, exist_ok=True)
        room = within if within and within.resolve().parent == place.parent else place.parent
        folder = Path(tempfile.mkdtemp(prefix=f".{place.name}.", suffix=".tmp", dir=room))
        try:
            yield folder
            write_manifest(folder)
            # Who may look at the old one may look at the new one, and nobody else.
            folder.chmod(stat.S_IMODE(place.stat().st_mode) if place.exists() else 0o777 & ~_umask())
            check_target(target, overwrite=overwrite)  # again: what came meanwhile is not to be lost
            _put_in_place(folder, place)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    except OSError as error:
        raise OutputError(
            f"{target}: the model folder cannot be written: {error.strerror or error}"
        ) from error


def check_target(target: Path, *, overwrite: bool) -> None:
    """Refuse a target that exists, before hours are spent on what should go there.

    :raises OutputError: when `target` exists and `overwrite` is not set, or is no model folder, or holds
        files that are not of the model and would be lost, or is where the command was given.
    """
    try:
        if not target.exists():
            return
        if not overwrite:
            raise OutputError(f"{target} exists; give another name or --overwrite")
        if target.samefile("."):  # the shell that stands in it would find it empty
            raise OutputError(f"{target} is the current folder, which is not replaced; try from another one")
        if not os.access(target, os.W_OK):  # its files could not be removed
            raise OutputError(f"{target}: no permission to write there, so it is not replaced")
        if target.resolve().is_mount():  # a volume of a container cannot be renamed
            raise OutputError(f"{target} is a mount point, which cannot be replaced; name a folder in it")
        names = {file.name for file in target.iterdir()}
        foreign = (
            names - _read_manifest(target / MANIFEST, may_link=True).keys() - {MANIFEST} if names else set()
        )
    except (OSError, BundleError):
        raise OutputError(f"{target} exists and is no model folder, so it is not replaced") from None
    if foreign:
        raise OutputError(
            f"{target} also holds {min(foreign)!r:.200}, which would be lost; move it away first"
        )


def check_writable(folder: Path) -> None:
    """Refuse a folder in which nothing can be written, before hours are spent on what should go there.

    :raises OutputError: then.
    """
    if not os.access(folder, os.W_OK):
        raise OutputError(f"{folder}: no permission to write there")


def _put_in_place(folder: Path, target: Path) -> None:
    """Rename a complete folder; an old one gives way, and comes back when that fails or a signal comes."""
    if target.exists():
        old = folder.with_suffix(".old")
        try:
            target.rename(old)
            folder.rename(target)
        except BaseException:
            if not folder.exists():  # the new one is there
                shutil.rmtree(old, ignore_errors=True)
            elif not target.exists():
                old.rename(target)
            raise
        shutil.rmtree(old, ignore_errors=True)
    else:
        folder.rename(target)
    sync(target.parent)


def write_manifest(folder: Path) -> None:
    """Write the SHA-256 of each file of the folder to `manifest.json`, all of it on the disk."""
    digests = {}
    for file in sorted(folder.iterdir()):
        if file.name != MANIFEST:
            digests[file.name] = hashlib.sha256(file.read_bytes()).hexdigest()
            sync(file)
    manifest = folder / MANIFEST
    manifest.write_text(json.dumps({"sha256": digests}, indent=2) + "\n")
    sync(manifest)
    sync(folder)


def write_config(folder: Path, config: BundleConfig) -> None:
    """Write `config.json`."""
    (folder / CONFIG).write_text(json.dumps(config.to_json(), indent=2, ensure_ascii=False) + "\n", "utf-8")


def _read_manifest(path: Path, *, may_link: bool = False) -> dict[str, str]:
    values = _decode_json(path, _read_file(path, may_link=may_link))
    digests = values.get("sha256") if isinstance(values, dict) else None
    if not isinstance(digests, dict) or not digests:
        raise BundleError(f"{path}: no object 'sha256' of file names and digests in it")
    for name, digest in digests.items():
        # A name without a separator stays in the folder; links are refused where the file is read.
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", name) or name == MANIFEST:
            raise BundleError(f"{path}: {name!r:.100} is not a file name of a bundle")
        if not isinstance(digest, str) or not re.fullmatch(r"[0-9a-f]{64}", digest):
            raise BundleError(f"{path}: the digest of {name} is not a SHA-256")
    return digests


def _read_checked(path: Path, digest: str) -> bytes:
    content = _read_file(path)
    if hashlib.sha256(content).hexdigest() != digest:
        raise BundleError(f"{path}: damaged or changed: its SHA-256 is not the one in {MANIFEST}")
    return content


def _read_file(path: Path, *, may_link: bool = False) -> bytes:
    """Read a plain file: no link, no device, no pipe that never ends.

    :param may_link: a hard link is taken nevertheless.
    """
    try:
        with open(path, "rb", opener=_open_itself) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise BundleError(f"{path}: not a plain file")
            if status.st_nlink > 1 and not (may_link or _is_in_the_box(path)):
                raise BundleError(
                    f"{path}: a hard link: the same file has a name elsewhere, through which it can change; "
                    "try a copy of the model folder"
                )
            if status.st_size > _MAX_FILE:
                raise BundleError(f"{path}: {status.st_size} bytes, more than a model file can have")
            return file.read()
    except FileNotFoundError:
        raise BundleError(f"{path}: the file is missing from the model folder") from None
    except OSError as error:
        if error.errno == errno.ELOOP:  # as caches of downloads have them
            raise BundleError(f"{path}: a link; try a copy of the model folder by cp -rL") from None
        raise BundleError(f"{path}: {error.strerror}") from None


def _is_in_the_box(path: Path) -> bool:
    """Tell whether a file came with the code: installers put both in place as hard links to their cache."""
    return path.parent.resolve() == default_bundle_path().resolve()


def _open_itself(path: str, flags: int) -> int:
    """Open without following a link, and without waiting for the other end of a pipe."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


def _decode_json(path: Path, content: bytes) -> object:
    try:
        return json.loads(content, object_pairs_hook=_object)
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{path}: not JSON: {error}") from None


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ValueError("a key comes twice in one object")
    return values


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
