import json
import subprocess
import sys
from pathlib import Path

from catalog import Catalog


def test_a_scanned_folder_goes_into_a_catalog(tmp_path: Path) -> None:
    scan = tmp_path / "scan"
    scan.mkdir()
    names = {role: f"{role}.jpg" for role in ("diffuse", "normal", "roughness_map", "thumbnail")}
    for name in names.values():
        (scan / name).write_bytes(name.encode())
    (scan / "fabric.json").write_text(json.dumps({"name": "Linen", "roughness": 0.9, "maps": names}))
    command = [sys.executable, "-m", "catalog", str(scan), "--own", str(tmp_path / "own")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["linen"]
    fabric = Catalog(tmp_path / "own").get("linen")
    assert fabric is not None
    assert fabric.roughness == 0.9


def test_a_folder_that_is_no_scan_is_a_clear_error(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "catalog", str(tmp_path), "--own", str(tmp_path / "own")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "fabric.json" in done.stderr
    assert "Traceback" not in done.stderr
