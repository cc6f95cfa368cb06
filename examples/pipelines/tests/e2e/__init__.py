"""End-to-end tests: they come from outside, over HTTP or by the command line."""
