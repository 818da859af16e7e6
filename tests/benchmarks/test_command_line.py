"""A benchmark that is ended ends what it has started."""

import subprocess
import sys

PROGRAM = """
import sys, time
from contextlib import contextmanager
from benchmarks.command_line import run

@contextmanager
def server():
    try:
        yield
    finally:
        print("ended", flush=True)

def main():
    with server():
        print("started", flush=True)
        time.sleep(60)

sys.exit(run("example", main))
"""


def test_a_sigterm_ends_the_servers_too():
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "started\n"
        process.terminate()
        assert process.communicate(timeout=20)[0] == "ended\n"
    assert process.returncode == 143
