import json
import sys

import pytest

from benchmarks.picture import __main__ as picture


@pytest.mark.nightly
def test_the_stages_meet_every_demand_but_perhaps_those_on_time(tmp_path, monkeypatch, capsys):
    """`python -m benchmarks.picture --scenes 1 --no-stack`, as a user starts it."""
    monkeypatch.setattr(sys, "argv", ["picture", "--scenes", "1", "--no-stack", "--output", str(tmp_path)])
    picture.main()
    report = json.loads((tmp_path / "picture.json").read_text())
    assert json.loads(capsys.readouterr().out) == report
    assert {"transparent", "opaque over video", "flat JPEG", "two people"} <= set(report["means"])
    # One scene's seam lies up to a tenth from the mean of many, for which 1.1 of the photograph's holds.
    of_many = ("ms p50", "of the photograph's")
    unmet = [demand for demand, met in report["met"].items() if not met]
    assert [demand for demand in unmet if not demand.endswith(of_many)] == []
    assert all(row.get("seam", 0) < 1.2 for row in report["means"].values())
    assert all(times["total"] > 1 for times in report["steps_ms"].values())
    assert (tmp_path / "transparent.png").stat().st_size > 10_000
