"""One module per JSON format of chat completions."""
