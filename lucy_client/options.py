"""What all commands have in common: which server, fields as NAME=VALUE, and how a command ends."""

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterable
from typing import Any

from lucy_client.client import Lucy
from lucy_client.errors import LucyError
from lucy_client.folder import FolderError


def add_server(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--url",
        default=os.environ.get("LUCY_URL", "http://localhost:5000"),
        help="the server; LUCY_URL, or %(default)s",
    )
    parser.add_argument(
        "--key", default=os.environ.get("LUCY_API_KEY"), help="an API key or token; LUCY_API_KEY"
    )


def add_fields(parser: argparse.ArgumentParser, example: str) -> None:
    parser.add_argument("--set", metavar="NAME=VALUE", action="append", default=[], help=example)


def run_on_server(
    program: str, arguments: argparse.Namespace, command: Callable[[Lucy, argparse.Namespace], int]
) -> int:
    """The command's exit status. What it fails with is one line of the program's on standard error."""
    try:
        with Lucy(arguments.url, arguments.key) as lucy:
            return command(lucy, arguments)
    except (FolderError, LucyError, OSError) as error:
        print(f"{program}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{program}: cancelled", file=sys.stderr)
        return 130


def given(pairs: Iterable[str]) -> dict[str, Any]:
    """Fields of NAME=VALUE; a value that is JSON is taken as such. Raises SystemExit."""
    fields: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise SystemExit(f"--set needs NAME=VALUE, not {pair!r}")
        try:
            fields[name] = json.loads(value)
        except ValueError:
            fields[name] = value
    return fields
