"""Judge: what counts -> figures -> verdict."""
