#include "bindings/cli/torture/ledger.h"

#include "bindings/cli/torture/store_content.h"
#include "npk/internal/text.h"

namespace npk::testing {

using internal::concat;

std::optional<uint64_t> find_state(const ParallelIO& store, Model model,
                                   OperationGenerator operations, uint64_t first, uint64_t last,
                                   std::string* difference) {
  std::optional<uint64_t> found;
  for (uint64_t number = 0; number <= last; ++number) {
    if (number >= first) {
      std::string text = content_difference(store, model);
      if (text.empty()) found = number;
      if (number == first && difference != nullptr) *difference = std::move(text);
    }
    perform(operations.next(model), model);
  }
  return found;
}

std::array<uint64_t, 2> Ledger::expected() const {
  const uint64_t before = model_hash(before_);
  return {before, is_open_ ? model_hash(after_) : before};
}

void Ledger::settle(uint64_t hash) { take(is_open_ && hash == model_hash(after_)); }

void Ledger::record(OperationGenerator operations, uint64_t acknowledged) {
  base_ = before_;
  stream_ = operations;
  stream_acknowledged_ = acknowledged;
  acknowledged_ += acknowledged;
  for (uint64_t i = 0; i < acknowledged; ++i) perform(operations.next(before_), before_);
  after_ = before_;
  perform(operations.next(after_), after_);
  is_open_ = true;
}

Finding Ledger::check(const ParallelIO& store) {
  const std::string difference = content_difference(store, before_);
  if (difference.empty()) {
    take(false);
    return {};
  }
  if (is_open_ && content_difference(store, after_).empty()) {
    take(true);
    return {};
  }
  return explain(store, difference);
}

void Ledger::take(bool after) {
  if (!is_open_) return;
  if (after) before_ = std::move(after_);
  ++(after ? kept_ : dropped_);
  is_open_ = false;
}

Finding Ledger::explain(const ParallelIO& store, const std::string& difference) const {
  if (is_open_ && stream_acknowledged_ > 0) {
    const auto found = find_state(store, base_, stream_, 0, stream_acknowledged_ - 1);
    if (found) {
      const uint64_t lost = stream_acknowledged_ - *found;
      return {lost, 0,
              concat("acknowledged operations are lost: the last ", lost, " of ",
                     stream_acknowledged_, " of a worker")};
    }
  }
  return {0, 1,
          concat("the store is in no state that it ever was in; from all that was acknowledged it "
                 "differs in this: ",
                 difference)};
}

}  // namespace npk::testing
