"""One pytest session, from its start to its section in the terminal."""
