import machine


def test_variables_that_limit_libraries_are_left_out(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("SOMETHING_ELSE", "2")
    assert "OMP_NUM_THREADS" not in machine.all_cores()
    assert machine.all_cores()["SOMETHING_ELSE"] == "2"
