"""Where a `call` takes its `mask` for one tensor, which a layer may get as a list.

Keras 3 gives a layer that is called with a list of tensors a list of their masks, also if none of
these has one. Keras 2 gives it None then.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from modelaudit.formats.source_code.methods import Function, Names, full_name
from modelaudit.formats.source_code.walking import walked

MASK = "mask"
_OF_TENSORS = frozenset(("dtype", "get_shape", "ndim", "shape"))
# Functions that make a tensor of what they are given, which a list of None does not become.
_TAKES_TENSOR = re.compile(
    r"tensorflow\.(?:(?:math|linalg)\.\w+|reduce_\w+|logical_\w+|boolean_mask|cast|"
    r"convert_to_tensor|equal|expand_dims|gather|matmul|not_equal|reshape|shape|squeeze|tile|"
    r"transpose|where)"
    r"|(?:tensorflow\.)?keras\.(?:backend|ops)\.(?:any|all|batch_dot|cast|equal|expand_dims|"
    r"logical_\w+|max|mean|min|not_equal|permute_dimensions|repeat|repeat_elements|reshape|rnn|"
    r"shape|squeeze|sum|tile|transpose|where)"
)


def mask_as_tensor(method: Function, names: Names) -> ast.AST | None:
    """The first expression that a list of masks does not allow, and that runs with one for sure."""
    if MASK not in (each.arg for each in (*method.args.args, *method.args.kwonlyargs)):
        return None
    return next(_used(method.body, names), None)


def _used(body: list[ast.stmt], names: Names) -> Iterator[ast.AST]:
    """Such expressions, until the method gives `mask` another value or may be over."""
    for each in body:
        if isinstance(each, ast.If) and _is_not_none(each.test):
            yield from _used(each.body, names)
        elif not isinstance(each, ast.If | ast.For | ast.While | ast.Try | ast.With):
            yield from (x for x in _always(each) if _needs_tensor(x, names))
        ends = any(isinstance(x, ast.Return) for x in walked(each))  # what raises did not run
        if _stores(each) or (ends and not _asks_none(each)):
            return


def _always(node: ast.stmt) -> Iterator[ast.AST]:
    """The expressions of a statement, without those that may not run."""
    maybe = (ast.IfExp, ast.BoolOp, ast.Lambda, ast.FunctionDef, ast.ClassDef, ast.comprehension)
    skipped = {id(x) for each in walked(node) if isinstance(each, maybe) for x in walked(each)}
    yield from (each for each in walked(node) if id(each) not in skipped)


def _needs_tensor(node: ast.AST, names: Names) -> bool:
    if isinstance(node, ast.Attribute):
        return _is_mask(node.value) and node.attr in _OF_TENSORS
    if isinstance(node, ast.BinOp):
        return _is_mask(node.left) or _is_mask(node.right)
    if isinstance(node, ast.Call) and _TAKES_TENSOR.fullmatch(full_name(node.func, names)):
        return any(map(_is_mask, (*node.args, *(word.value for word in node.keywords))))
    return False


def _is_mask(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id == MASK


def _stores(node: ast.stmt) -> bool:
    names = (each for each in walked(node) if isinstance(each, ast.Name) and each.id == MASK)
    return any(isinstance(each.ctx, ast.Store) for each in names)


def _is_not_none(test: ast.expr) -> bool:
    return ast.unparse(test) in (f"{MASK} is not None", MASK)


def _asks_none(node: ast.stmt) -> bool:
    """`if mask is None: …`, which a list passes by."""
    return isinstance(node, ast.If) and ast.unparse(node.test) in (f"{MASK} is None", f"not {MASK}")
