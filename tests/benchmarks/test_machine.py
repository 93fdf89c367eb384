import os

import machine


def test_only_installed_packages_have_a_version():
    assert list(machine.versions(["numpy", "no-package-of-this-name"])) == ["numpy"]


def test_the_description_names_processor_cores_and_versions():
    found = machine.describe(["numpy"])
    assert 1 <= found["cores"] <= (os.cpu_count() or 1)
    line = machine.in_a_line(found)
    assert found["processor"] in line
    assert f"numpy {found['versions']['numpy']}" in line


def test_generations_of_a_processor_have_different_names(monkeypatch):
    fields = {"model name": "AMD EPYC", "cpu family": "26", "model": "2"}
    monkeypatch.setattr(machine, "_cpuinfo", lambda: fields)
    assert machine.describe([])["processor"] == "AMD EPYC (family 26, model 2)"
    monkeypatch.setattr(machine, "_cpuinfo", lambda: {"model name": "Cortex"})
    assert machine.describe([])["processor"] == "Cortex"


def test_threads_of_one_core_are_not_cores():
    found = machine.describe([]) | {"cores": 4}
    assert "4 cores" in machine.in_a_line(found | {"threads_a_core": 1})
    assert "4 cores" in machine.in_a_line(found | {"threads_a_core": None})
    assert "4 threads, 2 a core" in machine.in_a_line(found | {"threads_a_core": 2})


def test_a_busy_machine_is_a_warning():
    assert machine.busy({"load": 0.1}) is None
    assert "load 3.5" in machine.busy({"load": 3.5})


def test_variables_that_limit_libraries_are_left_out(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("SOMETHING_ELSE", "2")
    assert "OMP_NUM_THREADS" not in machine.all_cores()
    assert machine.all_cores()["SOMETHING_ELSE"] == "2"
