"""Settings of all unit tests."""

from hypothesis import settings

settings.register_profile("no deadline", deadline=None)  # a loaded machine is slow at times
settings.load_profile("no deadline")
