#include "bindings/python/store.h"

#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "bindings/python/arrays.h"
#include "bindings/python/errors.h"
#include "bindings/python/progress.h"
#include "bindings/python/reading.h"
#include "bindings/python/selection.h"
#include "bindings/python/store_docs.h"
#include "npk/internal/text.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace npk::python {
namespace {

/// The arrays of a dict {name: array}, borrowed for the time of a call.
struct NamedArrays {
  std::vector<std::string> names;
  std::vector<BorrowedArray> arrays;
};

std::string name_from(nb::handle name) {
  if (!PyUnicode_Check(name.ptr())) {
    throw_python(PyExc_TypeError, "an array's name is a str, not " + text_of(name.type()));
  }
  Py_ssize_t length = 0;
  const char* const text = PyUnicode_AsUTF8AndSize(name.ptr(), &length);
  if (text == nullptr) throw nb::python_error();
  return {text, static_cast<size_t>(length)};
}

NamedArrays named_arrays(const nb::dict& arrays) {
  NamedArrays named;
  named.arrays.reserve(arrays.size());
  for (const auto [name, array] : arrays) {
    named.names.push_back(name_from(name));
    named.arrays.emplace_back(array);
  }
  return named;
}

std::vector<std::string> names_from(nb::handle names) {
  if (PyUnicode_Check(names.ptr())) return {name_from(names)};
  std::vector<std::string> list;
  for (const nb::handle name : nb::iter(names)) list.push_back(name_from(name));
  return list;
}

Durability durability_from(const std::string& mode) {
  if (mode == "none") return Durability::kNone;
  if (mode == "process") return Durability::kProcess;
  if (mode == "power") return Durability::kPower;
  throw_python(PyExc_ValueError,
               "mode '" + mode + "' is not known; known modes: none, process, power");
}

void open(Store* self, nb::handle path, const std::string& mode, bool read_only, bool create,
          uint32_t lock_timeout_ms, bool allow_unsafe_filesystem) {
  StoreOptions options;
  options.durability = durability_from(mode);
  options.read_only = read_only;
  options.create_if_missing = create;
  options.lock_timeout_ms = lock_timeout_ms;
  options.allow_unsafe_filesystem = allow_unsafe_filesystem;
  const std::string text = path_from(path);
  new (self)
      Store{value(unlocked([&] { return ParallelIO::open(text, options); }), Missing::kStore)};
}

void close(Store& self) {
  check(unlocked([&] { return self.io.close(); }));
}

void save(Store& self, const nb::dict& arrays, const std::optional<std::string>& checksums) {
  SaveOptions options;
  if (checksums) options.checksums = value(checksums_from_name(*checksums));
  const NamedArrays named = named_arrays(arrays);
  std::vector<std::pair<std::string, ArrayView>> views;
  for (size_t i = 0; i < named.names.size(); ++i) {
    views.emplace_back(named.names[i], named.arrays[i].view());
  }
  check(unlocked([&] { return self.io.save_arrays(views, options); }));
}

void append(Store& self, const nb::dict& arrays) {
  const NamedArrays named = named_arrays(arrays);
  WriteBatch batch;
  for (size_t i = 0; i < named.names.size(); ++i) {
    batch.append_rows(named.names[i], named.arrays[i].view());
  }
  check(unlocked([&] { return self.io.commit(batch); }));
}

void replace(Store& self, const nb::dict& arrays, nb::handle rows) {
  const NamedArrays named = named_arrays(arrays);
  const Rows selection = rows_from(rows);
  WriteBatch batch;
  for (size_t i = 0; i < named.names.size(); ++i) {
    batch.replace_rows(named.names[i], named.arrays[i].view(), selection);
  }
  check(unlocked([&] { return self.io.commit(batch); }));
}

/// Whole arrays without `rows`, else these rows of each, in one commit.
void drop(Store& self, nb::handle names, nb::handle rows) {
  const std::vector<std::string> list = names_from(names);
  if (rows.is_none()) return check(unlocked([&] { return self.io.drop_arrays(list); }));
  const Rows selection = rows_from(rows);
  WriteBatch batch;
  for (const std::string& name : list) batch.drop_rows(name, selection);
  check(unlocked([&] { return self.io.commit(batch); }));
}

void compact(Store& self, const std::string& name, nb::object progress) {
  Progress bridge(std::move(progress));
  const Status status = unlocked([&] { return self.io.compact_array(name, bridge.callback()); });
  bridge.rethrow();
  check(status);
}

void clone(Store& self, const std::string& source, const std::string& target) {
  check(unlocked([&] { return self.io.clone_array(source, target); }));
}

nb::object view(const Store& self, const std::string& name) {
  return to_numpy(value(unlocked([&] { return self.io.get_array_view(name); })));
}

uint64_t row_count(const std::vector<RowRun>& runs) {
  uint64_t count = 0;
  for (const RowRun& run : runs) count += run.end - run.begin;
  return count;
}

nb::object rows_of(const std::vector<RowRun>& runs) {
  std::vector<uint64_t> rows;
  rows.reserve(row_count(runs));
  for (const RowRun& run : runs) {
    for (uint64_t row = run.begin; row < run.end; ++row) rows.push_back(row);
  }
  const size_t count = rows.size();
  return to_numpy(std::move(rows), {count});
}

RowChanges rows_changed_since(const Store& self, const std::string& name, nb::handle number) {
  const uint64_t since = count_from(number, "commit_number");
  return value(unlocked([&] { return self.io.rows_changed_since(name, since); }));
}

/// What a `with store.batch()` collects; it is committed at the end of the block.
struct Batch {
  Store* store;
  WriteBatch operations;
  std::vector<BorrowedArray> arrays;  // Whose views are in `operations`.

