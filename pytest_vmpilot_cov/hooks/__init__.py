"""Hooks: what others may add, and what this plugin adds itself."""
