"""How Numba kernels are compiled here, and how arrays travel into them cheaply."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, cast

import numba
import numba.extending
import numpy as np
from numba import types
from numba.core import cgutils
from numba.core.datamodel import models
from numba.core.extending import infer_getattr, lower_getattr_generic, lower_setattr_generic, register_model, unbox
from numba.core.pythonapi import _unboxers
from numba.core.typing.templates import AttributeTemplate
from numba.experimental import structref

F = TypeVar("F", bound=Callable[..., Any])

EXACT = False
"""Said outright: a function that says nothing takes over `fastmath` from the caller that has it compiled first, for all
callers, so that results would depend on the order of compilation."""


def kernel(function: F) -> F:
    """Compile ``function`` with Numba on first use, keep the result on disk, release the GIL while it runs.

    Division by zero follows IEEE 754, as in NumPy, instead of raising: a kernel must not leave half-written state.
    """
    return cast(F, numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=EXACT)(function))


def inlined(function: F) -> F:
    """Compile a small function that is always inlined by LLVM into its callers."""
    return cast(F, numba.njit(cache=True, nogil=True, error_model="numpy", forceinline=True, fastmath=EXACT)(function))


def inlined_with(function: F) -> F:
    """As `inlined`, for a function that takes another one as an argument: only what calls it is kept on disk.

    Numba knows such a call by the function that is passed, of which a file can only hold a copy; copies vanish when
    many of them were read, and with them whatever is looked for in the same file.
    """
    return cast(F, numba.njit(nogil=True, error_model="numpy", forceinline=True, fastmath=EXACT)(function))


def undivided(function: F) -> F:
    """As `kernel`, but the GIL is kept, so that a call is one step to other threads, without any lock (0.1 µs a call).

    For kernels that take microseconds.
    """
    return cast(F, numba.njit(cache=True, error_model="numpy", fastmath=EXACT)(function))


def approximate(function: F) -> F:
    """As `kernel`, for results with known errors: sums in whatever order is fast, products fused with sums."""
    loose = {"reassoc", "contract", "nsz"}
    return cast(F, numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=loose)(function))


def entry_of(function: Callable[..., Any], *arguments: str) -> Callable[..., Any]:
    """The compiled code of a kernel for arguments of these types, such as ``"intp"``; compiled now if it has to be.

    Calling it takes 0.05 µs less than calling the kernel, which looks at the types of its arguments.
    """
    dispatcher = cast(Any, function)
    signature = tuple(getattr(types, argument) for argument in arguments)
    if signature not in dispatcher.overloads:
        dispatcher.compile(signature)
    return cast(Callable[..., Any], dispatcher.overloads[signature].entry_point)


def is_compiled(function: Callable[..., Any]) -> bool:
    """Say whether ``function`` is in memory or in Numba's disk cache already, so that a call will not compile it."""
    dispatcher = cast(Any, function)
    if dispatcher.signatures:
        return True
    cache = dispatcher._cache
    index = Path(cache.cache_path) / cache._cache_file._index_name
    return bool(index.exists())


def struct(arrays: type[NamedTuple]) -> tuple[Any, Any]:
    """Make the struct that hands a named tuple of arrays to a kernel in one argument.

    Numba unpacks a named tuple array by array (0.1 µs each on every call); a struct costs 0.2 µs whatever its size.
    Both share memory, so Python keeps the named tuple and kernels work on the struct.

    In a kernel nothing counts references to a struct, or to the arrays that are read from it: that would be most of
    what a small kernel does. Who calls a kernel holds the struct, which keeps its arrays for good. So a kernel makes a
    struct only to return it to Python, and returns none that it was given, nor an array of one.

    The two results must be module-level names, ``<Name>`` and ``<Name>Type``, where ``arrays`` is ``<Name>Arrays``:
    Numba's disk cache finds them by name. A kernel in the same module makes the struct, ``Name(a.x, a.y, …)``.

    Parameters
    ----------
    arrays
        A ``NamedTuple`` class with one array a field; its name ends in ``Arrays``.

    Returns
    -------
    proxy, numba_type
    """
    name = arrays.__name__.removesuffix("Arrays")
    namespace = {"__module__": arrays.__module__, "__qualname__": name}

    def preprocess_fields(self: Any, fields: Any) -> Any:
        return tuple((field, types.unliteral(kind)) for field, kind in fields)

    numba_type = type(
        name + "Type",
        (types.StructRef,),
        {**namespace, "__qualname__": name + "Type", "preprocess_fields": preprocess_fields},
    )
    module = sys.modules[arrays.__module__]
    setattr(module, name + "Type", numba_type)  # registration pickles it by name
    register_model(numba_type)(_unowned)
    _define_attributes(numba_type)
    proxy = type(name, (structref.StructRefProxy,), namespace)
    structref.define_proxy(proxy, numba_type, list(arrays._fields))
    _give_back_on_entry(numba_type)
    return proxy, numba_type


