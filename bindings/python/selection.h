// What Python callers write for rows, as Rows and as Where: nothing (all of them), one number, a
// slice, a sequence or array of numbers, a boolean mask.
//
// Thread safety: with the GIL only.
#ifndef NPK_BINDINGS_PYTHON_SELECTION_H_
#define NPK_BINDINGS_PYTHON_SELECTION_H_

#include <cstdint>

#include <nanobind/nanobind.h>

#include "npk/search.h"
#include "npk/store.h"

namespace npk::python {

/// Throws TypeError for what is no selection, OverflowError for numbers beyond int64.
Rows rows_from(nanobind::handle selection);

/// `row_count`: rows of the array, which the ends of a slice count from. Throws as rows_from.
Where where_from(nanobind::handle selection, uint64_t row_count);

/// A count: ValueError if negative; more than uint64 holds is as many as there are.
uint64_t count_from(nanobind::handle number, const char* name);

}  // namespace npk::python

#endif  // NPK_BINDINGS_PYTHON_SELECTION_H_
