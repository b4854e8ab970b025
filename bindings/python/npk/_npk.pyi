from collections.abc import Iterator, Sequence
import os
from typing import Any

import numpy
import numpy.typing

import npk._types


class CorruptionError(OSError):
    """Bytes on disk are not what a store may hold. An OSError."""

class ArrayMetadata:
    """What a store knows of an array."""

    @property
    def name(self) -> str: ...

    @property
    def dtype(self) -> str:
        """Name of the element type, e.g. 'float32'."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Logical: shape[0] leaves deleted rows out."""

    @property
    def row_bytes(self) -> int:
        """Bytes of one row in the rows file."""

    @property
    def physical_rows(self) -> int:
        """Rows in the file, deleted ones included."""

    @property
    def deleted_rows(self) -> int: ...

    @property
    def generation(self) -> int:
        """Increases with each compaction and overwrite."""

    @property
    def size_bytes(self) -> int:
        """physical_rows * row_bytes."""

    @property
    def checksums(self) -> str:
        """'block' if the array keeps checksums of its rows, else 'none'."""

    @property
    def rows_file(self) -> str:
        """Raw file inside the store's directory."""

    @property
    def created_us(self) -> int:
        """Microseconds since 1970."""

    @property
    def modified_us(self) -> int:
        """Microseconds since 1970, of the last commit that touched the array."""

    def __repr__(self) -> str: ...

class RowChanges:
    """
    What has happened to the rows of an array since a commit.

    A copy of the array as of then becomes one of now so: remove the rows `deleted`, make it `rows`
    long, read the rows `changed` anew.
    """

    @property
    def commit_number(self) -> int:
        """As of which this is told: what to ask with next time."""

    @property
    def rows(self) -> int:
        """Rows as of commit_number."""

    @property
    def everything(self) -> bool:
        """
        Any row may be another; `changed` names them all.

        So it is if the array was created, overwritten or compacted since, if rows were replaced in mode
        'none' or very many scattered ones deleted, if the history does not reach back so far, and for
        numbers from before the machine was restarted.
        """

    @property
    def changed(self) -> numpy.typing.NDArray[numpy.uint64]:
        """Rows that were appended or replaced, ascending, as of commit_number."""

    @property
    def deleted(self) -> numpy.typing.NDArray[numpy.uint64]:
        """
        Rows that were deleted, ascending, by their numbers as of the commit asked for.
        """

    def __repr__(self) -> str: ...

class RowStream:
    """The blocks of a stream()."""

    def __iter__(self) -> RowStream: ...

    def __next__(self) -> numpy.ndarray: ...

class Snapshot:
    """
    All arrays of a store as of one commit: a context manager.

    Whatever is changed, overwritten or compacted since, by this process or others. While it is open, a
    replace first saves the rows that it changes, and files of ended generations stay on the disk: keep
    it for a job, not for a day. It outlives its store's close().
    """

    def close(self) -> None:
        """Lets go of it; any later call raises RuntimeError."""

    def __enter__(self) -> Snapshot: ...

    def __exit__(self, *exception) -> None: ...

    @property
    def commit_number(self) -> int:
        """As of which it is; 0 when closed."""

    def __repr__(self) -> str: ...

    def load(self, name: str) -> numpy.ndarray:
        """
        A copy of the live rows: a writable array of its own.

        Raises KeyError.
        """

    def read_rows(self, name: str, rows: npk._types.RowsLike) -> numpy.ndarray:
        """
        Copies of the selected rows, in the order asked for.

        Rows: a number (an array of one row), a slice, a sequence of numbers (negative ones count from the
        end), a boolean mask, None for all. Raises KeyError, IndexError, ValueError (length of the mask).
        """

    def getitem(self, name: str, rows: npk._types.RowsLike) -> numpy.ndarray:
        """read_rows under NumPack's name."""

    def stream(self, name: str, block_rows: int = 65536) -> RowStream:
        """
        The live rows in blocks of `block_rows`, in bounded memory.

        As of this call: rows appended or deleted later make no difference. The last block may be
        shorter.
        """

    def has(self, name: str) -> bool:
        """Whether there is an array of this name."""

    def __contains__(self, name: str) -> bool: ...

    def list(self) -> list[str]:
        """Names of the arrays, in byte order."""

    def __iter__(self) -> Iterator[str]: ...

    def __len__(self) -> int: ...

    def shape(self, name: str) -> tuple[int, ...]:
        """Logical shape: deleted rows do not count."""

    def metadata(self, name: str) -> ArrayMetadata:
        """All that the store knows of the array."""

    def attributes(self, name: str) -> dict[str, Any]:
        """The attributes that set_attributes() gave it."""

