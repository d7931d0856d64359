"""Structured output: schemas, and replies that are JSON. No I/O."""
