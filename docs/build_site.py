"""Build the documentation as a site in build/site: `python docs/build_site.py`.

The pages of mkdocs.yml and all files that they link to are copied to build/pages with their paths. So the
links that work in the repository work on the site too, and no text is kept twice.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
FILES = ("llms.txt", "docs/site.css", "docs/site.js")  # that no page links to
_LINK = re.compile(r"""(?:\]\(|\bsrc(?:set)?=")(?!\w+:)([^)#"]+)""")


def navigation() -> dict[Path, str]:
    """Return the pages of mkdocs.yml with their titles, in order; js/build.js makes the demo."""
    return dict(titles(yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))["nav"]))


def titles(entries: list[dict]) -> Iterator[tuple[Path, str]]:
    for entry in entries:
        for title, target in entry.items():
            if isinstance(target, list):
                yield from titles(target)
            elif target.endswith(".md"):
                yield ROOT / target, title


def linked(files: Iterable[Path]) -> set[Path]:
    """Return these files, and all that they link to, directly or through other pages."""
    found: set[Path] = set()
    waiting = [*files]
    while waiting:
        path = waiting.pop().resolve()
        if path not in found:
            found.add(path)
            if path.suffix == ".md":
                waiting += [path.parent / target for target in _LINK.findall(path.read_text("utf-8"))]
    return found


def build(folder: Path) -> Path:
    """Copy the pages to `pages` in a folder, and build the site in `site`, which is returned."""
    for name in ("pages", "site"):
        shutil.rmtree(folder / name, ignore_errors=True)
    for path in linked([*navigation(), *(ROOT / name for name in FILES)]):
        copy = folder / "pages" / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    shutil.copyfile(ROOT / "mkdocs.yml", folder / "mkdocs.yml")
    zensical = Path(sys.executable).parent / "zensical"
    subprocess.run([zensical, "build", "--strict", "--clean"], cwd=folder, check=True)
    site = folder / "site"
    shutil.copytree(folder / "pages", site, dirs_exist_ok=True)  # llms.txt names the pages as Markdown
    return site


if __name__ == "__main__":
    build(ROOT / "build")
