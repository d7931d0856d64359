"""Facts of the models."""
