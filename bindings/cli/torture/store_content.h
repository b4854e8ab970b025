// What the arrays of a store hold, compared with a model: what must be equal after a kill.
// The texts say what differs; they are empty if nothing does.
#ifndef NPK_BINDINGS_CLI_TORTURE_STORE_CONTENT_H_
#define NPK_BINDINGS_CLI_TORTURE_STORE_CONTENT_H_

#include <string>
#include <string_view>
#include <vector>

#include "bindings/cli/torture/store_model.h"
#include "npk/store.h"

namespace npk::testing {

/// Names, types, shapes, rows, attributes and metadata of all arrays.
std::string content_difference(const StoreReader& store, const Model& model);
/// The parts that it is made of. `metadata` receives what the store says.
std::string names_difference(const StoreReader& store, const Model& model);
std::string load_difference(const StoreReader& store, const std::string& name,
                            const ModelArray& array);
std::string metadata_difference(const StoreReader& store, const std::string& name,
                                const ModelArray& array, ArrayMetadata& metadata);
/// `what` names in the text where `got` came from.
std::string bytes_difference(std::string_view what, const std::byte* got, uint64_t got_bytes,
                             const std::vector<std::byte>& wanted, uint64_t row_bytes);

/// What the store holds now.
Result<Model> read_model(const StoreReader& store);

/// The damage that verify_store finds at `path`, one finding a line.
std::string verify_damage(const std::string& path);

}  // namespace npk::testing

#endif  // NPK_BINDINGS_CLI_TORTURE_STORE_CONTENT_H_
