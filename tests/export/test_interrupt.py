import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from export.interrupt import cleaned, exit_on_interrupt, uninterrupted

# Within exec() a KeyboardInterrupt makes Python kill itself by SIGINT at its end, even if it is caught.
WITHIN_EXEC = """
from export.interrupt import cleaned, exit_on_interrupt

def fail():
    raise OSError("the disk is gone")

with exit_on_interrupt("export", "stopped"), cleaned(lambda: print("first")), cleaned(fail):
    with cleaned(lambda: print("not any more")):
        pass
    exec("import time; print('ready', flush=True); time.sleep(30)")
"""


def test_ctrl_c_cleans_up_and_ends_the_process_in_one_line():
    with subprocess.Popen(
        [sys.executable, "-c", WITHIN_EXEC], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=20)
    assert (process.returncode, output, errors) == (130, "first\n", "export: stopped\n")


def test_publishing_is_not_interrupted():
    done = []
    with uninterrupted():
        os.kill(os.getpid(), signal.SIGINT)
        done.append("published")
    assert done == ["published"]


def test_each_leaves_the_handler_as_it_was():
    before = signal.getsignal(signal.SIGINT)
    with exit_on_interrupt("export", "stopped"), cleaned(print), uninterrupted():
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.sampled(1)
@pytest.mark.parametrize("doing", ["import", "load", "trace"])
def test_ctrl_c_ends_the_export_in_one_line_and_leaves_nothing(checkpoint, tmp_path, doing):
    """It was 60 to 80 lines of traceback, or none."""
    command = [sys.executable, "-m", "export", str(checkpoint), "--repository", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as export:
        shown = b""
        while doing == "import" and "libtorch" not in Path(f"/proc/{export.pid}/maps").read_text():
            time.sleep(0.01)
        while doing != "import" and f": {doing}".encode() not in shown:
            shown += os.read(export.stderr.fileno(), 1024)
            assert export.poll() is None, shown
        export.send_signal(signal.SIGINT)
        errors = shown + export.communicate(timeout=60)[1]
    assert export.returncode == 130
    assert b"Traceback" not in errors
    assert errors.splitlines()[-1].endswith(
        b"export: stopped by Ctrl-C; what was exported before is unchanged"
    )
    assert not list(tmp_path.rglob("*"))