class Batch:
    """
    Several operations, over any arrays, that commit as one.

    A context manager: it commits at the end of the block, all or nothing, and does nothing if the block
    raises. Operations see the effects of those before them. Arrays are read when it commits: do not
    change them in the block.
    """

    def save(self, name: str, array: numpy.typing.ArrayLike) -> None:
        """Creates the array or overwrites it."""

    def append(self, name: str, rows: numpy.typing.ArrayLike) -> None:
        """Appends rows."""

    def replace(self, name: str, values: numpy.typing.ArrayLike, rows: npk._types.RowsLike) -> None:
        """Replaces these rows, one value for each."""

    def drop(self, name: str, rows: npk._types.RowsLike = None) -> None:
        """Deletes these rows, or the whole array."""

    def set_attributes(self, name: str, attributes: dict[str, Any]) -> None:
        """Replaces the array's attributes."""

    def __len__(self) -> int: ...

    def __repr__(self) -> str: ...

    def commit(self) -> None:
        """Commits what was collected, and begins anew."""

    def __enter__(self) -> Batch: ...

    def __exit__(self, type, value, traceback) -> None: ...

class Store:
    """
    A store of arrays in a directory, changed in place and never torn.

    Every writing call is one commit: it returns once it survives what `mode` says, and after a kill, an
    error or a full disk the store holds the state before it or after it, nothing between. A context
    manager; the last handle that closes checkpoints. All methods may be called from any threads at
    once, and release the GIL while they work. Row numbers are logical: deleted rows do not count.
    """

    def __init__(self, path: str | bytes | os.PathLike[str], mode: str = 'process', *, read_only: bool = False, create: bool = True, lock_timeout_ms: int = 10000, allow_unsafe_filesystem: bool = False) -> None:
        """
        Opens the store at `path`, by default making it if it is missing.

        mode: what a call that has returned survives. 'none': nothing is logged, a killed replace may be
        partial; 'process': kill -9; 'power': also power cuts, at one device sync for each commit.
        lock_timeout_ms: longest wait for another process that writes, then TimeoutError.
        Raises FileNotFoundError, RuntimeError (a file, not a store, unsafe file system), CorruptionError,
        OSError.
        """

    def close(self) -> None:
        """
        Folds the log into the sidecars if this is the last handle, and
        lets go of the files. Arrays and views stay valid; any later call raises RuntimeError.
        """

    def __enter__(self) -> Store: ...

    def __exit__(self, *exception) -> None: ...

    @property
    def path(self) -> str:
        """As it was opened."""

    def __repr__(self) -> str: ...

    def load(self, name: str) -> numpy.ndarray:
        """
        A copy of the live rows: a writable array of its own.

        Raises KeyError.
        """

    def read_rows(self, name: str, rows: npk._types.RowsLike) -> numpy.ndarray:
        """
        Copies of the selected rows, in the order asked for.

        Rows: a number (an array of one row), a slice, a sequence of numbers (negative ones count from the
        end), a boolean mask, None for all. Raises KeyError, IndexError, ValueError (length of the mask).
        """

    def getitem(self, name: str, rows: npk._types.RowsLike) -> numpy.ndarray:
        """read_rows under NumPack's name."""

    def stream(self, name: str, block_rows: int = 65536) -> RowStream:
        """
        The live rows in blocks of `block_rows`, in bounded memory.

        As of this call: rows appended or deleted later make no difference. The last block may be
        shorter.
        """

    def has(self, name: str) -> bool:
        """Whether there is an array of this name."""

    def __contains__(self, name: str) -> bool: ...

    def list(self) -> list[str]:
        """Names of the arrays, in byte order."""

    def __iter__(self) -> Iterator[str]: ...

    def __len__(self) -> int: ...

    def shape(self, name: str) -> tuple[int, ...]:
        """Logical shape: deleted rows do not count."""

    def metadata(self, name: str) -> ArrayMetadata:
        """All that the store knows of the array."""

    def attributes(self, name: str) -> dict[str, Any]:
        """The attributes that set_attributes() gave it."""

    def view(self, name: str) -> numpy.ndarray:
        """
        The rows where they lie in the file: read-only, without a copy.

        It keeps showing this generation through compaction, overwrite, drop and close; rows appended later
        are not in it, rows replaced later show through, and while that happens a row may be seen half old
        and half new. Raises KeyError, and RuntimeError if deleted rows lie between live ones (compact
        first, or load).
        """

    def snapshot(self) -> Snapshot:
        """
        All arrays as of the newest commit, while writers go on.

        Raises TimeoutError if a commit of another process does not end.
        """

    @property
    def commit_number(self) -> int:
        """
        Grows with each commit, of any process; never used twice. 0: nothing was committed.
        """

    def rows_changed_since(self, name: str, commit_number: int) -> RowChanges:
        """
        What has happened to the array's rows since a commit.

        commit_number: of this store, then; it may be of another process and of long ago.
        Raises KeyError.
        """

    def batch(self) -> Batch:
        """
        Collects operations that commit as one.

        with store.batch() as batch: batch.append("a", rows); batch.drop("b", [3])
        """

    def save(self, arrays: dict[str, numpy.typing.ArrayLike], checksums: str | None = None) -> None:
        """
        Creates or overwrites all of these arrays, or none.

        Arrays of any shape up to 32 axes and any strides; elements: bool, integers, float16, float32,
        float64, complex64, complex128, and bfloat16 of the package ml_dtypes.
        checksums: 'block' keeps a checksum for each 64 KiB of the rows, by which `npk verify` finds damage;
        'none'; None for what an overwritten array had.
        """

    def append(self, arrays: dict[str, numpy.typing.ArrayLike]) -> None:
        """
        Appends rows to the ends of these arrays, in one commit.

        Raises KeyError, and ValueError if element type or row shape differ from the array's.
        """

    def replace(self, arrays: dict[str, numpy.typing.ArrayLike], rows: npk._types.RowsLike) -> None:
        """
        Replaces these rows of each array in place, in one commit.

        Each value has one row for each selected row; with duplicates the last one stays. Rows: a number, a
        slice, a sequence of numbers (negative ones count from the end), a boolean mask, None for all.
        Raises KeyError, IndexError, ValueError (type, shape, count).
        """

    def drop(self, names: str | Sequence[str], rows: npk._types.RowsLike = None) -> None:
        """
        Without `rows` removes whole arrays, all or none.

        With `rows` deletes these rows of each array logically: they vanish at once, and compact() takes
        their bytes back. Raises KeyError, IndexError.
        """

    def compact(self, name: str, progress: npk._types.Progress = None) -> None:
        """
        Gives the bytes of deleted rows back.

        progress(done_bytes, total_bytes): False cancels (RuntimeError), and nothing has changed.
        """

    def clone(self, source: str, target: str) -> None:
        """
        Copies the live rows and attributes to a new array.

        Raises KeyError, FileExistsError.
        """

    def set_attributes(self, name: str, attributes: dict[str, Any]) -> None:
        """
        Replaces the array's attributes by this dict, which json.dumps must be able to write.
        """

    def sync(self) -> None:
        """
        Checkpoint: all that was committed so far survives a power cut, in every mode.
        """

    def reset(self) -> None:
        """Removes every array, in one commit."""

