"""Options that cannot be obeyed are told in a line, before a server starts."""

import importlib
import sys

import pytest


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("moving", ["--seconds", "1"], "--seconds: at least 2"),  # ended in an empty contact sheet
        ("hostile", ["--kinds", "nothing"], "no kind is like nothing"),  # ended in a traceback
    ],
)
def test_an_option_is_refused(name, options, said, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [name, *options])
    with pytest.raises(SystemExit) as ended:
        importlib.import_module(f"benchmarks.{name}.__main__").main()
    assert ended.value.code == 2
    assert said in capsys.readouterr().err
