"""Arrays without a reference count, for loops in which counting would cost more than the arithmetic.

Numba counts a reference, with an atomic instruction, whenever an array goes into a function that it can't see through.
A kernel that calls a dozen small functions a row spends most of its time there, even if all of them are inlined.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from numba.extending import intrinsic


def _without_owner(context: Any, array: Any) -> Any:
    def generate(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        view = target.make_array(array)(target, builder, arguments[0])
        view.meminfo = view.meminfo.type(None)
        view.parent = view.parent.type(None)
        return view._getvalue()

    return array(array), generate


borrowed = cast(Callable[[np.ndarray], np.ndarray], intrinsic(_without_owner))
"""In a kernel: the same array, without a reference. The kernel's caller must hold one until the kernel returns, so it
is for arguments, and arrays of a struct that is an argument; never for an array that the kernel allocated itself."""
