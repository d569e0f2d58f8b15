# SPDX-License-Identifier: LGPL-3.0-or-later
"""Arrays of one program in another: those of numpy, array.array and memoryview, by the buffer protocol."""

from __future__ import annotations

from .objects import FORMATS, Array

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

KINDS = {
    ("builtins", "memoryview"): "memoryview",
    ("array", "array"): "array",
    ("numpy", "ndarray"): "ndarray",
}
"""(module, name) of a type -> which kind of array it is."""


BASES: tuple[type, ...] = (bool, int, float, complex, str, bytes)


def data_of(value: object) -> object:
    """The data that a value is which is none of the plain types: an enum's number, numpy's, an Array. None for none."""
    for base in BASES:
        if isinstance(value, base):
            made: object = (
                str.__str__(value) if base is str else base(value)
            )  # which an enum of texts changes
            return made
    array = array_of(value)
    return scalar_of(value) if array is None else array


def array_of(value: object) -> Array | None:
    """What crosses of an array; None for what is none, or has elements that are no numbers."""
    kind = KINDS.get((type(value).__module__, type(value).__name__))
    if kind is None:
        return None
    try:
        view = memoryview(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, BufferError):
        return None
    form = view.format.lstrip("@=")
    if form not in FORMATS:
        return None
    shape = view.shape if view.shape is not None else (view.nbytes // view.itemsize,)
    data = view.cast("B") if view.c_contiguous and view.nbytes else view.tobytes()
    return Array(kind, form, tuple(shape), data)


def scalar_of(value: object) -> object:
    """The plain number of a number of numpy; None for what is none."""
    if (
        type(value).__module__ != "numpy"
        or not hasattr(value, "dtype")
        or getattr(value, "shape", None) != ()
    ):
        return None
    item = value.item()  # type: ignore[attr-defined]
    return item if type(item) in (bool, int, float, complex, str, bytes) else None


def made(array: Array) -> object:
    """The array here: of numpy's where that is installed and it was one; a memoryview where there is no better."""
    if array.kind == "ndarray":
        try:
            import numpy  # type: ignore[import-not-found, unused-ignore]
        except ImportError:
            pass
        else:
            form: Any = {"Zf": "F", "Zd": "D"}.get(array.format, array.format)
            return numpy.frombuffer(bytearray(array.data), dtype=form).reshape(array.shape)
    if array.kind == "array" and len(array.shape) == 1 and array.format in "bBhHiIlLqQfd":
        from array import array as array_class

        found = array_class(array.format)
        found.frombytes(array.data)
        return found
    view = memoryview(bytearray(array.data))
    if array.format in ("Zf", "Zd") or 0 in array.shape:
        return view
    return view.cast(array.format, array.shape) if array.shape else view.cast(array.format)  # type: ignore[call-overload]
