"""Facts about Segmind's HTTP API and pure functions over them. No I/O."""
