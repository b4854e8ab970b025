// Operations that a store must refuse, with what each must answer.
#ifndef NPK_TESTS_SUPPORT_BAD_OPERATIONS_H_
#define NPK_TESTS_SUPPORT_BAD_OPERATIONS_H_

#include <string>

#include "bindings/cli/torture/store_model.h"
#include "npk/store.h"

namespace npk::testing {

/// Tries one. Says what is wrong if the store takes it, or refuses it with another error than it
/// should; empty if all is well.
std::string bad_operation_finding(Random& random, ParallelIO& store, const Model& model);

}  // namespace npk::testing

#endif  // NPK_TESTS_SUPPORT_BAD_OPERATIONS_H_
