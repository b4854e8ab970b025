// What differs between a store and a model of it.
#ifndef NPK_TESTS_SUPPORT_STORE_COMPARE_H_
#define NPK_TESTS_SUPPORT_STORE_COMPARE_H_

#include <string>

#include "npk/store.h"
#include "tests/support/store_model.h"

namespace npk::testing {

/// Names and shapes only. Empty if there is no difference; so are all the texts here.
std::string quick_difference(const ParallelIO& store, const Model& model);
/// Everything that can be asked of one array: metadata, load, view, stream, rows by list, and the
/// raw file on disk.
std::string array_difference(const ParallelIO& store, const std::string& name,
                             const ModelArray& array, Random& random);
/// Both of the above, for all arrays.
std::string full_difference(const ParallelIO& store, const Model& model, Random& random);
/// Names, types, shapes, rows and attributes: what must be equal after a kill.
std::string content_difference(const ParallelIO& store, const Model& model);

/// What the store holds now.
Result<Model> read_model(const ParallelIO& store);

/// The damage that verify_store finds at `path`, one finding a line.
std::string verify_damage(const std::string& path);

}  // namespace npk::testing

#endif  // NPK_TESTS_SUPPORT_STORE_COMPARE_H_
