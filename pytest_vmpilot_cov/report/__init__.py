"""Report: what a verdict looks like in the terminal and in files."""