class VectorEngine:
    """
    Exact nearest rows of arrays in memory.

    The answer is that of float64 arithmetic in one fixed order: the same bits on every machine, with
    any number of threads. Order: score, then lower row number; rows whose score is NaN come last.

    candidates: shape (rows, dimensions), any strides; query: (dimensions) or (1, dimensions); queries:
    (count, dimensions). Elements: any numbers but complex ones; hamming and jaccard take packed bits
    (uint8). All methods may be called from any threads at once, and release the GIL while they work.
    Metrics: cosine, dot, l2, l2sq, hamming, jaccard, kl, js, and aliases; npk.metrics() lists them.
    Raises ValueError for shapes that do not go together, a query with NaN or infinity, a metric that
    the elements do not have, a threshold of the wrong direction; TypeError for elements that are no
    numbers; IndexError for a `where` beyond the rows.
    """

    def __init__(self) -> None: ...

    def compute_metric(self, a: numpy.typing.ArrayLike, b: numpy.typing.ArrayLike, metric: str = 'cosine') -> float:
        """
        The metric of two vectors of one length.

        NaN and infinity are allowed here and give what float64 gives.
        """

    def batch_compute(self, queries: numpy.typing.ArrayLike, candidates: numpy.typing.ArrayLike, metric: str = 'cosine', *, threads: int = 0, progress: npk._types.Progress = None) -> numpy.typing.NDArray[numpy.float64]:
        """
        The metric of every row.

        float64 of shape (rows) for a query of one axis, (count, rows) for queries of two.
        """

    def capabilities(self) -> str:
        """
        The SIMD target in use and those available, e.g. 'AVX3; available: SCALAR, SSE4, AVX3'.
        """

    def top_k_search(self, query: numpy.typing.ArrayLike, candidates: numpy.typing.ArrayLike, metric: str = 'cosine', k: int = 10, *, min_score: float | None = None, max_distance: float | None = None, where: npk._types.RowsLike = None, threads: int = 0, progress: npk._types.Progress = None) -> tuple[numpy.typing.NDArray[numpy.uint64], numpy.typing.NDArray[numpy.float64]]:
        """
        The k nearest rows, best first: (rows, scores).

        rows: uint64, scores: float64, both of shape (n); n is k, or less if there are fewer rows.
        min_score: only rows that score at least this, where larger is better (cosine, dot).
        max_distance: only rows at most this far away, where smaller is better.
        where: only these rows: a boolean mask, row numbers, a slice.
        threads: 0 for as many as there are processors.
        progress(done_rows, total_rows): called from time to time; False cancels (RuntimeError).
        """

    def range_search(self, query: numpy.typing.ArrayLike, candidates: numpy.typing.ArrayLike, metric: str = 'cosine', k: int = 10, *, min_score: float | None = None, max_distance: float | None = None, where: npk._types.RowsLike = None, threads: int = 0, progress: npk._types.Progress = None) -> tuple[numpy.typing.NDArray[numpy.uint64], numpy.typing.NDArray[numpy.float64]]:
        """
        Every row that passes min_score or max_distance, one of which must be given, best first.

        Arguments and answer as of the top-k search; k has no say.
        """

    def multi_query_top_k(self, queries: numpy.typing.ArrayLike, candidates: numpy.typing.ArrayLike, metric: str = 'cosine', k: int = 10, *, min_score: float | None = None, max_distance: float | None = None, where: npk._types.RowsLike = None, threads: int = 0, progress: npk._types.Progress = None) -> tuple[numpy.typing.NDArray[numpy.uint64], numpy.typing.NDArray[numpy.float64]]:
        """
        The k nearest rows of each query, at a fraction of the cost of one search for each.

        (rows, scores), uint64 and float64, both of shape (count, n); row i is the answer to query i. If a
        threshold leaves a query fewer hits than another, its places are filled up with 2**64 - 1 and NaN.
        Arguments as of the top-k search.
        """

    def segmented_top_k_search(self, query: numpy.typing.ArrayLike, segment: numpy.typing.ArrayLike, first_row: int, current_rows: numpy.typing.ArrayLike, current_scores: numpy.typing.ArrayLike, metric: str = 'cosine', k: int = 10, *, min_score: float | None = None, max_distance: float | None = None, where: npk._types.RowsLike = None, threads: int = 0, progress: npk._types.Progress = None) -> tuple[numpy.typing.NDArray[numpy.uint64], numpy.typing.NDArray[numpy.float64]]:
        """
        The k best of `current_rows`, `current_scores` and of the rows of `segment`.

        Row 0 of the segment is row `first_row` of the whole. Called for segment after segment, first with
        empty arrays, it gives the answer of top_k_search over all of them. `where` is about the segment.
        """

