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
#include "bindings/python/selection.h"
#include "bindings/python/store_docs.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace npk::python {
namespace {

/// The arrays of a dict {name: array}, borrowed for the time of a call.
struct NamedArrays {
  std::vector<std::string> names;
  std::vector<BorrowedArray> arrays;
};

NamedArrays named_arrays(const nb::dict& arrays) {
  NamedArrays named;
  named.arrays.reserve(arrays.size());
  for (const auto [name, array] : arrays) {
    named.names.push_back(nb::cast<std::string>(name));
    named.arrays.emplace_back(array);
  }
  return named;
}

std::vector<std::string> names_from(nb::handle names) {
  if (PyUnicode_Check(names.ptr())) return {nb::cast<std::string>(names)};
  return nb::cast<std::vector<std::string>>(names);
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

nb::object load(const Store& self, const std::string& name) {
  return to_numpy(value(unlocked([&] { return self.io.load_array(name); })));
}

nb::object view(const Store& self, const std::string& name) {
  return to_numpy(value(unlocked([&] { return self.io.get_array_view(name); })));
}

nb::object read_rows(const Store& self, const std::string& name, nb::handle rows) {
  const Rows selection = rows_from(rows);
  return to_numpy(value(unlocked([&] { return self.io.read_rows(name, selection); })));
}

bool has(const Store& self, const std::string& name) { return value(self.io.has_array(name)); }

std::vector<std::string> list(const Store& self) { return value(self.io.list_arrays()); }

nb::tuple tuple_of(const Shape& shape) {
  nb::list extents;
  for (const uint64_t extent : shape) extents.append(extent);
  return nb::tuple(extents);
}

nb::object attributes(const Store& self, const std::string& name) {
  const std::string text = value(self.io.get_attributes(name));
  return nb::module_::import_("json").attr("loads")(text);
}

void set_attributes(Store& self, const std::string& name, const nb::dict& attributes) {
  const auto text = nb::cast<std::string>(nb::module_::import_("json").attr("dumps")(attributes));
  check(unlocked([&] { return self.io.set_attributes(name, text); }));
}

/// The blocks of Store.stream(). Thread safety: threads take turns.
class BlockIterator {
 public:
  explicit BlockIterator(npk::RowStream stream) : stream_(std::move(stream)) {}

  nb::object next() {
    std::optional<Array> block = value(unlocked([&] {
      const std::lock_guard lock(*mutex_);
      return stream_.next();
    }));
    if (!block) throw nb::stop_iteration();
    return to_numpy(*std::move(block));
  }

 private:
  npk::RowStream stream_;
  std::unique_ptr<std::mutex> mutex_ = std::make_unique<std::mutex>();
};

BlockIterator stream(const Store& self, const std::string& name, nb::handle block_rows) {
  const uint64_t rows = count_from(block_rows, "block_rows");
  return BlockIterator(value(unlocked([&] { return self.io.stream_load(name, rows); })));
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
              "Microseconds since 1970, of the last commit that touched the array.");
}

void register_reading(nb::class_<Store>& store) {
  store
      .def("load", &load, "name"_a, docs::kLoad,
           nb::sig("def load(self, name: str) -> numpy.ndarray"))
      .def("view", &view, "name"_a, docs::kView,
           nb::sig("def view(self, name: str) -> numpy.ndarray"))
      .def("read_rows", &read_rows, "name"_a, "rows"_a.none(), docs::kReadRows,
           nb::sig("def read_rows(self, name: str, rows: npk._types.RowsLike) -> numpy.ndarray"))
      .def("getitem", &read_rows, "name"_a, "rows"_a.none(), "read_rows under NumPack's name.",
           nb::sig("def getitem(self, name: str, rows: npk._types.RowsLike) -> numpy.ndarray"))
      .def("stream", &stream, "name"_a, "block_rows"_a = 65536, docs::kStream,
           nb::sig("def stream(self, name: str, block_rows: int = 65536) -> RowStream"))
      .def("has", &has, "name"_a, "Whether there is an array of this name.")
      .def("__contains__", &has, "name"_a)
      .def("list", &list, "Names of the arrays, in byte order.")
      .def(
          "__iter__", [](const Store& self) { return nb::iter(nb::cast(list(self))); },
          nb::sig("def __iter__(self) -> collections.abc.Iterator[str]"))
      .def("__len__", [](const Store& self) { return list(self).size(); })
      .def(
          "shape",
          [](const Store& self, const std::string& name) {
            return tuple_of(value(self.io.get_shape(name)));
          },
          "name"_a, "Logical shape: deleted rows do not count.",
          nb::sig("def shape(self, name: str) -> tuple[int, ...]"))
      .def(
          "metadata",
          [](const Store& self, const std::string& name) {
            return value(self.io.get_array_metadata(name));
          },
          "name"_a, "All that the store knows of the array.")
      .def("attributes", &attributes, "name"_a, "The attributes that set_attributes() gave it.",
           nb::sig("def attributes(self, name: str) -> dict[str, typing.Any]"));
}

void register_writing(nb::class_<Store>& store) {
  store
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
  nb::class_<BlockIterator>(module, "RowStream", "The blocks of a Store.stream().")
      .def(
          "__iter__", [](nb::handle self) { return nb::borrow(self); },
          nb::sig("def __iter__(self) -> RowStream"))
      .def("__next__", &BlockIterator::next, nb::sig("def __next__(self) -> numpy.ndarray"));
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
  register_writing(store);
}

}  // namespace npk::python