  const ArrayView& borrow(nb::handle array) { return arrays.emplace_back(array).view(); }
};

void commit_batch(Batch& self) {
  check(unlocked([&] { return self.store->io.commit(self.operations); }));
  self.operations.clear();
  self.arrays.clear();
}

void set_attributes(Store& self, const std::string& name, const nb::dict& attributes) {
  const auto text = nb::cast<std::string>(nb::module_::import_("json").attr("dumps")(attributes));
  check(unlocked([&] { return self.io.set_attributes(name, text); }));
}

void register_metadata(nb::module_& module) {
  nb::class_<ArrayMetadata>(module, "ArrayMetadata", "What a store knows of an array.")
      .def_ro("name", &ArrayMetadata::name)
      .def_prop_ro(
          "dtype", [](const ArrayMetadata& m) { return std::string(dtype_name(m.dtype)); },
          "Name of the element type, e.g. 'float32'.")
      .def_prop_ro(
          "shape", [](const ArrayMetadata& m) { return tuple_of(m.shape); },
          nb::sig("def shape(self) -> tuple[int, ...]"),
          "Logical: shape[0] leaves deleted rows out.")
      .def_ro("row_bytes", &ArrayMetadata::row_bytes, "Bytes of one row in the rows file.")
      .def_ro("physical_rows", &ArrayMetadata::physical_rows,
              "Rows in the file, deleted ones included.")
      .def_ro("deleted_rows", &ArrayMetadata::deleted_rows)
      .def_ro("generation", &ArrayMetadata::generation,
              "Increases with each compaction and overwrite.")
      .def_ro("size_bytes", &ArrayMetadata::size_bytes, "physical_rows * row_bytes.")
      .def_prop_ro(
          "checksums",
          [](const ArrayMetadata& m) { return std::string(checksums_name(m.checksums)); },
          "'block' if the array keeps checksums of its rows, else 'none'.")
      .def_ro("rows_file", &ArrayMetadata::rows_file, "Raw file inside the store's directory.")
      .def_ro("created_us", &ArrayMetadata::created_us, "Microseconds since 1970.")
      .def_ro("modified_us", &ArrayMetadata::modified_us,
              "Microseconds since 1970, of the last commit that touched the array.")
      .def("__repr__", [](const ArrayMetadata& m) {
        return internal::concat("npk.ArrayMetadata('", m.name, "', ", dtype_name(m.dtype), ' ',
                                shape_to_string(m.shape), ")");
      });
}

void register_changes(nb::module_& module) {
  nb::class_<RowChanges>(module, "RowChanges", docs::kRowChanges)
      .def_ro("commit_number", &RowChanges::commit_number,
              "As of which this is told: what to ask with next time.")
      .def_ro("rows", &RowChanges::rows, "Rows as of commit_number.")
      .def_ro("everything", &RowChanges::everything, docs::kEverything)
      .def_prop_ro(
          "changed", [](const RowChanges& self) { return rows_of(self.changed); },
          "Rows that were appended or replaced, ascending, as of commit_number.",
          nb::sig("def changed(self) -> numpy.typing.NDArray[numpy.uint64]"))
      .def_prop_ro(
          "deleted", [](const RowChanges& self) { return rows_of(self.deleted); },
          "Rows that were deleted, ascending, by their numbers as of the commit asked for.",
          nb::sig("def deleted(self) -> numpy.typing.NDArray[numpy.uint64]"))
      .def("__repr__", [](const RowChanges& self) {
        return internal::concat("npk.RowChanges(commit_number=", self.commit_number,
                                ", rows=", self.rows,
                                ", everything=", self.everything ? "True" : "False",
                                ", changed=", row_count(self.changed),
                                " rows, deleted=", row_count(self.deleted), " rows)");
      });
}

void register_snapshot(nb::module_& module) {
  nb::class_<Snapshot> snapshot(module, "Snapshot", docs::kSnapshot);
  snapshot
      .def(
          "close", [](Snapshot& self) { self.io.close(); },
          "Lets go of it; any later call raises RuntimeError.")
      .def(
          "__enter__", [](nb::handle self) { return nb::borrow(self); },
          nb::sig("def __enter__(self) -> Snapshot"))
      .def(
          "__exit__", [](Snapshot& self, const nb::args&) { self.io.close(); },
          nb::sig("def __exit__(self, *exception) -> None"))
      .def_prop_ro(
          "commit_number", [](const Snapshot& self) { return self.io.commit_number(); },
          "As of which it is; 0 when closed.")
      .def("__repr__", [](const Snapshot& self) {
        return internal::concat("npk.Snapshot(commit_number=", self.io.commit_number(), ")");
      });
  register_reading(snapshot);
}

void register_batch(nb::module_& module) {
  nb::class_<Batch>(module, "Batch", docs::kBatch)
      .def(
          "save",
          [](Batch& self, const std::string& name, nb::handle array) {
            self.operations.save_array(name, self.borrow(array));
          },
          "name"_a, "array"_a, "Creates the array or overwrites it.",
          nb::sig("def save(self, name: str, array: numpy.typing.ArrayLike) -> None"))
      .def(
          "append",
          [](Batch& self, const std::string& name, nb::handle rows) {
            self.operations.append_rows(name, self.borrow(rows));
          },
          "name"_a, "rows"_a, "Appends rows.",
          nb::sig("def append(self, name: str, rows: numpy.typing.ArrayLike) -> None"))
      .def(
          "replace",
          [](Batch& self, const std::string& name, nb::handle values, nb::handle rows) {
            self.operations.replace_rows(name, self.borrow(values), rows_from(rows));
          },
          "name"_a, "values"_a, "rows"_a.none(), "Replaces these rows, one value for each.",
          nb::sig("def replace(self, name: str, values: numpy.typing.ArrayLike, "
                  "rows: npk._types.RowsLike) -> None"))
      .def(
          "drop",
          [](Batch& self, const std::string& name, nb::handle rows) {
            if (rows.is_none()) {
              self.operations.drop_array(name);
            } else {
              self.operations.drop_rows(name, rows_from(rows));
            }
          },
          "name"_a, "rows"_a.none() = nb::none(), "Deletes these rows, or the whole array.",
          nb::sig("def drop(self, name: str, rows: npk._types.RowsLike = None) -> None"))
      .def(
          "set_attributes",
          [](Batch& self, const std::string& name, const nb::dict& attributes) {
            self.operations.set_attributes(
                name,
                nb::cast<std::string>(nb::module_::import_("json").attr("dumps")(attributes)));
          },
          "name"_a, "attributes"_a, "Replaces the array's attributes.",
          nb::sig("def set_attributes(self, name: str, "
                  "attributes: dict[str, typing.Any]) -> None"))
      .def("__len__", [](const Batch& self) { return self.operations.size(); })
      .def("__repr__",
           [](const Batch& self) {
             return internal::concat("npk.Batch(operations=", self.operations.size(), ")");
           })
      .def("commit", &commit_batch, "Commits what was collected, and begins anew.")
      .def(
          "__enter__", [](nb::handle self) { return nb::borrow(self); },
          nb::sig("def __enter__(self) -> Batch"))
      .def(
          "__exit__",
          [](Batch& self, nb::handle type, nb::handle, nb::handle) {
            if (type.is_none()) commit_batch(self);
          },
          "type"_a.none(), "value"_a.none(), "traceback"_a.none(),
          nb::sig("def __exit__(self, type, value, traceback) -> None"));
}

void register_writing(nb::class_<Store>& store) {
  store
      .def(
          "batch",
          [](Store& self) {
            return Batch{&self, {}, {}};
          },
          docs::kMakeBatch, nb::keep_alive<0, 1>())
      .def("save", &save, "arrays"_a, "checksums"_a.none() = nb::none(), docs::kSave,
           nb::sig("def save(self, arrays: dict[str, numpy.typing.ArrayLike], "
                   "checksums: str | None = None) -> None"))
      .def("append", &append, "arrays"_a, docs::kAppend,
           nb::sig("def append(self, arrays: dict[str, numpy.typing.ArrayLike]) -> None"))
      .def("replace", &replace, "arrays"_a, "rows"_a.none(), docs::kReplace,
           nb::sig("def replace(self, arrays: dict[str, numpy.typing.ArrayLike], "
                   "rows: npk._types.RowsLike) -> None"))
      .def("drop", &drop, "names"_a, "rows"_a.none() = nb::none(), docs::kDrop,
           nb::sig("def drop(self, names: str | collections.abc.Sequence[str], "
                   "rows: npk._types.RowsLike = None) -> None"))
      .def("compact", &compact, "name"_a, "progress"_a.none() = nb::none(), docs::kCompact,
           nb::sig("def compact(self, name: str, progress: npk._types.Progress = None) -> None"))
      .def("clone", &clone, "source"_a, "target"_a, docs::kClone)
      .def("set_attributes", &set_attributes, "name"_a, "attributes"_a, docs::kSetAttributes,
           nb::sig("def set_attributes(self, name: str, "
                   "attributes: dict[str, typing.Any]) -> None"))
      .def(
          "sync", [](Store& self) { check(unlocked([&] { return self.io.sync_metadata(); })); },
          docs::kSync)
      .def(
          "reset", [](Store& self) { check(unlocked([&] { return self.io.reset(); })); },
          "Removes every array, in one commit.");
}

}  // namespace

