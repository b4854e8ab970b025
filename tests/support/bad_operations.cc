#include "tests/support/bad_operations.h"

#include "npk/internal/text.h"

namespace npk::testing {
namespace {

using internal::concat;

std::string judge(std::string_view what, const Status& status, StatusCode wanted) {
  if (status.code() == wanted) return {};
  return concat(what, " answered ", status.to_string(), " instead of ", status_code_name(wanted));
}

DType another_dtype(Random& random, DType dtype) {
  DType other = dtype;
  while (other == dtype) other = random_dtype(random);
  return other;
}

Shape another_row_shape(Random& random, Shape shape) {
  if (shape.size() == 1 || random.chance(0.3)) {
    shape.push_back(2);
  } else if (random.chance(0.3)) {
    shape.pop_back();
  } else {
    ++shape[1 + random.below(shape.size() - 1)];
  }
  shape[0] = 1;
  return shape;
}

/// Rows that the array does not have, and the error for them.
std::pair<Rows, StatusCode> bad_rows(Random& random, uint64_t row_count) {
  const auto count = static_cast<int64_t>(row_count);
  switch (random.below(6)) {
    case 0:
      return {Rows::list({count}), StatusCode::kOutOfRange};
    case 1:
      return {Rows::list({-count - 1}), StatusCode::kOutOfRange};
    case 2:
      return {Rows::list({INT64_MIN}), StatusCode::kOutOfRange};
    case 3:
      return {Rows::list({INT64_MAX}), StatusCode::kOutOfRange};
    case 4:
      return {Rows::range(0, 1, 0), StatusCode::kInvalidArgument};
    default:
      return {Rows::mask(std::vector<uint8_t>(row_count + 1, 1)), StatusCode::kInvalidArgument};
  }
}

std::string bad_row_numbers(Random& random, ParallelIO& store, const std::string& name,
                            const ModelArray& array) {
  const auto [rows, code] = bad_rows(random, array.shape[0]);
  Shape one = array.shape;
  one[0] = 1;
  switch (random.below(4)) {
    case 0:
      return judge("drop_arrays of bad rows", store.drop_arrays(name, rows), code);
    case 1:
      return judge("read_rows of bad rows", store.read_rows(name, rows).status(), code);
    case 2: {
      if (code == StatusCode::kInvalidArgument) return {};
      const Values values = random_values(random, array.dtype, one);
      return judge("replace of bad rows", store.replace_rows(name, values.view(), rows), code);
    }
    default: {
      if (code == StatusCode::kInvalidArgument) return {};
      const Values values = random_values(random, array.dtype, one);
      WriteBatch batch;
      batch.append_rows(name, values.view());  // Good, but must not stay.
      batch.drop_rows(name, Rows::list({static_cast<int64_t>(array.shape[0]) + 1}));
      return judge("batch with bad rows", store.commit(batch), code);
    }
  }
}

std::string bad_values(Random& random, ParallelIO& store, const std::string& name,
                       const ModelArray& array) {
  Shape one = array.shape;
  one[0] = 1;
  const DType dtype = another_dtype(random, array.dtype);
  switch (random.below(5)) {
    case 0:
      return judge("append of another type",
                   store.append_rows(name, random_values(random, dtype, one).view()),
                   StatusCode::kInvalidArgument);
    case 1: {
      const Shape shape = another_row_shape(random, array.shape);
      return judge(
          concat("append of ", shape_to_string(shape), " to ", shape_to_string(array.shape)),
          store.append_rows(name, random_values(random, array.dtype, shape).view()),
          StatusCode::kInvalidArgument);
    }
    case 2:
      return judge("append of a view without data",
                   store.append_rows(name, ArrayView::raw(nullptr, array.dtype, Shape(33, 1))),
                   StatusCode::kInvalidArgument);
    case 3: {
      if (array.shape[0] == 0) return {};
      const Values values = random_values(random, dtype, one);
      return judge("replace with another type",
                   store.replace_rows(name, values.view(), Rows::list({0})),
                   StatusCode::kInvalidArgument);
    }
    default: {
      if (array.shape[0] == 0) return {};
      const Values values = random_values(random, array.dtype, one);
      return judge("replace of two rows by one",
                   store.replace_rows(name, values.view(), Rows::list({0, 0})),
                   StatusCode::kInvalidArgument);
    }
  }
}

std::string bad_names(Random& random, ParallelIO& store, const std::string& name,
                      const ModelArray& array) {
  const Values good = random_values(random, DType::kUint8, {3});
  switch (random.below(7)) {
    case 0:
      return judge("append to a missing array", store.append_rows("no such array", good.view()),
                   StatusCode::kNotFound);
    case 1:
      return judge("drop of a missing array",
                   store.drop_arrays(std::vector<std::string>{name, "no such array"}),
                   StatusCode::kNotFound);
    case 2:
      return judge("clone onto itself", store.clone_array(name, name), StatusCode::kAlreadyExists);
    case 3:
      return judge("save with one bad name",
                   store.save_arrays({{name, good.view()}, {std::string("a\0b", 3), good.view()}}),
                   StatusCode::kInvalidArgument);
    case 4:
      return judge("attributes that are no object", store.set_attributes(name, "[1]"),
                   StatusCode::kInvalidArgument);
    case 5: {
      WriteBatch batch;
      batch.drop_array(name).append_rows(name, good.view());
      return judge("append after a drop in a batch", store.commit(batch), StatusCode::kNotFound);
    }
    default:
      if (!array.shape.empty()) return {};
      return judge("append to a 0-d array", store.append_rows(name, good.view()),
                   StatusCode::kInvalidArgument);
  }
}

}  // namespace

std::string bad_operation_finding(Random& random, ParallelIO& store, const Model& model) {
  if (model.empty()) return {};
  auto entry = model.begin();
  std::advance(entry, static_cast<std::ptrdiff_t>(random.below(model.size())));
  const auto& [name, array] = *entry;
  const uint64_t dice = array.shape.empty() ? 0 : random.below(3);
  if (dice == 0) return bad_names(random, store, name, array);
  if (dice == 1) return bad_row_numbers(random, store, name, array);
  return bad_values(random, store, name, array);
}

}  // namespace npk::testing
