// The readers that are fuzzed: what fuzz_targets.cc puts into its table. FuzzTarget says what each
// function is.
#ifndef NPK_TESTS_FUZZ_FUZZERS_H_
#define NPK_TESTS_FUZZ_FUZZERS_H_

#include "tests/fuzz/fuzz_target.h"

namespace npk::testing {

// Structures of a store, each by itself: core/store/{superblock,log,sidecar,roaring_format,
// change_history,before_images}.h.
std::string run_superblock(io::Bytes input);
std::vector<Input> superblock_seeds();
std::string run_log(io::Bytes input);
std::vector<Input> log_seeds();
void mutate_log_input(Input& input, size_t max_bytes, ByteMutator& mutator);
std::string run_sidecar(io::Bytes input);
std::vector<Input> sidecar_seeds();
std::string run_bitmap(io::Bytes input);
std::vector<Input> bitmap_seeds();
std::string run_changes(io::Bytes input);
std::vector<Input> changes_seeds();
std::string run_before(io::Bytes input);
std::vector<Input> before_seeds();

// Importers: formats/format.h.
std::string run_npy(io::Bytes input);
std::vector<Input> npy_seeds();
std::string run_txt(io::Bytes input);
std::vector<Input> txt_seeds();

// A whole store in which one file is the input.
std::string run_store(io::Bytes input);
std::vector<Input> store_seeds();
void mutate_store(Input& input, size_t max_bytes, ByteMutator& mutator);

}  // namespace npk::testing

#endif  // NPK_TESTS_FUZZ_FUZZERS_H_
