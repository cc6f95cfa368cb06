"""Every error that the assistant raises on purpose.

AssistantError
├── SettingsError     a setting is missing, malformed or out of range
├── MessageError      a conversation cannot be understood
├── ToolError         a tool cannot do what it was asked; the model gets to read why
├── StepLimitError    the model kept calling tools and never answered
├── MemoryStoreError  a conversation is not in the database, or the database cannot be opened
└── ExportError       a conversation cannot be exported
"""


class AssistantError(Exception):
    """The base of them all; its text can be shown to the user."""


class SettingsError(AssistantError):
    """A setting is missing, malformed or out of range."""


class MessageError(AssistantError):
    """A conversation cannot be understood."""


class ToolError(AssistantError):
    """A tool cannot do what it was asked."""


class StepLimitError(AssistantError):
    """The model called tools more often than it may."""

    def __init__(self, max_steps: int) -> None:
        super().__init__(f"no answer after {max_steps} steps; ask for less at once, or raise max_steps")
        self.max_steps = max_steps


class MemoryStoreError(AssistantError):
    """A conversation is not in the database, or the database cannot be opened."""


class ExportError(AssistantError):
    """A conversation cannot be exported."""
