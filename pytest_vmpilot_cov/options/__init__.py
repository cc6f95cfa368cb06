"""Options: the command line, the environment and the configuration, each setting with where it was set."""
