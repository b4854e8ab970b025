// The reading methods that npk.Store and npk.Snapshot have in common: those of StoreReader.
// `Reader` is a struct whose member `io` is one.
#ifndef NPK_BINDINGS_PYTHON_READING_H_
#define NPK_BINDINGS_PYTHON_READING_H_

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "bindings/python/arrays.h"
#include "bindings/python/errors.h"
#include "bindings/python/selection.h"
#include "bindings/python/store_docs.h"
#include "npk/store.h"

namespace npk::python {

namespace nb = nanobind;
using namespace nb::literals;

/// The blocks of stream(). Thread safety: threads take turns.
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

inline nb::tuple tuple_of(const Shape& shape) {
  nb::list extents;
  for (const uint64_t extent : shape) extents.append(extent);
  return nb::tuple(extents);
}

template <typename Reader>
nb::object load(const Reader& self, const std::string& name) {
  return to_numpy(value(unlocked([&] { return self.io.load_array(name); })));
}

template <typename Reader>
nb::object read_rows(const Reader& self, const std::string& name, nb::handle rows) {
  const Rows selection = rows_from(rows);
  return to_numpy(value(unlocked([&] { return self.io.read_rows(name, selection); })));
}

template <typename Reader>
bool has(const Reader& self, const std::string& name) {
  return value(self.io.has_array(name));
}

template <typename Reader>
std::vector<std::string> list(const Reader& self) {
  return value(self.io.list_arrays());
}

template <typename Reader>
nb::object attributes(const Reader& self, const std::string& name) {
  const std::string text = value(self.io.get_attributes(name));
  return nb::module_::import_("json").attr("loads")(text);
}

template <typename Reader>
BlockIterator stream(const Reader& self, const std::string& name, nb::handle block_rows) {
  const uint64_t rows = count_from(block_rows, "block_rows");
  return BlockIterator(value(unlocked([&] { return self.io.stream_load(name, rows); })));
}

template <typename Reader>
void register_reading(nb::class_<Reader>& reader) {
  reader
      .def("load", &load<Reader>, "name"_a, docs::kLoad,
           nb::sig("def load(self, name: str) -> numpy.ndarray"))
      .def("read_rows", &read_rows<Reader>, "name"_a, "rows"_a.none(), docs::kReadRows,
           nb::sig("def read_rows(self, name: str, rows: npk._types.RowsLike) -> numpy.ndarray"))
      .def("getitem", &read_rows<Reader>, "name"_a, "rows"_a.none(),
           "read_rows under NumPack's name.",
           nb::sig("def getitem(self, name: str, rows: npk._types.RowsLike) -> numpy.ndarray"))
      .def("stream", &stream<Reader>, "name"_a, "block_rows"_a = 65536, docs::kStream,
           nb::sig("def stream(self, name: str, block_rows: int = 65536) -> RowStream"))
      .def("has", &has<Reader>, "name"_a, "Whether there is an array of this name.")
      .def("__contains__", &has<Reader>, "name"_a)
      .def("list", &list<Reader>, "Names of the arrays, in byte order.")
      .def(
          "__iter__", [](const Reader& self) { return nb::iter(nb::cast(list(self))); },
          nb::sig("def __iter__(self) -> collections.abc.Iterator[str]"))
      .def("__len__", [](const Reader& self) { return list(self).size(); })
      .def(
          "shape",
          [](const Reader& self, const std::string& name) {
            return tuple_of(value(self.io.get_shape(name)));
          },
          "name"_a, "Logical shape: deleted rows do not count.",
          nb::sig("def shape(self, name: str) -> tuple[int, ...]"))
      .def(
          "metadata",
          [](const Reader& self, const std::string& name) {
            return value(self.io.get_array_metadata(name));
          },
          "name"_a, "All that the store knows of the array.")
      .def("attributes", &attributes<Reader>, "name"_a,
           "The attributes that set_attributes() gave it.",
           nb::sig("def attributes(self, name: str) -> dict[str, typing.Any]"));
}

}  // namespace npk::python

#endif  // NPK_BINDINGS_PYTHON_READING_H_
