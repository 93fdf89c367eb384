import pytest
from limit_report import arithmetic, must_show, padding, predictions, report, where_it_goes
from measured import size


def test_the_arithmetic_is_that_of_the_products():
    counted = arithmetic(size(hidden=64))
    assert counted["recurrent product"] == 2 * (64 * 256) * 2
    assert counted["input product, which folding leaves out"] == 2 * (100 * 256) * 2
    assert counted["sigmoids and tanhs"] == 2 * 5 * 64


@pytest.mark.parametrize(("gates", "count", "others"), [("coupled", 3, 9), ("forget", 2, 7)])
def test_of_fewer_gates_less_is_computed(gates, count, others):
    counted = arithmetic(size(hidden=64, gates=gates))
    assert counted["recurrent product"] == 2 * (64 * count * 64) * 2
    assert counted["input product, which folding leaves out"] == 2 * (100 * count * 64) * 2
    assert counted["sigmoids and tanhs"] == 2 * (count + 1) * 64
    assert counted["adding, gates, pooling"] == 2 * others * 64


def test_the_parts_of_a_review_add_up_to_its_time_on_all_cores():
    shares = where_it_goes(size())
    assert sum(shares.values()) == pytest.approx(2 * 0.05 / 10 * 1e6)
    assert shares["padding"] == pytest.approx(0.2 * 8000)
    assert shares["recurrent product"] == pytest.approx(0.4 * 0.8 * 8000)
    assert shares["reading"] == pytest.approx(200)
    assert shares["encoding, batches"] == pytest.approx(600)
    assert shares["writing"] == pytest.approx(200)
    assert shares["gaps, a core idle"] == pytest.approx(500)
    assert padding(size()) == pytest.approx(0.2)


def test_nodes_that_come_to_more_than_the_whole_share_it():
    nodes = size()["nodes"] | {"gate functions": 10}  # 16 of 10
    shares = where_it_goes(size(nodes=nodes))
    assert shares["gate functions"] == pytest.approx(10 / 16 * 0.8 * 8000)
    assert shares["between the nodes"] == pytest.approx(0)
    assert sum(shares.values()) == pytest.approx(2 * 0.05 / 10 * 1e6)


def test_more_cores_help_until_the_lock_binds_and_then_more_processes():
    # Of a core a review 9.5 ms, 1 ms of it under the lock; 0.4 ms in the process that reads and writes.
    rates = {row[0]: (round(row[1]), *row[2:4], round(row[4]), row[5]) for row in predictions(size())}
    assert rates[2] == (211, "cores", 1, 211, "cores")
    assert rates[8] == (842, "cores", 1, 842, "cores")
    assert rates[16] == (1000, "lock", 2, 1684, "cores")
    assert rates[64] == (1000, "lock", 4, 2500, "reading, writing")


def test_what_is_promised_is_said_to_be_reached_or_not():
    lines = list(must_show(size()))
    assert lines[0] == "hidden 32: whole pipeline / bare folded graph: 0.80 (0.80 to 0.80), needed 0.70"
    assert lines[1].endswith("2.00 (2.00 to 2.00), needed 1.70")
    assert "NOT reached" not in lines[2]
    assert lines[3] == "hidden 32: padding, % of the steps: 20.0, at most 3: NOT reached"
    assert lines[4].endswith("1000.0, at most 30: NOT reached")


def test_a_share_of_the_bare_graph_is_promised_of_two_sizes():
    first, *_ = must_show(size(name="hidden 64"))
    assert first.endswith("0.80 (0.80 to 0.80), needed 0.85: NOT reached")
    first, *_ = must_show(size(name="the model in the box"))
    assert first.startswith("the model in the box: folded graph / LSTM operators, all cores")


def test_the_report_has_every_table():
    text = "\n".join(report(size()))
    for row in (
        "| recurrent product | 16,384 |",
        "| reached | 1,000,000 | 100% |",
        "| reading | 200.0 | 2.0% |",
        "Folded, the recurrent product in int8: 1.25 times fp32 (1.25 to 1.25).",
        "Folded, coupled gates: 1.60 times separate ones (1.60 to 1.60).",
        "Folded, the forget gate alone: 1.25 times coupled ones (1.25 to 1.25).",
    ):
        assert row in text
    assert "| 64 | 1,000 | lock | 4 | 2,500 | reading, writing |" in text
