// What differs between a store and a model of it, in everything that can be asked.
#ifndef NPK_TESTS_SUPPORT_STORE_COMPARE_H_
#define NPK_TESTS_SUPPORT_STORE_COMPARE_H_

#include <string>

#include "bindings/cli/torture/store_content.h"
#include "bindings/cli/torture/store_model.h"
#include "npk/store.h"

namespace npk::testing {

/// Names and shapes only. Empty if there is no difference; so are all the texts here.
std::string quick_difference(const ParallelIO& store, const Model& model);
/// Everything that can be asked of one array: metadata, load, view, stream, rows by list, and the
/// raw file on disk.
std::string array_difference(const ParallelIO& store, const std::string& name,
                             const ModelArray& array, Random& random);
/// Both of the above, for all arrays.
std::string full_difference(const ParallelIO& store, const Model& model, Random& random);
/// The damage that verify_store finds in arrays, one finding a line: a slot of STORE that a crash
/// tore is survived by the other one.
std::string rows_damage(io::Env& env, const std::string& path);

}  // namespace npk::testing

#endif  // NPK_TESTS_SUPPORT_STORE_COMPARE_H_
