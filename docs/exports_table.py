"""The table of exports in docs/inputs.md: what sentcli does with the file of each program."""

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / "tests" / name) for name in ("strangers", ".")]

from first_commands import RIGHT, try_all
from people_files import EXAMPLES

# One example for each program that people name; the others try what is special in its files.
NAMES = (
    *("judgeme.csv", "yotpo.csv", "trustpilot.csv", "Appliances.jsonl", "yelp_academic_dataset_review.json"),
    *("reviews_app_202403.csv", "appstore.json", "steam.json", "forms.csv", "forms2.csv", "qualtrics.csv"),
    *("monkey.csv", "nps.csv", "sms.csv", "zendesk.json", "intercom.json", "slack", "inbox.mbox", "mails"),
    *(
        "_chat.txt",
        "tweets.js",
        "mastodon.json",
        "bluesky.json",
        "RC_2017-01.zst",
        "german.csv",
        "unicode.txt",
    ),
    *("titles.xlsx", "formulas.xlsx", "pandas.csv", "r2.csv", "pandas.parquet", "frame.pkl", "spark", "hive"),
    *("delta", "iceberg", "shop.db", "shop.duckdb", "mysql.csv", "reviews.avro", "graphql.json", "texts"),
)


LONGEST = 75  # characters of a command in the table; longer ones are in the messages


def rows() -> Iterator[tuple[str, str, str]]:
    """Yield the program, its file, and what its owner has to type after `sentcli score FILE -o OUTPUT`."""
    examples = {example.name: example for example in EXAMPLES}
    with tempfile.TemporaryDirectory() as folder:
        tried = {example.name: outcome for example, outcome in try_all(Path(folder), [*NAMES])}
    for name in NAMES:
        example, outcome = examples[name], tried[name]
        command = outcome.command.replace("|", "\\|")
        if outcome.kind == RIGHT and not example.asks:
            what = "is read as it is"
        elif len(command) <= LONGEST:
            what = f"asks; next: `{command}`"
        else:
            what = "is refused, with the command that converts it"
        yield example.title, name, what


def table() -> str:
    """Return the table as Markdown."""
    lines = ["| my export is from | file | which |", "|---|---|---|"]
    return "\n".join([*lines, *(f"| {title} | `{name}` | {what} |" for title, name, what in rows())])


def with_exports(page: str) -> str:
    start, end = "<!-- exports -->\n", "\n<!-- end of exports -->"
    return page.partition(start)[0] + start + table() + end + page.partition(end)[2]
