"""The environment variables that control recording, and the origins that they may name."""

from __future__ import annotations

VARIABLE = "VMPILOT_COV"
"""Path of the configuration, or of the project's folder: turns recording on."""
DATA_DIR_VARIABLE = "VMPILOT_COV_DATA_DIR"
"""Where a server keeps its data; default beside its configuration."""
ORIGIN_VARIABLE = "VMPILOT_COV_ORIGIN"
SESSION_VARIABLE = "VMPILOT_COV_SESSION"
"""Folder of the test session's own process; its record says how its children measure."""

FOREIGN_VARIABLES = ("COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG")
ORIGINS = ("unit", "e2e", "pipeline")
