"""The command `vmpilot-cov`, one module a verb."""
