// Files whose checksums are right and whose content is not: sidecars and bitmaps that lie.
#include "bindings/cli/torture/random_values.h"
#include "simd/crc32c.h"
#include "tests/support/child_process.h"
#include "tests/support/directory_snapshot.h"
#include "tests/support/sidecar_editor.h"
#include "tests/support/store_fixture.h"

namespace npk::testing {
namespace {

class LyingFiles : public StoreTest {
 protected:
  LyingFiles() : StoreTest(TempDir::Place::kMemory) {}

  void SetUp() override {
    ParallelIO store = open();
    NPK_ASSERT_OK(store.save_arrays({{"a", ints(iota(1'000), {500, 2})}}, {Checksums::kBlock}));
    NPK_ASSERT_OK(store.set_attributes("a", R"({"k":1})"));
    NPK_ASSERT_OK(store.drop_arrays("a", Rows::range(0, 500, 7)));
    NPK_ASSERT_OK(store.close());
    files_ = snapshot(path());
    sidecar_ = files_ending_in(files_, ".meta").at(0);
    bitmap_ = files_containing(files_, ".deleted.").at(0);
  }

  /// Opens and reads everything; nothing may crash, and an error must name the file.
  Status open_and_read() {
    NPK_ASSIGN_OR_RETURN(ParallelIO store, ParallelIO::open(path()));
    NPK_ASSIGN_OR_RETURN(const auto all, store.list_arrays());
    for (const std::string& name : all) {
      NPK_ASSIGN_OR_RETURN(const Array rows, store.load_array(name));
      NPK_RETURN_IF_ERROR(store.read_rows(name, Rows::range(0, 5)).status());
    }
    return {};
  }

  DirectorySnapshot files_;
  std::string sidecar_;
  std::string bitmap_;
};

TEST_F(LyingFiles, ASealedSidecarOfTheSameContentIsTaken) {
  write_file(path() + "/" + sidecar_, seal_sidecar(Json::parse(files_[sidecar_])));
  EXPECT_EQ(read_file(path() + "/" + sidecar_), files_[sidecar_]);
  NPK_EXPECT_OK(open_and_read());
}

TEST_F(LyingFiles, SidecarMembersOfTheWrongKindAreErrors) {
  const Json good = Json::parse(files_[sidecar_]);
  const std::vector<Json> values = {nullptr,
                                    true,
                                    -1,
                                    0.5,
                                    "x",
                                    "../../up",
                                    Json::array(),
                                    Json::object(),
                                    UINT64_MAX,
                                    INT64_MIN,
                                    Json::array({-1, 2}),
                                    Json::array({UINT64_MAX, 2}),
                                    Json::array({uint64_t{1} << 40, uint64_t{1} << 40}),
                                    Json::array({"5", 2}),
                                    Json::array({500.5, 2})};
  for (const auto& member : good.items()) {
    if (member.key() == "crc32c") continue;
    for (const Json& value : values) {
      Json lie = good;
      lie[member.key()] = value;
      restore(files_, path());
      write_file(path() + "/" + sidecar_, seal_sidecar(lie));
      const auto before = snapshot(path());
      const Status status = open_and_read();
      const bool may_pass = member.key().ends_with("_us") || member.key() == "attributes" ||
                            member.key() == "id" || member.key() == "last_record" ||
                            (member.key() == "generation" && value == Json(UINT64_MAX));
      if (may_pass && status.is_ok()) continue;
      EXPECT_FALSE(status.is_ok()) << member.key() << " = " << value;
      EXPECT_TRUE(status.code() == StatusCode::kCorruption ||
                  status.code() == StatusCode::kUnsupported)
          << member.key() << " = " << value << ": " << status.to_string();
      EXPECT_THAT(status.path(), ::testing::HasSubstr(path())) << status.to_string();
      EXPECT_EQ(snapshot_difference(before, snapshot(path()), "LOCK"), "")
          << member.key() << " = " << value;
    }
    Json without = good;
    without.erase(member.key());
    restore(files_, path());
    write_file(path() + "/" + sidecar_, seal_sidecar(without));
    EXPECT_FALSE(open_and_read().is_ok()) << member.key() << " missing";
  }
}

TEST_F(LyingFiles, SidecarsThatClaimMoreRowsThanTheirFilesHoldAreErrors) {
  for (const uint64_t rows : {uint64_t{501}, uint64_t{1'000'000}, uint64_t{1} << 50}) {
    Json lie = Json::parse(files_[sidecar_]);
    lie["shape"][0] = rows;
    restore(files_, path());
    write_file(path() + "/" + sidecar_, seal_sidecar(lie));
    const Status status = open_and_read();
    EXPECT_EQ(status.code(), StatusCode::kCorruption) << rows << ": " << status.to_string();
  }
}

TEST_F(LyingFiles, SidecarsOfANewerFormatAreUnsupported) {
  Json lie = Json::parse(files_[sidecar_]);
  lie["npk_array"] = 2;
  write_file(path() + "/" + sidecar_, seal_sidecar(lie));
  NPK_EXPECT_ERROR(open_and_read(), kUnsupported, sidecar_);
}

TEST_F(LyingFiles, TwoSidecarsOfOneArrayAreAnError) {
  write_file(path() + "/copy.meta", files_[sidecar_]);
  NPK_EXPECT_ERROR(open_and_read(), kCorruption, ".meta");
}

/// The bitmap file with this body and the right checksum.
std::string sealed_bitmap(const std::string& body) {
  const uint32_t checksum = simd::crc32c(std::as_bytes(std::span(body)));
  return body + std::string(bytes_of(checksum));
}

TEST_F(LyingFiles, BitmapsThatAreNoBitmapsAreErrors) {
  Random random(test_seed());
  const std::string body = files_[bitmap_].substr(0, files_[bitmap_].size() - 4);
  ASSERT_EQ(sealed_bitmap(body), files_[bitmap_]);
  std::vector<std::string> lies = {"", std::string(8, '\0'), std::string(8, '\xff'),
                                   std::string(1'000, '\xff'), body + "x"};
  for (size_t size = 0; size < body.size(); ++size) lies.push_back(body.substr(0, size));
  for (int i = 0; i < 2'000; ++i) {
    std::string lie = body;
    for (uint64_t flips = 1 + random.below(3); flips > 0; --flips) {
      lie[random.below(lie.size())] = static_cast<char>(random.below(256));
    }
    lies.push_back(lie);
  }
  for (const std::string& lie : lies) {
    if (lie == body) continue;
    write_file(path() + "/" + bitmap_, sealed_bitmap(lie));
    StoreOptions options;
    options.read_only = true;
    auto store = ParallelIO::open(path(), options);
    if (!store.is_ok()) {
      EXPECT_EQ(store.status().code(), StatusCode::kCorruption) << store.status().to_string();
      EXPECT_THAT(store.status().path(), ::testing::HasSubstr(bitmap_));
      continue;
    }
    // Another set of as many rows, all inside the array: nothing can tell. It must be consistent.
    EXPECT_EQ(shape(*store, "a")[0], 500u - 72u);
    EXPECT_EQ(load(*store, "a").size(), (500u - 72u) * 2);
  }
}

}  // namespace
}  // namespace npk::testing
