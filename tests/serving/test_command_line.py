"""Ctrl-C and closed pipes end our commands without a traceback."""

import os
import signal
import subprocess
import sys

import pytest

PROGRAM = """
import sys, time
from serving.command_line import run

def main():
    print("a line")
    if "wait" in sys.argv:
        print("started", file=sys.stderr, flush=True)
        time.sleep(60)
    if "fail" in sys.argv:
        raise FileNotFoundError("there is no folder rows: name one")
    for _ in range(int(sys.argv[2])):
        print("x" * 1000)
    return 3

sys.exit(run("example", main, "stopped; nothing has changed", (OSError, ValueError)))
"""


def start(*arguments):
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": ""},
    )


def test_ctrl_c_is_one_line_and_status_130():
    with start("wait") as process:
        assert process.stderr.readline() == "started\n"
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=20)
    assert (output, errors) == ("a line\n", "example: stopped; nothing has changed\n")
    assert process.returncode == 130


@pytest.mark.parametrize(("lines", "status"), [("1", 3), ("10000", 141)])
def test_a_closed_pipe_is_no_error(lines, status):
    """As of `… | head -1`: before the end, or in the middle of a long output."""
    with start("write", lines) as process:
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(20) == status


def test_a_users_mistake_is_one_sentence_and_status_1():
    with start("fail") as process:
        output, errors = process.communicate(timeout=20)
    assert (output, errors) == ("a line\n", "example: there is no folder rows: name one\n")
    assert process.returncode == 1
