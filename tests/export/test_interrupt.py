import os
import signal
import subprocess
import sys
import time

import pytest

from export.interrupt import delayed_interrupt, plain_interrupt, uninterrupted


def press():
    os.kill(os.getpid(), signal.SIGINT)


def test_an_error_that_ctrl_c_caused_is_ctrl_c():
    """numpy turns it into an ImportError in the middle of its import."""

    def import_numpy():
        try:
            press()
            time.sleep(1)
        except KeyboardInterrupt:
            raise ImportError("numpy failed to import") from None

    with pytest.raises(KeyboardInterrupt), plain_interrupt():
        import_numpy()
    with pytest.raises(ImportError), plain_interrupt():
        raise ImportError("without Ctrl-C")


def test_publishing_is_not_interrupted():
    done = []
    with uninterrupted():
        press()
        done.append("published")
    assert done == ["published"]


def test_an_import_ends_before_ctrl_c():
    done = []

    def import_torch():
        press()
        done.append("imported")

    with pytest.raises(KeyboardInterrupt), delayed_interrupt():
        import_torch()
    assert done == ["imported"]


def test_each_leaves_the_handler_as_it_was():
    before = signal.getsignal(signal.SIGINT)
    for context in (plain_interrupt, uninterrupted, delayed_interrupt):
        with context():
            pass
        assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize("seconds", [0.5, 4])
def test_ctrl_c_ends_the_command_in_one_line(checkpoint, tmp_path, seconds):
    """It was 60 to 80 lines of traceback."""
    command = [sys.executable, "-m", "export", str(checkpoint), "--repository", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as export:
        time.sleep(seconds)
        export.send_signal(signal.SIGINT)
        _, errors = export.communicate(timeout=60)
    assert export.returncode == 130
    assert "Traceback" not in errors
    assert errors.splitlines()[-1].endswith(
        "export: stopped by Ctrl-C; what was exported before is unchanged"
    )
    assert not list(tmp_path.rglob("*"))
