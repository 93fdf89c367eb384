"""What a wheel and a source archive hold: the package and the model in the box, and nothing else."""

import ast
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sentcli.model.bundle import MANIFEST, default_bundle_path, load_bundle

sdist = pytest.importorskip("hatchling.builders.sdist")
wheel = pytest.importorskip("hatchling.builders.wheel")

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that a source archive of this checkout unpacks to."""
    folder = tmp_path_factory.mktemp("source")
    (archive,) = sdist.SdistBuilder(str(ROOT)).build(directory=str(folder))
    with tarfile.open(archive) as file:
        file.extractall(folder, filter="data")
    (unpacked,) = (path for path in folder.iterdir() if path.is_dir())
    return unpacked


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that a wheel of this checkout unpacks to, as pip installs it."""
    return unpack(ROOT, tmp_path_factory.mktemp("wheel"))


def unpack(root: Path, folder: Path) -> Path:
    (archive,) = wheel.WheelBuilder(str(root)).build(directory=str(folder), versions=["standard"])
    with zipfile.ZipFile(archive) as file:
        file.extractall(folder / "installed")
    return folder / "installed"


def files(folder: Path) -> Iterator[str]:
    for path in folder.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path.relative_to(folder).as_posix()


def test_the_wheel_is_the_package_and_the_model(installed: Path) -> None:
    code = {f"sentcli/{name}" for name in files(ROOT / "sentcli")}
    model = {f"sentcli/exports/imdb-bilstm/{name}" for name in load_bundle(default_bundle_path()).digests}
    found = {name for name in files(installed) if ".dist-info/" not in name}
    assert found == code | model | {f"sentcli/exports/imdb-bilstm/{MANIFEST}"}
    assert "sentcli/py.typed" in found
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in files(installed))


def test_the_wheel_scores_with_the_model_that_it_carries(installed: Path, tmp_path: Path) -> None:
    code = (
        "import sentcli, sentcli.model.bundle\n"
        "with sentcli.load() as scorer:\n"
        "    print(sentcli.model.bundle.default_bundle_path(), *scorer.score(['an absolute joy']).labels)"
    )
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    command = [sys.executable, "-P", "-c", code]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, cwd=tmp_path, env=environment, timeout=120
    )
    assert done.stdout == f"{installed / 'sentcli' / 'exports' / 'imdb-bilstm'} positive\n"


def test_the_image_for_nodes_has_what_the_wheel_is_made_of(installed: Path, tmp_path: Path) -> None:
    lines = (ROOT / "Dockerfile").read_text("utf-8").splitlines()
    for *names, folder in (line.split()[1:] for line in lines if line.startswith("COPY ")):
        for name in names:
            target = tmp_path / folder.removeprefix("/") / (name if folder.endswith("/") else "")
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, target)
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, target)
    assert {*files(unpack(tmp_path / "src", tmp_path))} == {*files(installed)}


def test_a_wheel_of_the_source_archive_is_the_same(source: Path, installed: Path, tmp_path: Path) -> None:
    assert set(files(unpack(source, tmp_path))) == set(files(installed))


def test_the_source_archive_has_what_its_tests_read(source: Path) -> None:
    needed = {
        "README.md",
        "LICENSE",
        "pyproject.toml",
        ".ci/run",
        "tests/conftest.py",
        "tests/data/reviews.csv",
        "benchmarks/startup.py",
        "exports/imdb-bilstm/README.md",
    }
    assert needed <= set(files(source))


