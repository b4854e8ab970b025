// RowStream: an array's live rows, block by block, of the state in which it was opened.
#include <algorithm>

#include "core/store/array_source.h"
#include "core/store/row_copy.h"
#include "npk/internal/text.h"
#include "npk/store.h"

namespace npk {

struct RowStream::State {
  std::shared_ptr<internal::ArraySource> source;
  internal::StatePtr array;
  std::shared_ptr<io::Mapping> pin;  // Keeps the generation readable through compaction.
  uint64_t block_rows;
  uint64_t next_row = 0;
};

RowStream::RowStream(std::unique_ptr<State> state) : state_(std::move(state)) {}
RowStream::RowStream(RowStream&&) noexcept = default;
RowStream& RowStream::operator=(RowStream&&) noexcept = default;
RowStream::~RowStream() = default;

Result<std::optional<Array>> RowStream::next() {
  const internal::ArrayState& array = *state_->array;
  const uint64_t begin = state_->next_row;
  const uint64_t end = std::min(array.live_rows(), begin + state_->block_rows);
  if (begin >= end) return std::optional<Array>();
  NPK_ASSIGN_OR_RETURN(Array block, Array::uninitialized(array.dtype, array.shape_of(end - begin)));
  NPK_RETURN_IF_ERROR(
      state_->source->read_state(array, [&](const std::shared_ptr<io::Mapping>& rows) {
        internal::copy_row_range(array, rows->data(), begin, end, block.mutable_data());
        return Status();
      }));
  state_->next_row = end;
  return std::optional<Array>(std::move(block));
}

bool RowStream::advance() {
  auto block = next();
  if (!block.is_ok()) status_ = block.status();
  block_ = block.is_ok() ? *std::move(block) : std::nullopt;
  return block_.has_value();
}

Result<RowStream> StoreReader::stream_load(std::string_view name, uint64_t block_rows) const {
  if (block_rows == 0) {
    return Status::invalid_argument("stream_load was asked for blocks of 0 rows; give at least 1");
  }
  NPK_ASSIGN_OR_RETURN(const auto arrays, source());
  auto state = std::make_unique<RowStream::State>();
  NPK_RETURN_IF_ERROR(arrays->read_array(name, [&](const auto& array, const auto& rows) {
    state->array = array;
    state->pin = rows;
    return Status();
  }));
  state->source = arrays;
  state->block_rows = std::min(block_rows, std::max<uint64_t>(1, state->array->live_rows()));
  return RowStream(std::move(state));
}

}  // namespace npk
