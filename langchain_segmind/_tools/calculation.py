"""Calculates expressions with numbers only, such as `1/6`."""

import ast
import operator
import re
from collections.abc import Callable, Mapping

MAX_CALCULATION_CHARACTERS = 100
DATE_OR_PHONE_NUMBER = re.compile(r"\d+(?:-\d+)+")
CALCULATION = re.compile(r"[\d\s.+\-*/()]+")

Number = int | float
OPERATORS: Mapping[type, Callable[[Number, Number], Number]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


class NoCalculationError(ValueError):
    """An expression is more than a calculation with numbers."""


def calculate(text: str) -> Number | None:
    """Return the result of a calculation with numbers only; None for anything else."""
    if len(text) > MAX_CALCULATION_CHARACTERS or not CALCULATION.fullmatch(text):
        return None
    if DATE_OR_PHONE_NUMBER.fullmatch(text):
        return None
    try:
        return _calculate(ast.parse(text, mode="eval").body)
    except (SyntaxError, ArithmeticError, MemoryError, RecursionError, NoCalculationError):
        return None


def _calculate(node: ast.expr) -> Number:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return node.value
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        value = _calculate(node.operand)
        return -value if isinstance(node.op, ast.USub) else value
    if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
        return OPERATORS[type(node.op)](_calculate(node.left), _calculate(node.right))
    raise NoCalculationError
