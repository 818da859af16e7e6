import json
from dataclasses import replace

import pytest

from serving import gpu_checks
from serving.finding import Machine
from serving.memory_table import MemoryTable, Row, read_memory
from tests.serving.test_engine_stamp import A10G

GIB = 1 << 30
ROWS = [
    {"resolution": [512, 384], "batch": batch, "bytes": (4 + batch) * GIB} for batch in (1, 2, 4, 8, 16)
] + [
    {"resolution": [1024, 768], "batch": batch, "bytes": (4 + 4 * batch) * GIB} for batch in (1, 2, 4, 8, 16)
]


@pytest.fixture
def machine(tmp_path):
    (tmp_path / "manifest.json").write_text(json.dumps({"memory": {"weights": 4 * GIB, "rows": ROWS}}))
    return Machine(tmp_path, "gpu", None)


def finding(machine, gib):
    [found] = gpu_checks._memory(machine, replace(A10G, memory_total=gib * 1024))
    return found


def test_a_gpu_that_is_too_small_is_refused_with_the_figure(machine):
    """A guided capture at the larger resolution has two rows."""
    found = finding(machine, 11)
    assert found.state == "fail"
    assert "take 12.0 GiB at 1024 × 768 and 2 rows" in found.text
    assert "has 11.0: export a smaller resolution" in found.text


def test_a_gpu_that_takes_one_job_but_no_full_batch_gets_a_warning(machine):
    found = finding(machine, 24)
    assert found.state == "warn"
    assert "batches of more than 4 rows take more" in found.text


def test_a_large_gpu_is_fine(machine):
    assert finding(machine, 80).state == "ok"


@pytest.mark.parametrize("content", [None, "{", "{}", '{"memory": {"rows": []}}'])
def test_an_older_export_has_no_table(machine, content):
    path = machine.repository / "manifest.json"
    path.unlink()
    if content:
        path.write_text(content)
    assert read_memory(machine.repository) is None
    assert list(gpu_checks._memory(machine, A10G)) == []


def test_the_largest_batch_fits_at_every_resolution():
    table = MemoryTable([Row(*it["resolution"], it["batch"], it["bytes"]) for it in ROWS])
    assert [table.largest_batch(gib * GIB) for gib in (7, 8, 20, 36, 68)] == [0, 1, 4, 8, 16]
