"""Types of arguments, for annotations."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

# A row number, a slice, row numbers (negative ones count from the end), a boolean mask, or all.
RowsLike: TypeAlias = int | slice | Sequence[int] | Sequence[bool] | np.ndarray | None
# progress(done, total); False cancels.
Progress: TypeAlias = Callable[[int, int], bool | None] | None
