// Files that were cut off, overwritten, emptied, removed or had bits flipped.
//
// Whatever is done to a file, opening the store gives an error that names it, or exactly the right
// content; never an empty store, never a wrong row, and an open that fails changes nothing.
#include <algorithm>
#include <csignal>
#include <filesystem>
#include <unistd.h>

#include "npk/internal/text.h"
#include "tests/support/child_process.h"
#include "tests/support/directory_snapshot.h"
#include "tests/support/store_compare.h"
#include "tests/support/store_fixture.h"

namespace npk::testing {
namespace {

using internal::concat;

/// A store's files, and the contents that its history went through.
struct Sample {
  DirectorySnapshot files;
  std::vector<Model> history;  ///< The last one is what the files hold.
};

/// Arrays with and without deleted rows, attributes, no rows; all folded into sidecars.
Status fill(ParallelIO& store) {
  NPK_RETURN_IF_ERROR(store.save_arrays({{"plain", ints(iota(300), {100, 3})},
                                         {"holes", ints(iota(500, 1'000), {500})},
                                         {"empty", ints(Ints{}, {0, 4})}}));
  NPK_RETURN_IF_ERROR(store.drop_arrays("holes", Rows::range(0, 400, 3)));
  NPK_RETURN_IF_ERROR(store.set_attributes("plain", R"({"unit":"m"})"));
  NPK_RETURN_IF_ERROR(store.sync_metadata());
  NPK_RETURN_IF_ERROR(store.append_rows("plain", ints(iota(3, 300), {1, 3})));
  return store.sync_metadata();  // Now both slots of STORE and both logs have been in use.
}

Status change(ParallelIO& store, int step) {
  switch (step) {
    case 0:
      return store.append_rows("plain", ints(iota(30, 500), {10, 3}));
    case 1:
      return store.replace_rows("holes", ints(iota(3, -9), {3}), Rows::list({0, 50, -1}));
    case 2:
      return store.drop_arrays("plain", Rows::list({1, 7, -1}));
    case 3:
      return store.save_arrays({{"late", ints(iota(5), {5})}});
    case 4:
      return store.compact_array("holes");
    default:
      return store.set_attributes("late", R"({"k":[1,2,3]})");
  }
}
constexpr int kChanges = 6;

class Damage : public StoreTest {
 protected:
  Damage() : StoreTest(TempDir::Place::kMemory) {}

  /// A store that was closed in good order.
  Sample folded() {
    Sample sample;
    {
      ParallelIO store = open();
      NPK_EXPECT_OK(fill(store));
      sample.history.push_back(*read_model(store));
    }
    sample.files = snapshot(path());
    return sample;
  }

  /// A store whose writer was killed with commits in the log.
  Sample killed(Durability durability) {
    Sample sample;
    {
      ParallelIO store = open();
      NPK_EXPECT_OK(fill(store));
      sample.history.push_back(*read_model(store));
    }
    for (int step = 0; step < kChanges; ++step) {
      std::filesystem::copy(path(), directory_.file("twin"));
      NPK_EXPECT_OK(apply_changes(directory_.file("twin"), step + 1));
      sample.history.push_back(read(directory_.file("twin")));
      std::filesystem::remove_all(directory_.file("twin"));
    }
    const int code = run_forked([&] {
      StoreOptions options;
      options.durability = durability;
      auto store = ParallelIO::open(path(), options);
      if (!store.is_ok()) return 1;
      for (int step = 0; step < kChanges; ++step) {
        if (!change(*store, step).is_ok()) return 2;
      }
      return ::kill(::getpid(), SIGKILL);
    });
    EXPECT_EQ(code, 128 + SIGKILL);
    sample.files = snapshot(path());
    return sample;
  }

  static Status apply_changes(const std::string& store_path, int count) {
    NPK_ASSIGN_OR_RETURN(ParallelIO store, ParallelIO::open(store_path));
    for (int step = 0; step < count; ++step) NPK_RETURN_IF_ERROR(change(store, step));
    return store.close();
  }

  static Model read(const std::string& store_path) {
    auto store = ParallelIO::open(store_path);
    EXPECT_TRUE(store.is_ok()) << store.status().to_string();
    return *read_model(*store);
  }

  /// What opening and reading everything comes to.
  struct Outcome {
    Status status;
    size_t state = SIZE_MAX;  ///< Which one of the history was found.
    std::string text;         ///< How it differs from the last one, if it is none.
  };

  Outcome look(const Sample& sample, bool read_only) {
    StoreOptions options;
    options.read_only = read_only;
    auto store = ParallelIO::open(path(), options);
    if (!store.is_ok()) return {store.status(), SIZE_MAX, {}};
    auto model = read_model(*store);
    if (!model.is_ok()) return {model.status(), SIZE_MAX, {}};
    Outcome outcome;
    for (size_t i = sample.history.size(); i-- > 0 && outcome.state == SIZE_MAX;) {
      if (content_difference(*store, sample.history[i]).empty()) outcome.state = i;
    }
    if (outcome.state == SIZE_MAX) outcome.text = content_difference(*store, sample.history.back());
    return outcome;
  }

  /// Puts the damaged files there, opens them both ways, and judges. `file` was damaged.
  /// Returns whether it was an error.
  bool check(const Sample& sample, const DirectorySnapshot& damaged, const std::string& file,
             const std::string& what, bool any_state = false) {
    bool is_error = false;
    for (const bool read_only : {true, false}) {
      restore(damaged, path());
      const Outcome outcome = look(sample, read_only);
      const std::string where = concat(what, read_only ? ", opened read-only" : "");
      is_error = !outcome.status.is_ok();
      if (is_error) {
        EXPECT_EQ(outcome.status.code(), StatusCode::kCorruption)
            << where << ": " << outcome.status.to_string();
        EXPECT_THAT(outcome.status.path(), ::testing::HasSubstr(file))
            << where << ": " << outcome.status.to_string();
      } else {
        const bool is_right =
            outcome.state + 1 == sample.history.size() || (any_state && outcome.state != SIZE_MAX);
        EXPECT_TRUE(is_right) << where << " gave wrong content: " << outcome.text << " (state "
                              << outcome.state << ")";
      }
      if (is_error || read_only) {
        EXPECT_EQ(snapshot_difference(damaged, snapshot(path()), read_only ? "" : "LOCK"), "")
            << where;
      }
    }
    return is_error;
  }

  /// Every kind of gross damage to each file whose name contains `part`. Each must be an error.
  void damage_grossly(const Sample& sample, std::string_view part) {
    const auto files = files_containing(sample.files, part);
    ASSERT_FALSE(files.empty()) << part;
    for (const std::string& file : files) {
      const std::string& content = sample.files.at(file);
      if (content.empty()) continue;
      const std::vector<std::pair<std::string, std::string>> damages = {
          {"emptied", ""},
          {"cut to half", content.substr(0, content.size() / 2)},
          {"cut by one byte", content.substr(0, content.size() - 1)},
          {"cut to one byte", content.substr(0, 1)},
          {"filled with zeros", std::string(content.size(), '\0')},
          {"filled with 0xff", std::string(content.size(), '\xff')},
          {"replaced by text", std::string(content.size(), 'x')}};
      for (const auto& [what, bytes] : damages) {
        DirectorySnapshot damaged = sample.files;
        damaged[file] = bytes;
        EXPECT_TRUE(check(sample, damaged, file, concat(file, " ", what)))
            << file << " " << what << " went unnoticed";
        EXPECT_NE(verify_damage(path()), "") << "verify, " << file << " " << what;
      }
    }
  }

  /// Flips bits of a file one at a time; each must be an error or make no difference.
  void flip_bits(const Sample& sample, std::string_view part, size_t at_most,
                 bool any_state = false) {
    Random random(test_seed());
    const auto files = files_containing(sample.files, part);
    ASSERT_FALSE(files.empty()) << part;
    for (const std::string& file : files) {
      const size_t size = used_bytes(sample.files.at(file));
      for (size_t i = 0; i < std::min(size, at_most); ++i) {
        const size_t at = size <= at_most ? i : random.below(size);
        DirectorySnapshot damaged = sample.files;
        const auto bit = static_cast<unsigned>(random.below(8));
        damaged[file][at] = static_cast<char>(damaged[file][at] ^ (1 << bit));
        check(sample, damaged, file, concat(file, " bit ", bit, " of byte ", at), any_state);
        if (HasFailure()) return;
      }
    }
  }

  /// Without the zeros at the end, which are not yet written.
  static size_t used_bytes(const std::string& content) {
    const size_t last = content.find_last_not_of('\0');
    return last == std::string::npos ? 0 : last + 1;
  }
};

TEST_F(Damage, UndamagedSamplesAreReadRight) {
  const Sample folded_sample = folded();
  EXPECT_FALSE(check(folded_sample, folded_sample.files, "", "undamaged"));
  EXPECT_EQ(verify_damage(path()), "");
  std::filesystem::remove_all(path());
  const Sample killed_sample = killed(Durability::kProcess);
  restore(killed_sample.files, path());
  EXPECT_EQ(verify_damage(path()), "") << "a killed writer is no damage";
  EXPECT_FALSE(check(killed_sample, killed_sample.files, "", "undamaged"));
  EXPECT_EQ(verify_damage(path()), "");
}

TEST_F(Damage, ToSTOREIsAnError) { damage_grossly(folded(), "STORE"); }

TEST_F(Damage, ToASidecarIsAnError) { damage_grossly(folded(), ".meta"); }

TEST_F(Damage, ToABitmapOfDeletedRowsIsAnError) { damage_grossly(folded(), ".deleted."); }

TEST_F(Damage, ToTheLogOfAKilledWriterIsAnErrorInModeProcess) {
  const Sample sample = killed(Durability::kProcess);
  for (const std::string& file : files_containing(sample.files, "log.")) {
    for (const size_t keep : {size_t{0}, size_t{1}, size_t{40}, size_t{100}, size_t{200}}) {
      DirectorySnapshot damaged = sample.files;
      damaged[file].resize(std::min(keep, damaged[file].size()));
      check(sample, damaged, file, concat(file, " cut to ", keep));
      damaged[file] = std::string(sample.files.at(file).size(), '\0');
      check(sample, damaged, file, concat(file, " zeroed"));
    }
  }
}

TEST_F(Damage, ToARowsFileThatBecameTooShortIsAnError) {
  const Sample sample = folded();
  for (const std::string& file : files_ending_in(sample.files, ".rows")) {
    const std::string& content = sample.files.at(file);
    for (const size_t size : {size_t{0}, size_t{1}, content.size() / 2, content.size() - 1}) {
      if (content.empty()) continue;
      DirectorySnapshot damaged = sample.files;
      damaged[file].resize(size);
      EXPECT_TRUE(check(sample, damaged, file, concat(file, " cut to ", size)));
      EXPECT_NE(verify_damage(path()), "") << file;
    }
  }
}

TEST_F(Damage, ToOneRowsFileLeavesTheOtherArraysReadable) {
  const Sample sample = folded();
  DirectorySnapshot damaged = sample.files;
  const auto files = files_containing(damaged, "plain.");
  for (const std::string& file : files) {
    if (file.ends_with(".rows")) damaged[file].resize(10);
  }
  restore(damaged, path());
  ParallelIO store = open();
  NPK_EXPECT_ERROR(store.load_array("plain"), kCorruption, "plain");
  NPK_EXPECT_ERROR(store.get_array_view("plain"), kCorruption, "plain");
  NPK_EXPECT_ERROR(store.read_rows("plain", Rows::list({100})), kCorruption, "plain");
  EXPECT_FALSE(store.append_rows("plain", ints(iota(3), {1, 3})).is_ok());
  EXPECT_FALSE(store.replace_rows("plain", ints(iota(3), {1, 3}), Rows::list({0})).is_ok());
  EXPECT_EQ(load(store, "holes").size(), sample.history.back().at("holes").shape[0]);
}

TEST_F(Damage, FilesThatAreMissingAreNamedAndNothingIsTidiedAway) {
  const Sample sample = folded();
  for (const auto& entry : sample.files) {
    const std::string& file = entry.first;
    if (file == "LOCK" || file.starts_with("log.")) continue;
    if (file == "CHANGES") continue;  // Then nothing is told of the past: ChangeFeed.*.
    DirectorySnapshot damaged = sample.files;
    damaged.erase(file);
    if (file.starts_with("empty.") && file.ends_with(".rows")) continue;  // Holds nothing.
    EXPECT_TRUE(check(sample, damaged, file, concat(file, " missing")))
        << file << " went unnoticed";
  }
}

TEST_F(Damage, TheLOCKFileMayBeMissingOrRubbish) {
  for (const Durability durability : {Durability::kProcess, Durability::kPower}) {
    std::filesystem::remove_all(path());
    const Sample sample = killed(durability);
    DirectorySnapshot damaged = sample.files;
    damaged.erase("LOCK");
    EXPECT_FALSE(check(sample, damaged, "LOCK", "LOCK missing"));
    damaged["LOCK"] = "";
    EXPECT_FALSE(check(sample, damaged, "LOCK", "LOCK emptied"));
    damaged["LOCK"] = std::string(4'096, '\xff');
    EXPECT_FALSE(check(sample, damaged, "LOCK", "LOCK filled with 0xff"));
    damaged["LOCK"] = std::string(100'000, 'x');
    EXPECT_FALSE(check(sample, damaged, "LOCK", "LOCK replaced by text"));
  }
}

TEST_F(Damage, AnyFlippedBitOfSTOREIsAnErrorOrMakesNoDifference) {
  flip_bits(folded(), "STORE", 400);
}

TEST_F(Damage, AnyFlippedBitOfSTOREBesideALogIsAnErrorOrMakesNoDifference) {
  flip_bits(killed(Durability::kProcess), "STORE", 400);
}

TEST_F(Damage, AnyFlippedBitOfASidecarIsAnErrorOrMakesNoDifference) {
  flip_bits(folded(), ".meta", 1'000);
}

TEST_F(Damage, AnyFlippedBitOfABitmapIsAnErrorOrMakesNoDifference) {
  flip_bits(folded(), ".deleted.", 400);
}

TEST_F(Damage, AnyFlippedBitOfTheLogIsAnErrorOrMakesNoDifference) {
  flip_bits(killed(Durability::kProcess), "log.", 400);
}

TEST_F(Damage, AnyFlippedBitOfASyncedLogIsAnErrorOrMakesNoDifference) {
  flip_bits(killed(Durability::kPower), "log.", 400);
}

TEST_F(Damage, AfterARestartOfTheMachineALogFlipLeavesAStateOfTheHistoryOrAnError) {
  // Without the page in LOCK the log's end is where its chain breaks: a flipped bit then looks like
  // a torn tail, but what comes out is one of the states that were once committed.
  for (const Durability durability : {Durability::kProcess, Durability::kPower}) {
    std::filesystem::remove_all(path());
    Sample sample = killed(durability);
    sample.files.erase("LOCK");
    flip_bits(sample, "log.", 300, /*any_state=*/true);
  }
}

}  // namespace
}  // namespace npk::testing
