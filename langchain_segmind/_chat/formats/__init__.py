"""One module per JSON format of chat completions, each with two pure functions.

`encode(request)` returns the body of a request; `decode(body)` returns the completion in a
response's body, or raises a `ValueError` that says what the body lacks.
"""
