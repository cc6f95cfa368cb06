"""Record one process: measure, drain, write; follow it to its end."""
