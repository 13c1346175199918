"""Wrong usage of any command line."""

from __future__ import annotations

import pytest

from runtime.cli.parser import Parser
from runtime.errors import OptionError


def parser() -> Parser:
    parser = Parser(prog="python -m thing")
    parser.add_argument("--number", type=int)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("go").add_argument("place")
    return parser


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--number", "x", "go", "home"], "Argument --number: invalid int value: 'x'"),
        (["go"], "required: place"),
        (["leave"], "invalid choice: 'leave'"),
        ([], "required: COMMAND"),
        (["--num", "1", "go", "home"], "unrecognized arguments|COMMAND|invalid choice"),
    ],
)
def test_wrong_usage_is_one_sentence_that_names_the_help(arguments: list[str], said: str) -> None:
    with pytest.raises(OptionError, match=said) as raised:
        parser().parse_args(arguments)
    assert "\n" not in str(raised.value)
    assert "--help` lists the options." in str(raised.value)


def test_subcommands_raise_too_and_are_named() -> None:
    for arguments in (["go"], ["go", "home", "--bogus"]):
        with pytest.raises(OptionError, match=r"python -m thing go --help"):
            parser().parse_args(arguments)
