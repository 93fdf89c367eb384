"""Make the pictures of README: `python docs/pictures.py`. It needs Chromium and `pip install --group dev`.

They show made-up reviews: sentences of data/ that a language model wrote for this project. The page that is
pictured is docs/pictures/report.html, a sample to click through.
"""

import csv
import os
import pty
import random
import re
import shutil
import subprocess
import sys
import tempfile
import termios
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from xml.sax.saxutils import escape

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "docs" / "pictures"
SENTCLI = Path(sys.executable).parent / "sentcli"
TEXT = "It isn’t good, but the staff was lovely"
ROWS, FALLEN = 2_000, 0.15  # of the file; the share of praise of kettles in June
WIDTH = 640  # of the pictures: their letters can be read on a phone
PRODUCTS = (
    "battery",
    "kettle",
    "lamp",
    "phone",
    "vacuum",
    "keyboard",
    "jacket",
    "speaker",
    "mattress",
    "camera",
)

# Ink, faint ink, background, words for positive and against it.
THEMES = {
    "light": ("#1f2328", "#59636e", "#f6f8fa", "#0a7568", "#a84300"),
    "dark": ("#e6edf3", "#9198a1", "#151b23", "#5eead4", "#fb923c"),
}
_TEALS, _UNDERLINED = range(30, 160), "4"


def reviews(path: Path) -> None:
    """Write reviews by day; the share of praise differs by product, and that of one falls in June."""
    chance = random.Random(1)
    sentences: dict[tuple[str, str], list[str]] = {}
    with (ROOT / "data" / "everyday.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            for product in PRODUCTS:
                if re.search(rf"\b{product}\b", row["text"], re.IGNORECASE):
                    sentences.setdefault((product, row["label"]), []).append(row["text"])
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("date", "product", "stars", "review"))
        for number in range(ROWS):
            product = PRODUCTS[number % len(PRODUCTS)]
            day = date(2026, 1, 1) + timedelta(number * 181 // ROWS)
            share = 0.5 + 0.04 * PRODUCTS.index(product)
            share = FALLEN if product == "kettle" and day.month == 6 else share
            label = "positive" if chance.random() < share else "negative"
            stars = chance.choice((4, 5) if label == "positive" else (1, 2))
            text = " ".join(chance.sample(sentences[product, label], min(2, len(sentences[product, label]))))
            writer.writerow((day, product, stars, text))


def picture_report(folder: Path) -> None:
    """Write the sample page, and its top in light and dark."""
    from playwright.sync_api import sync_playwright

    source, page = folder / "reviews.csv", PICTURES / "report.html"
    reviews(source)
    page.unlink(missing_ok=True)
    command = [SENTCLI, "score", source.name, "-o", "scored.csv", "-q", "--report", page]
    subprocess.run(command, cwd=folder, check=True)
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for theme in THEMES:
            shown = browser.new_page(
                viewport={"width": WIDTH, "height": 540}, device_scale_factor=2, color_scheme=theme
            )
            shown.goto(page.as_uri())
            shown.screenshot(path=PICTURES / f"report-{theme}.png")
        browser.close()


def at_a_terminal(command: list[str]) -> str:
    """Run a command with a terminal as its standard output, and return what it prints, with its colors."""
    main, side = pty.openpty()
    termios.tcsetwinsize(side, (24, 100))
    process = subprocess.Popen(command, stdout=side, env={**os.environ, "TERM": "xterm-256color"})
    os.close(side)
    shown = b""
    try:
        while data := os.read(main, 1 << 16):
            shown += data
    except OSError:  # the end of a terminal
        pass
    process.wait()
    return shown.decode().replace("\r\n", "\n")


def spans(line: str, theme: str) -> Iterator[str]:
    """Yield the parts of a line as parts of an SVG text, with a theme's colors in place of a terminal's."""
    ink, faint, _, for_it, against = THEMES[theme]
    style = f'fill="{ink}"'
    for number, part in enumerate(re.split(r"\x1b\[([\d;]*)m", line)):
        if number % 2 == 0:
            yield f"<tspan {style}>{escape(part)}</tspan>" if part else ""
            continue
        codes = part.split(";")
        if codes in ([""], ["0"]):
            style = f'fill="{ink}"'
        elif codes[-1] == "2":
            style = f'fill="{faint}"'
        elif _UNDERLINED in codes:
            style = f'fill="{against}" text-decoration="underline" font-weight="600"'
        elif codes[:2] == ["48", "5"]:
            is_for = int(codes[2]) in _TEALS
            style = f'fill="{for_it if is_for else against}" font-weight="600"'


def picture_explanation() -> None:
    """Write what `sentcli explain` prints in a terminal, in light and dark."""
    printed = at_a_terminal([str(SENTCLI), "explain", TEXT]).rstrip().split("\n")
    lines = [f'$ sentcli explain "{TEXT}"', *printed]
    for theme, (_, _, background, *_) in THEMES.items():
        rows = "\n".join(
            f'<text x="18" y="{30 + 21 * row}" xml:space="preserve">{"".join(spans(line, theme))}</text>'
            for row, line in enumerate(lines)
        )
        height = 30 + 21 * len(lines)
        (PICTURES / f"explain-{theme}.svg").write_text(
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
            'role="img" font-family="ui-monospace, SFMono-Regular, Menlo, monospace" font-size="15">\n'
            f"<title>What sentcli explain prints</title>\n"
            f'<rect width="{WIDTH}" height="{height}" rx="8" fill="{background}"/>\n{rows}\n</svg>\n',
            "utf-8",
        )


if __name__ == "__main__":
    PICTURES.mkdir(exist_ok=True)
    picture_explanation()
    with tempfile.TemporaryDirectory() as made:
        picture_report(Path(made))