def _unowned(manager: Any, kind: Any) -> Any:
    """How a kernel represents a struct: a pointer without a reference."""
    return models.StructModel(manager, kind, [("meminfo", types.voidptr)])


def _define_attributes(numba_type: Any) -> None:
    """As `structref.register`, but what kernels read is `borrowed`, and only the constructor writes."""

    def resolve(self: Any, kind: Any, name: str) -> Any:
        return kind.field_dict.get(name)

    def read(context: Any, builder: Any, kind: Any, value: Any, name: str) -> Any:
        fields = structref._Utils(context, builder, kind).get_data_struct(value)
        return _without_owner(context, builder, kind.field_dict[name], getattr(fields, name))

    def write(context: Any, builder: Any, signature: Any, arguments: Any, name: str) -> None:
        kind, value_type = signature.args
        fields = structref._Utils(context, builder, kind).get_data_struct(arguments[0])
        value = context.cast(builder, arguments[1], value_type, kind.field_dict[name])
        context.nrt.incref(builder, kind.field_dict[name], value)
        setattr(fields, name, value)

    infer_getattr(type("Attributes", (AttributeTemplate,), {"key": numba_type, "generic_resolve": resolve}))
    lower_getattr_generic(numba_type)(read)
    lower_setattr_generic(numba_type)(write)


def _give_back_on_entry(numba_type: Any) -> None:
    """Give back the reference that a struct gets on its way from Python into a kernel, since no kernel will."""
    unbox_counted = _unboxers.functions.pop(numba_type)

    def unbox_uncounted(kind: Any, value: Any, c: Any) -> Any:
        native = unbox_counted(kind, value, c)
        pointer = cgutils.create_struct_proxy(kind)(c.context, c.builder, value=native.value).meminfo
        c.context.nrt.decref(c.builder, types.MemInfoPointer(types.voidptr), pointer)
        return native

    unbox(numba_type)(unbox_uncounted)


_intrinsic: Callable[[Callable[..., Any]], Any] = numba.extending.intrinsic


@_intrinsic
def address_of(context: Any, struct_value: Any) -> Any:
    """In kernels: where a struct lives; good for as long as Python holds the struct.

    Each module wraps it in a kernel of its own for its own structs: Numba's disk cache keeps all types of one kernel in
    one file, and can't read that file any more when the package of one of the types is gone.
    """

    def generate(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        value = cgutils.create_struct_proxy(struct_value)(target, builder, value=arguments[0])
        return builder.ptrtoint(value.meminfo, cgutils.intp_t)

    return types.intp(struct_value), generate


def by_address(example: Callable[[], Any]) -> Any:
    """Make a function, for use in kernels, that gives the struct at an address.

    Even a struct costs a kernel's caller 0.8 µs, most of it to find out its type; an address costs nothing. This is for
    calls on single rows, where that is most of the time.

    Parameters
    ----------
    example
        Makes a struct of the same type; called when the kernel is compiled, not when it is loaded from the disk.
    """

    def at(context: Any, address: Any) -> Any:
        struct_type = numba.typeof(example())

        def generate(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            value = cgutils.create_struct_proxy(struct_type)(target, builder)
            value.meminfo = builder.inttoptr(arguments[0], value.meminfo.type)
            return value._getvalue()

        return struct_type(types.intp), generate

    return _intrinsic(at)


def _reinterpreted(source: Any, result: Any) -> Any:
    def as_it_is(context: Any, value: Any) -> Any:
        if value != source:
            return None

        def generate(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.bitcast(arguments[0], target.get_value_type(result))

        return result(source), generate

    return _intrinsic(as_it_is)


bits_of = cast(Callable[[float], int], _reinterpreted(types.float64, types.int64))
"""In kernels: the bits of a float64, as an int64."""
from_bits = cast(Callable[[int], float], _reinterpreted(types.int64, types.float64))
"""In kernels: the float64 that has these bits."""


def _without_owner(context: Any, builder: Any, array: Any, value: Any) -> Any:
    view = context.make_array(array)(context, builder, value)
    view.meminfo = view.meminfo.type(None)
    view.parent = view.parent.type(None)
    return view._getvalue()


def _borrow(context: Any, array: Any) -> Any:
    def generate(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _without_owner(target, builder, array, arguments[0])

    return array(array), generate


borrowed = cast(Callable[[np.ndarray], np.ndarray], _intrinsic(_borrow))
"""In a kernel: the same array without a reference, for loops in which counting references costs most of the time.

The kernel's caller must hold a reference until the kernel returns: so it is for arguments, never for an array that the
kernel allocated itself. Arrays that are read from a `struct` are borrowed already."""
