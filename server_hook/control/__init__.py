"""The control channel: a live process is asked, and answers."""
