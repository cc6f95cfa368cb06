"""Combine: what was collected -> what counts, in the project's own files."""