def test_the_versions_in_the_metadata_are_those_that_are_tested() -> None:
    yaml = pytest.importorskip("yaml")
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "tests.yml").read_text("utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    start = "Programming Language :: Python :: 3."
    named = [name.rpartition(" ")[2] for name in project["classifiers"] if name.startswith(start)]
    assert named == workflow["jobs"]["base"]["strategy"]["matrix"]["python"]
    assert project["requires-python"] == f">={named[0]}"


def test_the_wheel_is_within_its_limit(tmp_path: Path) -> None:
    (limit,) = re.findall(r"^limit=(\d+)", (ROOT / ".ci" / "package").read_text("utf-8"), re.MULTILINE)
    (archive,) = wheel.WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    assert Path(archive).stat().st_size <= int(limit)
    assert "\n.ci/package\n" in (ROOT / ".ci" / "run").read_text("utf-8")


def workflows() -> dict[str, str]:
    return {path.name: path.read_text("utf-8") for path in (ROOT / ".github" / "workflows").iterdir()}


def test_actions_of_others_are_pinned_by_commit() -> None:
    used = [line for text in workflows().values() for line in re.findall(r"uses: (?!\./)(.*)", text)]
    assert used
    for line in used:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+", line)


def test_the_addresses_of_the_site_come_from_the_repository(tmp_path: Path) -> None:
    yaml = pytest.importorskip("yaml")
    steps = yaml.safe_load(workflows()["site.yml"])["jobs"]["build"]["steps"]
    (step,) = (step for step in steps if "addresses" in step.get("name", ""))
    shutil.copy(ROOT / "mkdocs.yml", tmp_path)
    names = {
        "GITHUB_SERVER_URL": "https://github.com",
        "GITHUB_REPOSITORY": "you/sentcli",
        "GITHUB_REPOSITORY_OWNER": "you",
    }
    subprocess.run(["bash", "-euc", step["run"]], cwd=tmp_path, env=os.environ | names, check=True)
    site = yaml.safe_load((tmp_path / "mkdocs.yml").read_text("utf-8"))
    assert site["site_url"] == "https://you.github.io/sentcli/"
    assert site["repo_url"] == "https://github.com/you/sentcli"


def test_a_large_file_that_a_branch_adds_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "blobs", tmp_path / ".ci")

    def git(*arguments: str) -> None:
        identity = ("-c", "user.name=a", "-c", "user.email=a@example.org")
        subprocess.run(["git", *identity, *arguments], cwd=tmp_path, check=True, capture_output=True)

    def add(name: str, size: int) -> subprocess.CompletedProcess[str]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x" * size)
        git("add", "-A")
        git("commit", "-q", "-m", name)
        return subprocess.run([".ci/blobs"], cwd=tmp_path, check=False, capture_output=True, text=True)

    git("init", "-q", "-b", "main")
    add("old.bin", 2_000_000)
    git("switch", "-q", "-c", "new")
    assert add("exports/model.onnx", 2_000_000).returncode == 0
    done = add("data/a b.csv", 1_000_001)
    (tmp_path / "data" / "a b.csv").unlink()
    assert (done.returncode, done.stderr.splitlines()[1:]) == (1, ["data/a b.csv: 1000001 bytes"])
    assert add("small.txt", 1).returncode == 1  # a commit that deletes it does not take it out of a clone


def test_the_wheel_has_the_weights_once(installed: Path) -> None:
    sizes = [path.stat().st_size for path in installed.rglob("*") if path.is_file()]
    assert sum(size > 4_000_000 for size in sizes) == 1
    assert sum(size > 2_000_000 for size in sizes) == 2  # and the word vectors of training
    assert sum(sizes) < 20_000_000


def test_each_package_that_is_imported_is_declared() -> None:
    """Also one that another one brings: it may stop to do so."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    lines = [
        *project["dependencies"],
        *(line for lines in project["optional-dependencies"].values() for line in lines),
    ]
    declared = {re.match(r"[\w-]+", line)[0].lower().replace("_", "-") for line in lines}
    owners = importlib.metadata.packages_distributions()
    for path in (ROOT / "sentcli").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            for name in {name.partition(".")[0] for name in names} - sys.stdlib_module_names - {"sentcli"}:
                found = {owner.lower().replace("_", "-") for owner in owners.get(name, [])}
                assert not found or found & declared, (path.name, name)
