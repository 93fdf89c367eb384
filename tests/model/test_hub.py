"""Models by name, from a cache of the hub that is made by hand: without a network, and without the hub."""

import shutil
import sys
from pathlib import Path

import pytest

from sentcli.errors import BundleError, MissingExtraError
from sentcli.model.bundle import CONFIG, MANIFEST, default_bundle_path, load_bundle

constants = pytest.importorskip("huggingface_hub.constants")

COMMIT, OLDER = "a" * 40, "b" * 40


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The hub's layout: a folder of links for each commit, and a file with the commit of each branch."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    model = tmp_path / "models--user--my-model"
    for folder in ("blobs", "refs", f"snapshots/{COMMIT}", f"snapshots/{OLDER}"):
        (model / folder).mkdir(parents=True)
    (model / "refs" / "main").write_text(COMMIT)
    for name in (*load_bundle(default_bundle_path()).digests, MANIFEST):
        shutil.copyfile(default_bundle_path() / name, model / "blobs" / name)
        (model / "snapshots" / COMMIT / name).symlink_to(Path("..", "..", "blobs", name))
    return model


@pytest.mark.parametrize(
    "name", ["hf://user/my-model", "hf://user/my-model@main", f"hf://user/my-model@{COMMIT}"]
)
def test_a_model_in_the_cache_is_loaded_without_the_hub(cache: Path, name: str) -> None:
    bundle = load_bundle(Path(name))
    assert bundle.path == cache / "snapshots" / COMMIT
    assert bundle.name == "my-model"
    assert bundle.digest == load_bundle(default_bundle_path()).digest
    assert len(bundle.vocab) == bundle.config.model.vocab_size


def test_a_changed_file_is_found_by_the_manifest(cache: Path) -> None:
    with (cache / "blobs" / CONFIG).open("a") as file:
        file.write(" ")
    with pytest.raises(BundleError, match=r"config\.json: damaged or changed"):
        load_bundle(Path("hf://user/my-model"))


def test_a_repository_without_a_manifest_is_not_a_model(cache: Path) -> None:
    with pytest.raises(BundleError, match=r"manifest\.json: the file is missing"):
        load_bundle(Path(f"hf://user/my-model@{OLDER}"))


@pytest.mark.parametrize("name", ["hf://user/other", "hf://user/my-model@v9"])
def test_what_the_cache_lacks_is_named(cache: Path, name: str) -> None:
    with pytest.raises(BundleError, match=f"^{name}: .") as refused:
        load_bundle(Path(name))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["hf://user", "hf://user/my-model/model.onnx", "hf://user/my-model@"])
def test_other_names_have_a_hint(name: str) -> None:
    with pytest.raises(BundleError, match=f"^{name}: not a model of the hub; try hf://USER/MODEL or"):
        load_bundle(Path(name))


def test_the_library_of_the_hub_is_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingExtraError, match=r"pip install .*\[remote\]"):
        load_bundle(Path("hf://user/my-model"))
