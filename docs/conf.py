"""How Sphinx builds the documentation: python -m sphinx -W --keep-going docs docs/_build."""

from __future__ import annotations

import importlib.metadata
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "pytest-vmpilot-cov"
copyright = "the contributors of pytest-vmpilot-cov"  # noqa: A001 - Sphinx's own name
release = importlib.metadata.version("pytest-vmpilot-cov")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "repository", "generated"]
exclude_patterns = ["_build"]

myst_heading_anchors = 4
autodoc_member_order = "bysource"
autodoc_typehints = "description"

html_theme = "furo"
html_title = f"pytest-vmpilot-cov {release}"
