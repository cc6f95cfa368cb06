"""What the documentation tells its readers to type and to write: commands, options, settings, code."""

from __future__ import annotations

import json
import re
import shlex
import textwrap
import tomllib
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from unittest import mock

import pytest

from pytest_vmpilot_cov.cli.main import build_parser
from pytest_vmpilot_cov.options.flags import SHARED_OPTIONS, add_own_options
from server_hook.config.files import read_own_section
from tests.unit.test_docs import DOCS, PAGES, ROOT

OURS = re.compile(r"(?<![\w-])--(?:vmpilot-)?cov[\w-]*")

pytestmark = pytest.mark.skipif(not DOCS.exists(), reason="the documentation is not here")


def blocks(*languages: str) -> list[object]:
    """Return every code block of the pages in one of these languages, with its place for an id."""
    blocks: list[object] = []
    for page in PAGES:
        text = page.read_text("utf-8")
        for block in re.finditer(r"^( *)```(\w+)\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL):
            if block[2] in languages:
                line = text.count("\n", 0, block.start()) + 1
                place = f"{page.relative_to(ROOT)}:{line}"
                blocks.append(pytest.param(block[2], textwrap.dedent(block[3]), id=place))
    return blocks


def commands(language: str, block: str) -> Iterator[list[str]]:
    """Yield the words of each command of ours that a block types."""
    lines = block.replace("\\\n", " ").splitlines()
    typed = [line[2:] for line in lines if line.startswith("$ ")] if language == "console" else lines
    for line in typed:
        words = shlex.split(line, comments=True)
        if "vmpilot-cov" in words:
            after = words[words.index("vmpilot-cov") + 1 :]
            yield [*takewhile(lambda word: word not in ("--", "&&", "||", ";", "&", ">"), after)]


@pytest.mark.parametrize(("language", "block"), blocks("bash", "sh", "console"))
def test_a_command_is_one_that_the_command_takes(language: str, block: str) -> None:
    """Each ``vmpilot-cov`` that a page types has a verb and options that exist."""
    for words in commands(language, block):
        assert build_parser().parse_args(words)


def all_options() -> set[str]:
    """Return our options of pytest, and those shared with pytest-cov."""
    parser = mock.Mock()
    add_own_options(parser)
    own = {call.args[0] for call in parser.getgroup.return_value.addoption.call_args_list}
    return own | {flag for _, flag, _ in SHARED_OPTIONS}


@pytest.mark.parametrize(("language", "block"), blocks("bash", "sh", "console", "yaml", "ini", "toml", "text"))
def test_an_option_exists(language: str, block: str) -> None:
    """Each ``--vmpilot-cov...`` and ``--cov...`` in a code block is an option of pytest or of the command."""
    assert set(OURS.findall(block)) <= all_options(), language


@pytest.mark.parametrize(("language", "block"), blocks("ini", "toml"))
def test_a_setting_exists(language: str, block: str, tmp_path: Path) -> None:
    """Each setting of ours in a configuration of the pages is read without complaint."""
    path = tmp_path / ("pyproject.toml" if language == "toml" else ".coveragerc")
    path.write_text(block)
    if language == "toml":
        assert tomllib.loads(block)
    read_own_section(str(path))


@pytest.mark.parametrize(("language", "block"), blocks("python", "json"))
def test_code_can_be_read(language: str, block: str) -> None:
    """Each piece of Python compiles, and each piece of JSON is JSON."""
    if language == "json":
        assert json.loads(block)
    else:
        assert compile(block, "page", "exec")
