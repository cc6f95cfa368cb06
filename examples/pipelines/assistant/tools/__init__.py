"""The tools that the model may call."""

from assistant.tools import calculator, files, notes, recall, shell, text, units
from assistant.tools.registry import Context, Registry, Tool

__all__ = ["Context", "Registry", "Tool", "default_registry"]


def default_registry() -> Registry:
    """Return a registry of all tools."""
    modules = (calculator, files, notes, recall, shell, text, units)
    return Registry(module.TOOL for module in modules)
