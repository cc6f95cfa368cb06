"""Changes: what git says -> the lines that a change added or touched."""
