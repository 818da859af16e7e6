"""How every command ends."""

import argparse
from collections.abc import Callable
from typing import Any

import pytest

from lucy_client import __main__, batch_command
from lucy_client.errors import LucyError
from lucy_client.folder import FolderError
from lucy_client.options import run_on_server

SERVER = argparse.Namespace(url="http://127.0.0.1:1", key=None)


def fails(error: BaseException) -> Callable[..., int]:
    def command(lucy: Any, arguments: argparse.Namespace) -> int:
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "status", "says"),
    [
        (FolderError("no people"), 1, "lucy: no people"),
        (LucyError("it is full", "OVERLOADED", 429), 1, "lucy: it is full"),
        (FileNotFoundError("me.jpg"), 1, "lucy: me.jpg"),
        (KeyboardInterrupt(), 130, "lucy: cancelled"),
    ],
)
def test_a_failure_is_one_line_and_a_status(
    capsys: pytest.CaptureFixture[str], error: BaseException, status: int, says: str
) -> None:
    assert run_on_server("lucy", SERVER, fails(error)) == status
    assert capsys.readouterr().err == f"{says}\n"


def test_a_fault_of_the_program_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        run_on_server("lucy", SERVER, fails(ZeroDivisionError()))


def test_both_programs_say_what_is_wrong_with_a_folder(capsys: pytest.CaptureFixture[str]) -> None:
    """They had a copy each of what catches errors."""
    assert batch_command.main(["nowhere"]) == 1
    assert __main__.main(["batch", "nowhere"]) == 1
    one, two = capsys.readouterr().err.splitlines()
    assert one.removeprefix("python -m frontend_proxy.batch: ") == two.removeprefix("lucy: ")
    assert "nowhere" in two
