"""Models of the Hugging Face hub by name, through the hub's own cache."""

import re
from pathlib import Path

from sentcli.errors import BundleError, requires

_NAME = re.compile(r"hf:/([\w.-]+/[\w.-]+)(?:@([\w./-]+))?")
_OF_TRAINING = ("history.csv", "learned.bin", "rehearsal.csv")
_FILES = ["*.json", "vocab.txt", "model.onnx", "model.torchscript.pt", *_OF_TRAINING]  # no others are read


def download(path: Path) -> Path:
    """Return the folder of a model in the cache; first download what the hub has, if it can be reached.

    :param path: `hf://USER/MODEL` or `hf://USER/MODEL@REVISION`, which have one slash less as a Path.
    """
    name = path.as_posix().replace("/", "//", 1)
    match = _NAME.fullmatch(path.as_posix())
    if not match:
        raise BundleError(f"{name}: not a model of the hub; try hf://USER/MODEL or hf://USER/MODEL@REVISION")
    with requires("remote"):
        from huggingface_hub import snapshot_download, utils
    utils.disable_progress_bars()  # type: ignore[attr-defined]  # documented, yet not re-exported
    try:
        return Path(snapshot_download(match[1], revision=match[2], allow_patterns=_FILES))
    except Exception as error:  # those of the hub, of its cache and of the network have no common base
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        raise BundleError(f"{name}: {reason:.300}; check the name, and the network") from error


def model_of(folder: Path) -> str | None:
    """Return the name of the model of a folder in the cache, whose own name is a commit; else None."""
    match = re.search(r"/models--[^/]+--([^/]+)/snapshots/[^/]+$", folder.as_posix())
    return match and match[1]
