// Docstrings of npk.Store.
#ifndef NPK_BINDINGS_PYTHON_STORE_DOCS_H_
#define NPK_BINDINGS_PYTHON_STORE_DOCS_H_

namespace npk::python::docs {

inline constexpr auto kStore =
    R"(A store of arrays in a directory, changed in place and never torn.

Every writing call is one commit: it returns once it survives what `mode` says, and after a kill, an
error or a full disk the store holds the state before it or after it, nothing between. A context
manager; the last handle that closes checkpoints. All methods may be called from any threads at
once, and release the GIL while they work. Row numbers are logical: deleted rows do not count.)";

inline constexpr auto kOpen = R"(Opens the store at `path`, by default making it if it is missing.

mode: what a call that has returned survives. 'none': nothing is logged, a killed replace may be
partial; 'process': kill -9; 'power': also power cuts, at one device sync for each commit.
lock_timeout_ms: longest wait for another process that writes, then TimeoutError.
Raises FileNotFoundError, RuntimeError (a file, not a store, unsafe file system), CorruptionError,
OSError.)";

inline constexpr auto kClose = R"(Folds the log into the sidecars if this is the last handle, and
lets go of the files. Arrays and views stay valid; any later call raises RuntimeError.)";

inline constexpr auto kSave = R"(Creates or overwrites all of these arrays, or none.

Arrays of any shape up to 32 axes and any strides; elements: bool, integers, float16, float32,
float64, complex64, complex128, and bfloat16 of the package ml_dtypes.
checksums: 'block' keeps a checksum for each 64 KiB of the rows, by which `npk verify` finds damage;
'none'; None for what an overwritten array had.)";

inline constexpr auto kAppend = R"(Appends rows to the ends of these arrays, in one commit.

Raises KeyError, and ValueError if element type or row shape differ from the array's.)";

inline constexpr auto kReplace = R"(Replaces these rows of each array in place, in one commit.

Each value has one row for each selected row; with duplicates the last one stays. Rows: a number, a
slice, a sequence of numbers (negative ones count from the end), a boolean mask, None for all.
Raises KeyError, IndexError, ValueError (type, shape, count).)";

inline constexpr auto kDrop = R"(Without `rows` removes whole arrays, all or none.

With `rows` deletes these rows of each array logically: they vanish at once, and compact() takes
their bytes back. Raises KeyError, IndexError.)";

inline constexpr auto kCompact = R"(Gives the bytes of deleted rows back.

progress(done_bytes, total_bytes): False cancels (RuntimeError), and nothing has changed.)";

inline constexpr auto kClone = R"(Copies the live rows and attributes to a new array.

Raises KeyError, FileExistsError.)";

inline constexpr auto kSetAttributes =
    R"(Replaces the array's attributes by this dict, which json.dumps must be able to write.)";

inline constexpr auto kSync =
    R"(Checkpoint: all that was committed so far survives a power cut, in every mode.)";

inline constexpr auto kLoad = R"(A copy of the live rows: a writable array of its own.

Raises KeyError.)";

inline constexpr auto kView = R"(The rows where they lie in the file: read-only, without a copy.

It keeps showing this generation through compaction, overwrite, drop and close; rows appended later
are not in it, rows replaced later show through, and while that happens a row may be seen half old
and half new. Raises KeyError, and RuntimeError if deleted rows lie between live ones (compact
first, or load).)";

inline constexpr auto kReadRows = R"(Copies of the selected rows, in the order asked for.

Rows: a number (an array of one row), a slice, a sequence of numbers (negative ones count from the
end), a boolean mask, None for all. Raises KeyError, IndexError, ValueError (length of the mask).)";

inline constexpr auto kStream = R"(The live rows in blocks of `block_rows`, in bounded memory.

As of this call: rows appended or deleted later make no difference. The last block may be
shorter.)";

inline constexpr auto kSnapshot = R"(All arrays of a store as of one commit: a context manager.

Whatever is changed, overwritten or compacted since, by this process or others. While it is open, a
replace first saves the rows that it changes, and files of ended generations stay on the disk: keep
it for a job, not for a day. It outlives its store's close().)";

inline constexpr auto kTakeSnapshot = R"(All arrays as of the newest commit, while writers go on.

Raises TimeoutError if a commit of another process does not end.)";

inline constexpr auto kCommitNumber =
    R"(Grows with each commit, of any process; never used twice. 0: nothing was committed.)";

inline constexpr auto kRowsChangedSince = R"(What has happened to the array's rows since a commit.

commit_number: of this store, then; it may be of another process and of long ago.
Raises KeyError.)";

inline constexpr auto kRowChanges = R"(What has happened to the rows of an array since a commit.

A copy of the array as of then becomes one of now so: remove the rows `deleted`, make it `rows`
long, read the rows `changed` anew.)";

inline constexpr auto kEverything = R"(Any row may be another; `changed` names them all.

So it is if the array was created, overwritten or compacted since, if rows were replaced in mode
'none' or very many scattered ones deleted, if the history does not reach back so far, and for
numbers from before the machine was restarted.)";

inline constexpr auto kBatch = R"(Several operations, over any arrays, that commit as one.

A context manager: it commits at the end of the block, all or nothing, and does nothing if the block
raises. Operations see the effects of those before them. Arrays are read when it commits: do not
change them in the block.)";

inline constexpr auto kMakeBatch = R"(Collects operations that commit as one.

with store.batch() as batch: batch.append("a", rows); batch.drop("b", [3]))";

}  // namespace npk::python::docs

#endif  // NPK_BINDINGS_PYTHON_STORE_DOCS_H_
