"""Tool calls as text: what is written to a model and read from it. Knows nothing of Segmind."""
