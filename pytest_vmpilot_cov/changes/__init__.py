"""Changes: what git says -> the lines that a change added or touched, and the tests that it affects."""
