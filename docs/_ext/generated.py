"""Reference pages from the code: ``{generated} options`` shows what the code says of its options."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout, suppress
from typing import TYPE_CHECKING, Any, ClassVar
from unittest import mock

from sphinx.util.docutils import SphinxDirective

from pytest_vmpilot_cov import messages
from pytest_vmpilot_cov.cli import main
from pytest_vmpilot_cov.options.flags import SHARED_OPTIONS, add_own_options
from server_hook.config.files import OWN_SETTINGS

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.application import Sphinx


def _options() -> Iterator[str]:
    parser = mock.Mock()  # in place of pytest's: it lists what is added
    add_own_options(parser)
    own = [(call.args[0], call.kwargs) for call in parser.getgroup.return_value.addoption.call_args_list]
    yield from _table("Ours alone", own)
    yield from _table("Shared with pytest-cov", [(flag, more) for _, flag, more in SHARED_OPTIONS])


def _table(title: str, options: list[tuple[str, dict[str, Any]]]) -> Iterator[str]:
    yield from (f"**{title}**", "", "| option | meaning |", "|---|---|")
    for flag, more in options:
        value = f"={more['metavar']}" if "metavar" in more else ""
        yield f"| `{flag}{f'[{value}]' if more.get('nargs') == '?' else value}` | {more['help']} |"
    yield ""


def _verbs() -> Iterator[str]:
    yield from ("## All verbs", "", "```text", _help([]), "```", "")
    for verb, *_ in main._VERBS:
        yield from (f"## vmpilot-cov {verb}", "", "```text", _help([verb]), "```", "")


def _help(words: list[str]) -> str:
    """Return what ``--help`` prints, as in a plain terminal of 100 columns."""
    shown = io.StringIO()
    plain = {"COLUMNS": "100", "NO_COLOR": "1"}
    with mock.patch.dict("os.environ", plain), redirect_stdout(shown), suppress(SystemExit):
        main.build_parser().parse_args([*words, "--help"])
    return shown.getvalue().rstrip()


def _settings() -> Iterator[str]:
    yield from (f"- [`{name}`](../configuration.md#{name})" for name in sorted(OWN_SETTINGS))


def _messages() -> Iterator[str]:
    for slug in sorted(messages.SLUGS):
        yield f"- [{slug}](../messages.md#{slug}): `` {' '.join(messages._TEXTS[slug].split())} ``"


_MAKERS: dict[str, Callable[[], Iterator[str]]] = {
    "options": _options,
    "command": _verbs,
    "settings": _settings,
    "messages": _messages,
}


class _Generated(SphinxDirective):
    required_arguments: ClassVar = 1

    def run(self) -> list[nodes.Node]:
        self.env.note_reread()  # the code may have changed where the page hasn't
        text = "\n".join(_MAKERS[self.arguments[0]]())
        return self.parse_text_to_nodes(text, allow_section_headings=True)


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the directive."""
    app.add_directive("generated", _Generated)
    return {"parallel_read_safe": True}
