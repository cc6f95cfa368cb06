"""Beside other tools: pytest-cov, VS Code, debuggers."""
