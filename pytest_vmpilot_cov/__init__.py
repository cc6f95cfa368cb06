"""One coverage verdict over unit tests, E2E tests and the live pipeline server; a pytest plugin and a command."""
