"""Collect: processes, data files, archives and object stores -> Collected."""