std::string path_from(nb::handle path) {
  const nb::object bytes = nb::module_::import_("os").attr("fsencode")(path);
  char* text = nullptr;
  Py_ssize_t length = 0;
  if (PyBytes_AsStringAndSize(bytes.ptr(), &text, &length) != 0) throw nb::python_error();
  return {text, static_cast<size_t>(length)};
}

void register_store(nb::module_& module) {
  register_metadata(module);
  register_changes(module);
  nb::class_<BlockIterator>(module, "RowStream", "The blocks of a stream().")
      .def(
          "__iter__", [](nb::handle self) { return nb::borrow(self); },
          nb::sig("def __iter__(self) -> RowStream"))
      .def("__next__", &BlockIterator::next, nb::sig("def __next__(self) -> numpy.ndarray"));
  register_snapshot(module);
  register_batch(module);
  nb::class_<Store> store(module, "Store", docs::kStore);
  store
      .def("__init__", &open, "path"_a, "mode"_a = "process", nb::kw_only(), "read_only"_a = false,
           "create"_a = true, "lock_timeout_ms"_a = 10'000, "allow_unsafe_filesystem"_a = false,
           docs::kOpen,
           nb::sig("def __init__(self, path: str | bytes | os.PathLike[str], "
                   "mode: str = 'process', *, read_only: bool = False, create: bool = True, "
                   "lock_timeout_ms: int = 10000, allow_unsafe_filesystem: bool = False) -> None"))
      .def("close", &close, docs::kClose)
      .def(
          "__enter__", [](nb::handle self) { return nb::borrow(self); },
          nb::sig("def __enter__(self) -> Store"))
      .def(
          "__exit__", [](Store& self, const nb::args&) { close(self); },
          nb::sig("def __exit__(self, *exception) -> None"))
      .def_prop_ro(
          "path", [](const Store& self) { return self.io.path(); }, "As it was opened.")
      .def("__repr__", [](const Store& self) { return "npk.Store('" + self.io.path() + "')"; });
  register_reading(store);
  store
      .def("view", &view, "name"_a, docs::kView,
           nb::sig("def view(self, name: str) -> numpy.ndarray"))
      .def(
          "snapshot",
          [](const Store& self) {
            return Snapshot{value(unlocked([&] { return self.io.snapshot(); }))};
          },
          docs::kTakeSnapshot)
      .def_prop_ro(
          "commit_number",
          [](const Store& self) {
            return value(unlocked([&] { return self.io.commit_number(); }));
          },
          docs::kCommitNumber)
      .def("rows_changed_since", &rows_changed_since, "name"_a, "commit_number"_a,
           docs::kRowsChangedSince,
           nb::sig("def rows_changed_since(self, name: str, commit_number: int) -> RowChanges"));
  register_writing(store);
}

}  // namespace npk::python
