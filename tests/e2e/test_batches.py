"""Batches through the whole stack: a folder of people and renders, beside live keyframes."""

import json
import subprocess
import sys
import threading

import cv2
import httpx
import pytest

from frontend_proxy.batch import main
from lucy_client import Lucy
from tests.tryon_client import KEYFRAMES

FOLDER = KEYFRAMES / "transparent_no_pose"
SMALL = (320, 180)


def small(name, suffix):
    picture = cv2.imread(str(FOLDER / name), cv2.IMREAD_UNCHANGED)
    return cv2.imencode(suffix, cv2.resize(picture, SMALL, interpolation=cv2.INTER_AREA))[1].tobytes()


@pytest.mark.nightly
def test_a_folder_is_dressed(stack, tmp_path, capsys):
    for person in ("anna", "ben"):
        (tmp_path / "people").mkdir(exist_ok=True)
        (tmp_path / "people" / f"{person}.jpg").write_bytes(small("camera_frame.jpg", ".jpg"))
    (tmp_path / "renders").mkdir()
    (tmp_path / "renders" / "jacket.png").write_bytes(small("jacket_render.png", ".png"))
    assert main([str(tmp_path), "--url", stack.url, "--set", "steps=2", "--set", "seed=7"]) == 0
    assert "2 of 2 pictures" in capsys.readouterr().out
    anna, ben = (cv2.imread(str(tmp_path / "results" / f"{name}-jacket.png")) for name in ("anna", "ben"))
    assert anna.shape == (*SMALL[::-1], 3)
    assert (anna == ben).all(), "the same picture and seed"
    lines = [json.loads(line) for line in (tmp_path / "results/results.jsonl").read_text().splitlines()]
    assert [line["result"]["mode"] for line in lines] == ["ai_enhanced"] * 2


def test_a_batchs_picture_is_a_captures(stack):
    """They differ in who waits, not in the picture."""
    pictures = {
        "user_image": small("camera_frame.jpg", ".jpg"),
        "jacket_render": small("jacket_render.png", ".png"),
    }
    with Lucy(stack.url) as lucy:
        capture = lucy.capture(**pictures, seed=7, steps=3)
        batch = lucy.batch([{**pictures, "seed": 7, "steps": 3}])
        assert lucy.wait_for_batch(batch.batch_id).state == "completed"
        (line,) = lucy.batch_results(batch.batch_id)
        assert lucy.download(line.result["images"][0]["url"]) == capture.image
        lucy.delete_batch(batch.batch_id)
        assert httpx.get(line.result["images"][0]["url"]).status_code == 404


@pytest.mark.nightly
def test_a_batch_ends_beside_live_keyframes(stack):
    frame, render = small("camera_frame.jpg", ".jpg"), small("jacket_render.png", ".png")
    with Lucy(stack.url) as lucy:
        batch = lucy.batch(
            {"user_image": frame, "jacket_render": render, "seed": n, "steps": 4} for n in range(3)
        )
        ended = threading.Event()
        modes = []

        def live():
            with lucy.keyframes() as session:
                while not ended.is_set():
                    modes.append(session.send(frame, render, seed=len(modes)).mode)

        thread = threading.Thread(target=live)
        thread.start()
        try:
            counts = lucy.wait_for_batch(batch.batch_id).counts
        finally:
            ended.set()
            thread.join()
        assert counts.succeeded == 3
        assert modes
        assert set(modes) == {"ai_enhanced"}


def test_the_command_runs_from_a_shell(stack, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "frontend_proxy.batch", str(tmp_path), "--url", stack.url],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert "needs captures.jsonl, or pictures in people/" in done.stderr
