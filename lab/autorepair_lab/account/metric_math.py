"""The part of CloudWatch's metric math that alarms here use: arithmetic, FILL, IF, aggregates.

An aggregate of one series is a number; of METRICS(), all of them, it is a series again.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping

from autorepair_lab.account.call import CallRefusedError

Series = dict[int, float]
Value = float | Series

_OPERATORS: dict[type[ast.AST], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Gt: lambda a, b: float(a > b),
    ast.GtE: lambda a, b: float(a >= b),
    ast.Lt: lambda a, b: float(a < b),
    ast.LtE: lambda a, b: float(a <= b),
    ast.Eq: lambda a, b: float(a == b),
    ast.NotEq: lambda a, b: float(a != b),
}
_IF_ARGUMENTS = (2, 3)


def evaluate(expression: str, series: Mapping[str, Series]) -> Series:
    """The series of an expression over other series by id.

    Raises CallRefusedError: ValidationError for bad syntax or an unknown id, NotImplementedInLab
    for a function that the lab does not have.
    """
    try:
        tree = ast.parse(expression.strip(), mode="eval").body
    except SyntaxError as error:
        raise CallRefusedError(
            "ValidationError", f"Error in expression '{expression}': {error.msg}"
        ) from error
    value = _Evaluation(series).of(tree)
    if isinstance(value, dict):
        return value
    times = {at for one in series.values() for at in one}
    return dict.fromkeys(sorted(times), value)


class _Evaluation:
    def __init__(self, series: Mapping[str, Series]) -> None:
        self._series = series

    def of(self, node: ast.expr) -> Value:
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
            return float(node.value)
        if isinstance(node, ast.Name):
            if node.id not in self._series:
                raise CallRefusedError("ValidationError", f"Metric math: no metric '{node.id}'")
            return self._series[node.id]
        if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
            return _combine(_OPERATORS[type(node.op)], self.of(node.left), self.of(node.right))
        if isinstance(node, ast.Compare) and len(node.ops) == 1:
            compare = _OPERATORS[type(node.ops[0])]
            return _combine(compare, self.of(node.left), self.of(node.comparators[0]))
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return _combine(operator.mul, -1.0, self.of(node.operand))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            return self._call(node.func.id, node.args)
        raise _unknown(ast.unparse(node))

    def _call(self, name: str, given: list[ast.expr]) -> Value:
        if name in _AGGREGATES and _is_all_metrics(given):
            return self._across(_AGGREGATES[name])
        arguments = [self.of(one) for one in given]
        if name == "FILL" and isinstance(arguments[0], dict):
            return self._fill(arguments[0], arguments[1])
        if name == "IF" and len(arguments) in _IF_ARGUMENTS:
            return self._choose(arguments)
        if name in _AGGREGATES and isinstance(arguments[0], dict):
            values = list(arguments[0].values())
            return _AGGREGATES[name](values) if values else 0.0
        raise _unknown(name)

    def _across(self, aggregate: Callable[[list[float]], float]) -> Series:
        series = self._series.values()
        times = sorted({at for one in series for at in one})
        return {at: aggregate([one[at] for one in series if at in one]) for at in times}

    def _fill(self, series: Series, filler: Value) -> Series:
        if isinstance(filler, dict):
            raise _unknown("FILL with a series")
        times = {at for one in self._series.values() for at in one}
        return {at: series.get(at, filler) for at in sorted(times)}

    @staticmethod
    def _choose(arguments: list[Value]) -> Value:
        condition = arguments[0]
        if not isinstance(condition, dict):
            return arguments[1] if condition else (arguments[2:] or [0.0])[0]
        chosen: Series = {}
        for at, is_true in condition.items():
            branch = arguments[1] if is_true else (arguments[2] if arguments[2:] else None)
            value = branch.get(at) if isinstance(branch, dict) else branch
            if value is not None:
                chosen[at] = value
        return chosen


_AGGREGATES: dict[str, Callable[[list[float]], float]] = {
    "SUM": sum,
    "MAX": max,
    "MIN": min,
    "AVG": lambda values: sum(values) / len(values),
}


def _is_all_metrics(arguments: list[ast.expr]) -> bool:
    return [ast.unparse(one) for one in arguments] == ["METRICS()"]


def _combine(apply: Callable[[float, float], float], left: Value, right: Value) -> Value:
    if isinstance(left, dict) or isinstance(right, dict):
        times = sorted(_times(left, right))
        pairs = ((at, _at(left, at), _at(right, at)) for at in times)
        # CloudWatch has no data point where a division has none.
        return {at: apply(a, b) for at, a, b in pairs if not (apply is operator.truediv and b == 0)}
    return 0.0 if apply is operator.truediv and right == 0 else apply(left, right)


def _times(left: Value, right: Value) -> set[int]:
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() & right.keys()
    series = left if isinstance(left, dict) else right
    return set(series) if isinstance(series, dict) else set()


def _at(value: Value, at: int) -> float:
    return value[at] if isinstance(value, dict) else value


def _unknown(what: str) -> CallRefusedError:
    return CallRefusedError(
        "NotImplementedInLab", f"The lab's metric math has no {what}; add it to metric_math.py", 501
    )
