"""How our commands end: Ctrl-C in one line and with status 130, a closed pipe without a word, and a user's
mistake in a sentence."""

import os
import sys
from collections.abc import Callable

INTERRUPTED = 130  # 128 + SIGINT, as shells count
_NOBODY_READS = 141  # 128 + SIGPIPE


def run(
    name: str,
    main: Callable[[], int | None],
    interrupted: str = "stopped by Ctrl-C",
    faults: tuple[type[Exception], ...] = (),
) -> int:
    """The exit status of `main`; `name` begins the line that Ctrl-C prints.

    interrupted: what Ctrl-C leaves behind, in one line.
    faults: errors whose message tells the user what is wrong. They end the command with status 1.
    """
    try:
        status = main() or 0
    except KeyboardInterrupt:
        sys.stderr.write(interrupted_line(name, interrupted))
        status = INTERRUPTED
    except BrokenPipeError:
        status = _NOBODY_READS
    except faults as error:
        sys.stderr.write(f"{name}: {error}\n")
        status = 1
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        pass
    else:
        return status
    # `… | head -1` has what it wanted. The interpreter flushes once more at its end, and would complain.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return status


def interrupted_line(name: str, left: str) -> str:
    # On a terminal ^C and perhaps a progress bar stand at the beginning of the line.
    lead = "\n" if sys.stderr.isatty() else ""
    return f"{lead}{name}: {left}\n"
