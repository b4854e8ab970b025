// Log records whose checksums are right and that cannot follow what was committed before.
#include "core/store/committed.h"

#include "core/store/codec.h"
#include "core/store/roaring_format.h"
#include "core/store/sidecar.h"
#include "io/sim_env.h"
#include "tests/support/support.h"

namespace npk::internal {
namespace {

class RecordsThatCannotFollow : public ::testing::Test {
 protected:
  void SetUp() override {
    NPK_ASSERT_OK_AND_ASSIGN(auto log, env_.open("/log.0", io::OpenMode::kCreateNew));
    committed_.log = std::move(log);
    state_.name = state_.stem = std::string("a");
    state_.row_shape = {3};
    state_.generation = 4;
    NPK_ASSERT_OK(add(create(1)));
    Record append = record(RecordType::kAppend, 2);
    append.arg1 = 5;
    NPK_ASSERT_OK(add(append));
    ASSERT_EQ(array().rows, 5u);
  }

  static Record record(RecordType type, uint64_t number, std::string_view payload = {}) {
    Record record;
    record.type = type;
    record.flags = kFlagLast;
    record.number = number;
    record.commit = number;
    record.array = 1;
    record.generation = 4;
    record.offset_bytes = 777;
    record.payload.assign(as_bytes(payload).begin(), as_bytes(payload).end());
    return record;
  }

  /// With state_ as descriptor.
  Record create(uint64_t number) {
    state_.id = number;
    Record record =
        RecordsThatCannotFollow::record(RecordType::kCreate, number, encode_descriptor(state_));
    record.array = number;
    return record;
  }

  /// Of array 1, which goes on as `next` says.
  static Record swap(const ArrayState& next) {
    Record record =
        RecordsThatCannotFollow::record(RecordType::kSwapGeneration, 3, encode_descriptor(next));
    record.generation = next.generation;
    return record;
  }

  Status add(const Record& record) { return fold(directory_, nullptr, {&record, 1}, committed_); }
  [[nodiscard]] const ArrayState& array() const { return *committed_.catalog.at("a"); }

  void expect_refused(const Record& record, StatusCode code, std::string_view what) {
    const Status status = add(record);
    EXPECT_EQ(status.code(), code) << status.to_string();
    EXPECT_THAT(status.to_string(), ::testing::HasSubstr(std::string(what)));
    EXPECT_EQ(array().rows, 5u);
    EXPECT_EQ(array().last_record, 2u);
  }

  io::SimEnv env_{io::SimDisk::make(1)};
  Directory directory_{&env_, "/s.npk", false};
  ArrayState state_;
  Committed committed_;
};

TEST_F(RecordsThatCannotFollow, AppendsBehindAGapOrOverRows) {
  for (const uint64_t first : {0u, 4u, 6u}) {
    for (const RecordType type : {RecordType::kAppend, RecordType::kAppendRef}) {
      Record append = record(type, 3);
      append.arg0 = first;
      append.arg1 = 1;
      expect_refused(append, StatusCode::kCorruption, "do not follow the last");
    }
  }
}

TEST_F(RecordsThatCannotFollow, DeletesOfRowsThatAreNotThere) {
  Record remove = record(RecordType::kDelete, 3, "no bitmap");
  expect_refused(remove, StatusCode::kCorruption, "log record 3");
  remove.payload = encode_roaring_range(3, 6);
  expect_refused(remove, StatusCode::kCorruption, "log record 3");
}

TEST_F(RecordsThatCannotFollow, DescriptorsAndAttributesThatAreNone) {
  for (const char* text : {"", "{", "[]", "{}"}) {
    expect_refused(record(RecordType::kSwapGeneration, 3, text), StatusCode::kCorruption,
                   "sidecar");
    expect_refused(record(RecordType::kCreate, 3, text), StatusCode::kCorruption, "sidecar");
  }
  expect_refused(record(RecordType::kAttributes, 3, "[1]"), StatusCode::kCorruption, "object");
  expect_refused(record(RecordType::kAttributes, 3, std::string(99, '[')), StatusCode::kCorruption,
                 "nested deeper");
}

TEST_F(RecordsThatCannotFollow, AnArrayThatExistsIsCreatedOnce) {
  expect_refused(create(3), StatusCode::kCorruption, "creates an array that exists");
  NPK_EXPECT_OK(add(create(1)));
  EXPECT_EQ(array().last_record, 2u) << "a record that was folded before changes nothing";
}

TEST_F(RecordsThatCannotFollow, CreatesThatDescribeAnotherArrayOrRows) {
  const Record right = create(3);
  Record wrong = right;
  wrong.array = 1;
  expect_refused(wrong, StatusCode::kCorruption, "describes another array");
  wrong = right;
  wrong.number = 4;
  expect_refused(wrong, StatusCode::kCorruption, "describes another array");
  wrong = right;
  wrong.generation++;
  expect_refused(wrong, StatusCode::kCorruption, "describes another array or generation");
  state_.rows = 2;
  expect_refused(create(3), StatusCode::kCorruption, "begins with rows");
}

TEST_F(RecordsThatCannotFollow, GenerationsOfAnotherArrayOrNotLater) {
  ArrayState next = array();
  next.rows = 0;
  next.generation = 4;
  expect_refused(swap(next), StatusCode::kCorruption, "no later generation");
  next.generation = 5;
  next.id = 2;
  expect_refused(swap(next), StatusCode::kCorruption, "describes another array");
  next.id = 1;
  next.name = next.stem = std::string("b");
  expect_refused(swap(next), StatusCode::kCorruption, "makes array 'a' another one, 'b'");
  next.name = next.stem = std::string("a");
  next.dtype = DType::kInt8;
  NPK_EXPECT_OK(add(swap(next)));
  EXPECT_EQ(array().rows, 0u);
  EXPECT_EQ(array().dtype, DType::kInt8);
}

TEST_F(RecordsThatCannotFollow, SumsOfAnArrayWithoutChecksums) {
  expect_refused(record(RecordType::kSums, 3), StatusCode::kCorruption, "without them");
}

TEST_F(RecordsThatCannotFollow, SumsThatLeaveRowsOut) {
  state_.sums = std::make_shared<RowSums>();
  state_.name = state_.stem = std::string("b");
  NPK_ASSERT_OK(add(create(3)));
  Record append = record(RecordType::kAppend, 4);
  append.array = 3;
  append.arg1 = 5;
  NPK_ASSERT_OK(add(append));
  Record sums = record(RecordType::kSums, 5);
  sums.array = 3;
  expect_refused(sums, StatusCode::kCorruption, "do not reach the last row");
}

TEST_F(RecordsThatCannotFollow, TypesThatAreNotKnown) {
  expect_refused(record(static_cast<RecordType>(99), 3), StatusCode::kUnsupported, "type 99");
}

TEST_F(RecordsThatCannotFollow, RecordsOfAnUnknownArrayAreRememberedUntilItsDrop) {
  Record touch = record(RecordType::kTouch, 3);
  touch.array = 2;
  NPK_ASSERT_OK(add(touch));
  EXPECT_TRUE(committed_.unknown.contains(2));
  Record drop = record(RecordType::kDrop, 4);
  drop.array = 2;
  NPK_ASSERT_OK(add(drop));
  EXPECT_TRUE(committed_.unknown.empty());
}

}  // namespace
}  // namespace npk::internal