class StreamingVectorEngine:
    """
    Exact nearest rows of an array of a store, where it lies.

    As VectorEngine, with a Store, or the path of one, and an array's name in place of the candidates.
    Deleted rows are never returned, row numbers are logical, and the answer is that of one committed
    state. Raises also KeyError for an array, FileNotFoundError for a store that is not there.
    """

    def __init__(self) -> None: ...

    def streaming_batch_compute(self, queries: numpy.typing.ArrayLike, store: Store | Snapshot | str | os.PathLike[str], name: str, metric: str = 'cosine', *, threads: int = 0, progress: npk._types.Progress = None) -> numpy.typing.NDArray[numpy.float64]:
        """
        The metric of every row.

        float64 of shape (rows) for a query of one axis, (count, rows) for queries of two.
        """

    def capabilities(self) -> str:
        """
        The SIMD target in use and those available, e.g. 'AVX3; available: SCALAR, SSE4, AVX3'.
        """

    def streaming_top_k_from_file(self, query: numpy.typing.ArrayLike, store: Store | Snapshot | str | os.PathLike[str], name: str, metric: str = 'cosine', k: int = 10, *, min_score: float | None = None, max_distance: float | None = None, where: npk._types.RowsLike = None, threads: int = 0, progress: npk._types.Progress = None) -> tuple[numpy.typing.NDArray[numpy.uint64], numpy.typing.NDArray[numpy.float64]]:
        """
        The k nearest rows, best first: (rows, scores).

        rows: uint64, scores: float64, both of shape (n); n is k, or less if there are fewer rows.
        min_score: only rows that score at least this, where larger is better (cosine, dot).
        max_distance: only rows at most this far away, where smaller is better.
        where: only these rows: a boolean mask, row numbers, a slice.
        threads: 0 for as many as there are processors.
        progress(done_rows, total_rows): called from time to time; False cancels (RuntimeError).
        """

    def streaming_range_search(self, query: numpy.typing.ArrayLike, store: Store | Snapshot | str | os.PathLike[str], name: str, metric: str = 'cosine', k: int = 10, *, min_score: float | None = None, max_distance: float | None = None, where: npk._types.RowsLike = None, threads: int = 0, progress: npk._types.Progress = None) -> tuple[numpy.typing.NDArray[numpy.uint64], numpy.typing.NDArray[numpy.float64]]:
        """
        Every row that passes min_score or max_distance, one of which must be given, best first.

        Arguments and answer as of the top-k search; k has no say.
        """

    def streaming_multi_query_top_k(self, queries: numpy.typing.ArrayLike, store: Store | Snapshot | str | os.PathLike[str], name: str, metric: str = 'cosine', k: int = 10, *, min_score: float | None = None, max_distance: float | None = None, where: npk._types.RowsLike = None, threads: int = 0, progress: npk._types.Progress = None) -> tuple[numpy.typing.NDArray[numpy.uint64], numpy.typing.NDArray[numpy.float64]]:
        """
        The k nearest rows of each query, at a fraction of the cost of one search for each.

        (rows, scores), uint64 and float64, both of shape (count, n); row i is the answer to query i. If a
        threshold leaves a query fewer hits than another, its places are filled up with 2**64 - 1 and NaN.
        Arguments as of the top-k search.
        """

def metrics() -> list[str]:
    """The names of the metrics; each has aliases too."""

def simd_target() -> str:
    """
    The SIMD target in use, e.g. 'AVX3'; the environment variable NPK_SIMD_TARGET forces one.
    """
