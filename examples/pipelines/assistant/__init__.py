"""An assistant that answers with the help of tools and remembers what was said."""

from assistant.errors import AssistantError
from assistant.service import Assistant, Turn
from assistant.settings import Settings, load_settings

__all__ = ["Assistant", "AssistantError", "Settings", "Turn", "load_settings"]
