"""The package's version, as a constant so that reading it costs no file access."""

__version__ = "0.1.0"
