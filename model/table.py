"""A table of agents: columns of one length that cannot be rebound by accident.

Rows enter at the end and leave from the front or by a mask. A column is written in place
(`table.age[:] = …`, `table.age += 1`); assigning another array to its name is refused, since a view
held elsewhere would then quietly go stale.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self, cast

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Column:
    """What a column holds: its type, what a row's value means, its unit, its shape beyond the row."""

    dtype: np.dtype[Any]
    meaning: str
    unit: str
    shape: tuple[int, ...]


def column(dtype: str, meaning: str, unit: str = "", shape: tuple[int, ...] = ()) -> NDArray[Any]:
    """Declare a column in the body of a Table class."""
    return cast("NDArray[Any]", Column(np.dtype(dtype), meaning, unit, shape))


class Table:
    """Struct of arrays. `n` rows; `COLUMNS` names what is declared."""

    COLUMNS: ClassVar[dict[str, Column]] = {}
    n: int
    _buffers: dict[str, NDArray[Any]]
    _start: int

    def __init_subclass__(cls) -> None:
        cls.COLUMNS = {name: value for name, value in vars(cls).items() if isinstance(value, Column)}

    def __init__(self, n: int = 0, **values: Any) -> None:
        object.__setattr__(self, "_buffers", {k: np.zeros((n, *c.shape), c.dtype) for k, c in self.COLUMNS.items()})
        object.__setattr__(self, "_start", 0)
        self._look_at(0, n)
        for name, value in values.items():
            getattr(self, name)[:] = value

    def _look_at(self, start: int, n: int) -> None:
        object.__setattr__(self, "_start", start)
        object.__setattr__(self, "n", n)
        for name, buffer in self._buffers.items():
            object.__setattr__(self, name, buffer[start : start + n])

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self.COLUMNS and value is self.__dict__[name]:  # what `table.age += 1` ends with
            return
        raise AttributeError(f"{type(self).__name__}.{name} is written in place ([:] = …), never rebound")

    def __getstate__(self) -> dict[str, NDArray[Any]]:
        """The columns alone: buffers and views of them would come back as separate arrays."""
        return dict(self.items())

    def __setstate__(self, columns: dict[str, NDArray[Any]]) -> None:
        held = type(self).from_columns(columns)
        object.__setattr__(self, "_buffers", held._buffers)
        self._look_at(0, held.n)

    def __len__(self) -> int:
        return self.n

    def items(self) -> Iterator[tuple[str, NDArray[Any]]]:
        """Column names with their arrays."""
        return ((name, getattr(self, name)) for name in self.COLUMNS)

    def append(self, n: int, **values: Any) -> slice:
        """Add `n` rows at the end, zero where no value is given; returns their rows.

        Raises KeyError for a column that is not declared.
        """
        start, held = self._start, self.n
        capacity = len(next(iter(self._buffers.values())))
        if start + held + n > capacity:
            room = max(capacity, int(1.3 * (held + n)) + 16)
            for name, old in self._buffers.items():
                if room > capacity:
                    new = np.zeros((room, *old.shape[1:]), old.dtype)
                    new[:held] = old[start : start + held]
                    self._buffers[name] = new
                else:  # enough room once the rows that left from the front are reclaimed
                    for first in range(0, held, start):  # pieces that do not overlap where they go
                        last = min(first + start, held)
                        old[first:last] = old[start + first : start + last]
            start = 0
        for name, buffer in self._buffers.items():
            if name not in values:
                buffer[start + held : start + held + n] = np.zeros((), buffer.dtype)
        self._look_at(start, held + n)
        rows = slice(held, held + n)
        for name, value in values.items():
            if name not in self.COLUMNS:
                raise KeyError(f"{type(self).__name__} has no column {name!r}")
            getattr(self, name)[rows] = value
        return rows

    def drop_front(self, n: int) -> None:
        """The first `n` rows leave."""
        self._look_at(self._start + n, self.n - n)

    def keep(self, mask: NDArray[np.bool_]) -> NDArray[np.int32]:
        """Keep the rows where `mask` holds, in order; returns the new row of every old one (-1: gone)."""
        rows = np.flatnonzero(mask)
        for name, buffer in self._buffers.items():
            buffer[: rows.size] = getattr(self, name)[rows]
        moved = np.full(self.n, -1, np.int32)
        moved[rows] = np.arange(rows.size, dtype=np.int32)
        self._look_at(0, rows.size)
        return moved

    def permute(self, order: NDArray[Any]) -> None:
        """Lie in another order: row i becomes what row `order[i]` was."""
        for _, values in self.items():
            values[:] = values[order]

    def copy(self) -> Self:
        """An independent table with the same rows."""
        new = type(self).__new__(type(self))
        buffers = {}
        for name, values in self.items():
            buffers[name] = np.empty((self.n + self.n // 3, *values.shape[1:]), values.dtype)  # three cohorts of room
            buffers[name][: self.n] = values
        object.__setattr__(new, "_buffers", buffers)
        new._look_at(0, self.n)
        return new

    @classmethod
    def from_columns(cls, columns: Mapping[str, NDArray[Any]]) -> Self:
        """A table made of these columns, whose arrays become its own; every declared one must be there.

        Raises ValueError where one is missing, too many, or of another length.
        """
        if set(columns) != set(cls.COLUMNS):
            raise ValueError(f"{cls.__name__}: columns {sorted(set(columns) ^ set(cls.COLUMNS))} do not match")
        lengths = {len(values) for values in columns.values()}
        if len(lengths) > 1:
            raise ValueError(f"{cls.__name__}: columns of several lengths {sorted(lengths)}")
        n = lengths.pop() if lengths else 0
        new = cls.__new__(cls)
        object.__setattr__(new, "_buffers", {k: cls._own(k, columns[k], n) for k in cls.COLUMNS})
        new._look_at(0, n)
        return new

    @classmethod
    def _own(cls, name: str, values: NDArray[Any], n: int) -> NDArray[Any]:
        """A column's buffer: the array itself where it is one that can be written and has the declared type."""
        declared = cls.COLUMNS[name]
        fits = isinstance(values, np.ndarray) and values.dtype == declared.dtype and values.flags.c_contiguous
        if fits and values.shape == (n, *declared.shape) and values.flags.writeable and values.base is None:
            return values
        buffer = np.zeros((n, *declared.shape), declared.dtype)
        buffer[...] = values
        return buffer
