import json

from throughput_report import ROOT, SERVICES, pages


def test_services_charge_by_tiers():
    lengths = {"characters": 1290.0, "units_100": 12.0, "units_1000": 2.0}
    found = {name: round(price(lengths), 2) for name, _, price, _ in SERVICES}
    assert found["Amazon Comprehend"] == 1_100  # 10 at 100 and 2 at 50
    assert found["Google Natural Language"] == 1_495  # all but 5,000 of a million at 1,000, one at 500
    assert found["Azure AI Language"] == 1_625
    assert found["gpt-5-nano, batch"] == 10  # (60 + 300) * 0.025 + 5 * 0.2


def test_the_documents_have_the_committed_figures():
    """If code that scores or the model changes, the documents say so, or have the figures of a new run."""
    measured = json.loads((ROOT / "benchmarks" / "results" / "throughput.json").read_text("utf-8"))
    for path, page in pages(measured).items():
        assert path.read_text("utf-8") == page, "run: python benchmarks/throughput.py --docs"
