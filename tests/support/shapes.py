"""Parts that hostile replies repeat."""

JSON_SHAPES = [
    "[:(] ",
    "][f(",
    "{",
    "[",
    '{"a":',
    "[1,",
    '"',
    "'",
    "}",
    "{}",
    "[]",
    '{"a":1}',
    '{"a":1,}',
    "{x}",
    '{"}',
    "{'{'}",
    "[it's]",
    "[x y]",
    "//",
    "/*",
    "#",
    '{#"\n',
    '{"a":1}//x\n',
    "<think>",
    "</think>",
    "{</think>",
    "<!--",
    "```\n",
    "\\",
    '"C:\\',
    '"\\\\h\\',
    '["a" "b"',
    '"""',
    "['''",
    " ",
    "\n",
    '{"Joke":',
    '{"a":{"a":1}',
    '{"setup":"a"}',
    '{"setup":"a"',
    "[1 ",
    "(",
    "{(",
    "é{",
    ",",
    ", ",
]


def nest(levels: int) -> list:
    """Return lists within lists."""
    nested: list = []
    for _ in range(levels):
        nested = [nested]
    return nested
