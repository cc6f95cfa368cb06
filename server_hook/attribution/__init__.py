"""Which test's work a line is, in a process that serves many tests at once."""
