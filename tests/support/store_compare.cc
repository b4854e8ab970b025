#include "tests/support/store_compare.h"

#include <algorithm>
#include <cstring>

#include "core/store/row_access.h"
#include "core/store/store_handle.h"
#include "npk/internal/text.h"
#include "tests/support/support.h"

namespace npk::testing {
namespace {

using internal::concat;

#define NPK_DIFFERENCE_IF_ERROR(result) \
  if (!(result).is_ok()) return concat(#result ": ", (result).status().to_string())

std::string stream_difference(const ParallelIO& store, const std::string& name,
                              const ModelArray& array, uint64_t block_rows) {
  auto stream = store.stream_load(name, block_rows);
  NPK_DIFFERENCE_IF_ERROR(stream);
  std::vector<std::byte> bytes;
  uint64_t rows_left = array.rows();
  for (const Array& block : *stream) {
    const uint64_t wanted_rows = std::min(block_rows, rows_left);
    if (block.rows() != wanted_rows) {
      return concat("a block of ", block.rows(), " rows came instead of ", wanted_rows);
    }
    rows_left -= wanted_rows;
    bytes.insert(bytes.end(), block.data(), block.data() + block.size_bytes());
  }
  if (!stream->status().is_ok()) return stream->status().to_string();
  if (rows_left != 0) return concat("the stream ended ", rows_left, " rows early");
  return bytes_difference("stream_load", bytes.data(), bytes.size(), array.bytes,
                          array.row_bytes());
}

std::string rows_difference(const ParallelIO& store, const std::string& name,
                            const ModelArray& array, Random& random) {
  const RowChoice choice = random_rows(random, array.shape[0]);
  auto rows = store.read_rows(name, choice.rows);
  NPK_DIFFERENCE_IF_ERROR(rows);
  Shape shape = array.shape;
  shape[0] = choice.resolved.size();
  if (rows->shape() != shape || rows->dtype() != array.dtype) {
    return concat("read_rows ", choice.text, " has shape ", shape_to_string(rows->shape()));
  }
  const std::vector<std::byte> wanted = array.gather(choice.resolved);
  const std::string what = concat("read_rows ", choice.text);
  std::string text =
      bytes_difference(what, rows->data(), rows->size_bytes(), wanted, array.row_bytes());
  if (!text.empty()) return text;
  const std::vector<int64_t> numbers(choice.resolved.begin(), choice.resolved.end());
  std::vector<std::byte> out(wanted.size());
  const Status status = store.read_rows_into(name, numbers, out);
  if (!status.is_ok()) return concat("read_rows_into: ", status.to_string());
  return bytes_difference("read_rows_into", out.data(), out.size(), wanted, array.row_bytes());
}

/// The view, and the file itself: row i at byte i * row_bytes, and nothing else in it.
std::string placement_difference(const ParallelIO& store, const std::string& name,
                                 const ModelArray& array, const ArrayMetadata& metadata) {
  std::vector<uint64_t> live;
  const Status status = internal::with_rows(store, name, [&](const internal::PinnedRows& rows) {
    live.clear();
    for (uint64_t row = 0; row < rows.physical_rows; ++row) {
      if (!rows.deleted->is_deleted(row)) live.push_back(row);
    }
    return Status();
  });
  if (!status.is_ok()) return concat("with_rows: ", status.to_string());
  if (live.size() != array.rows()) return concat(live.size(), " rows are live");

  const bool is_one_run = live.empty() || live.back() - live.front() + 1 == live.size();
  const auto view = store.get_array_view(name);
  if (view.is_ok() != is_one_run) {
    return concat("get_array_view: ", view.status().to_string());
  }
  if (view.is_ok()) {
    if (view->shape() != array.shape || view->dtype() != array.dtype) return "view has a shape";
    std::string text = bytes_difference("get_array_view", view->data(), view->size_bytes(),
                                        array.bytes, array.row_bytes());
    if (!text.empty()) return text;
  } else if (view.status().code() != StatusCode::kFailedPrecondition) {
    return concat("get_array_view: ", view.status().to_string());
  }

  if (array.row_bytes() == 0) return {};
  const std::string file = read_file(concat(store.path(), "/", metadata.rows_file));
  // Behind the rows there may be some that were never committed: a refused batch leaves them.
  if (file.size() < metadata.size_bytes) {
    return concat("the rows file has ", file.size(), " bytes instead of ", metadata.size_bytes);
  }
  std::vector<std::byte> rows(live.size() * array.row_bytes());
  for (size_t i = 0; i < live.size(); ++i) {
    std::memcpy(&rows[i * array.row_bytes()], &file[live[i] * array.row_bytes()],
                array.row_bytes());
  }
  return bytes_difference("the rows file", rows.data(), rows.size(), array.bytes,
                          array.row_bytes());
}

}  // namespace

std::string quick_difference(const ParallelIO& store, const Model& model) {
  std::string text = names_difference(store, model);
  for (auto array = model.begin(); text.empty() && array != model.end(); ++array) {
    auto shape = store.get_shape(array->first);
    NPK_DIFFERENCE_IF_ERROR(shape);
    if (*shape != array->second.shape) {
      text = concat("'", array->first, "' has shape ", shape_to_string(*shape), " instead of ",
                    shape_to_string(array->second.shape));
    }
  }
  return text;
}

std::string array_difference(const ParallelIO& store, const std::string& name,
                             const ModelArray& array, Random& random) {
  const std::string prefix = concat("'", name.substr(0, 40), "': ");
  ArrayMetadata metadata;
  std::string text = load_difference(store, name, array);
  if (text.empty()) text = metadata_difference(store, name, array, metadata);
  if (text.empty()) text = placement_difference(store, name, array, metadata);
  if (text.empty() && !array.shape.empty()) {
    text = stream_difference(store, name, array, 1 + random.below(2 * array.shape[0] + 2));
  }
  if (text.empty() && !array.shape.empty()) text = rows_difference(store, name, array, random);
  return text.empty() ? text : prefix + text;
}

std::string full_difference(const ParallelIO& store, const Model& model, Random& random) {
  std::string text = quick_difference(store, model);
  for (auto array = model.begin(); text.empty() && array != model.end(); ++array) {
    text = array_difference(store, array->first, array->second, random);
  }
  return text;
}

std::string rows_damage(io::Env& env, const std::string& path) {
  const auto report = verify_store(env, path, {});
  if (!report.is_ok()) return report.status().to_string();
  std::string text;
  for (const VerifyFinding& finding : report->findings) {
    if (finding.severity != VerifyFinding::Severity::kDamage || finding.array.empty()) continue;
    text += concat(finding.path, ": ", finding.message, "\n");
  }
  return text;
}

}  // namespace npk::testing
