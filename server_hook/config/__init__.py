"""The configuration: found, read, resolved."""
