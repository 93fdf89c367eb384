"""Draw what `throughput.py` measured as SVG, for light and dark pages: accuracy, and speed beside it."""

from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from throughput_report import OURS, Record, Report, accuracy, rate

# Ink, faint ink, lines, background, the color of sentcli, that of the other tools. Each has enough contrast.
THEMES = {
    "light": ("#1f2328", "#59636e", "#d1d9e0", "#ffffff", "#b35900", "#0969da"),
    "dark": ("#f0f6fc", "#9198a1", "#3d444d", "#0d1117", "#f0883e", "#4493f8"),
}
WIDTH, ROW, TOP = 620, 25, 54
NAMES, DOTS, SPEEDS = 208, (222, 378), (438, 558)  # the end of the names, both panels
SHORT = {
    "(1,2)-grams": "n-grams",
    "logistic regression": "LR",
    " dimensions": "",
    ", fine-tuned on 4,000 texts, 128 tokens, int8": ", int8",
}


def draw(folder: Path, result: dict[str, Any]) -> None:
    """Write `throughput-light.svg` and `throughput-dark.svg`."""
    for theme in THEMES:
        (folder / f"throughput-{theme}.svg").write_text(chart(result, theme), "utf-8")


def chart(result: dict[str, Any], theme: str) -> str:
    """Return a chart with a row for each model, run in its fastest way; the most accurate is at the top."""
    report = Report(result)
    ink, faint, line, background, own, other = THEMES[theme]
    fastest: dict[str, Record] = {}
    for record in [report.ours, *report.records]:
        fastest.setdefault(record["model"] or record["title"], record)
    records = sorted(fastest.values(), key=lambda record: -accuracy(record, report.reviews))
    values = [accuracy(record, report.reviews) for record in records]
    low, high = int(10 * min(values)) / 10, 1.0
    fastest_rate = max(map(rate, records))
    bottom = TOP + ROW * len(records)
    parts = [
        f'<rect width="{WIDTH}" height="{bottom + 34}" rx="8" fill="{background}"/>',
        text(DOTS[0], 20, "accuracy", ink, weight=600),
        text(DOTS[0], 38, "on unseen reviews", faint),
        text(SPEEDS[0], 20, "reviews per second", ink, weight=600),
        text(SPEEDS[0], 38, f"on {result['machine']['cores']} cores", faint),
    ]
    for tick in (round(low + step * 0.1, 2) for step in range(round((high - low) / 0.1) + 1)):
        x = DOTS[0] + (DOTS[1] - DOTS[0]) * (tick - low) / (high - low)
        parts += [f'<path d="M{x:.1f} {TOP}V{bottom}" stroke="{line}"/>']
        parts += [text(x, bottom + 20, f"{tick:.1f}", faint, "middle")]
    for place, (record, value) in enumerate(zip(records, values, strict=True)):
        y = TOP + ROW * (place + 0.5)
        color, weight = (own, 700) if record["key"] == OURS else (other, 400)
        x = DOTS[0] + (DOTS[1] - DOTS[0]) * (value - low) / (high - low)
        length = (SPEEDS[1] - SPEEDS[0]) * rate(record) / fastest_rate
        parts += [
            text(NAMES, y + 5, short(record["title"]), ink, "end", weight),
            f'<path d="M{DOTS[0]} {y}H{DOTS[1]}" stroke="{line}" stroke-dasharray="1 3"/>',
            f'<circle cx="{x:.1f}" cy="{y}" r="5.5" fill="{color}"/>',
            text(DOTS[1] + 8, y + 5, f"{value:.3f}", ink, weight=weight),
            f'<rect x="{SPEEDS[0]}" y="{y - 8}" width="{max(length, 1):.1f}" height="16" fill="{color}"/>',
            text(SPEEDS[0] + length + 6, y + 5, f"{rate(record):,.0f}", ink, weight=weight),
        ]
    title = "Accuracy on reviews that no tool learned from, and reviews per second"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {bottom + 34}" width="{WIDTH}"'
        f' role="img" font-family="system-ui, Segoe UI, Roboto, sans-serif" font-size="14">\n'
        f"<title>{title}</title>\n" + "\n".join(parts) + "\n</svg>\n"
    )


def text(x: float, y: float, content: str, color: str, anchor: str = "start", weight: int = 400) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text {place} fill="{color}" font-weight="{weight}">{escape(content)}</text>'


def short(title: str) -> str:
    for long, name in SHORT.items():
        title = title.replace(long, name)
    return title
