"""The frozen values that travel along the way (public): re-exports all names of its seven files."""

from __future__ import annotations

from pytest_vmpilot_cov.model.baseline import Baseline
from pytest_vmpilot_cov.model.change import Change, ChangedFile, Diff
from pytest_vmpilot_cov.model.collected import (
    TESTS_FILE,
    Collected,
    DataFile,
    Delivery,
    Place,
    is_elsewhere,
    is_tests_file,
)
from pytest_vmpilot_cov.model.combined import Combined, LeftOut, Mapped
from pytest_vmpilot_cov.model.figures import Figures, Row, Tally
from pytest_vmpilot_cov.model.options import ORIGINS, TYPED, Options, ReportRequest, Setting, T, Threshold
from pytest_vmpilot_cov.model.verdict import Check, Outcome, Verdict

__all__ = [
    "ORIGINS",
    "TESTS_FILE",
    "TYPED",
    "Baseline",
    "Change",
    "ChangedFile",
    "Check",
    "Collected",
    "Combined",
    "DataFile",
    "Delivery",
    "Diff",
    "Figures",
    "LeftOut",
    "Mapped",
    "Options",
    "Outcome",
    "Place",
    "ReportRequest",
    "Row",
    "Setting",
    "T",
    "Tally",
    "Threshold",
    "Verdict",
    "is_elsewhere",
    "is_tests_file",
]
