"""Unit tests: they call the assistant in this process."""
