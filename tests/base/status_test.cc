#include "npk/status.h"

#include <cerrno>
#include <memory>
#include <set>
#include <vector>

#include "tests/support/support.h"

namespace npk {
namespace {

Status fail_if(bool wanted) { return wanted ? Status::busy("the lock is held") : Status::ok(); }

Result<int> half_of(int number) {
  if (number % 2 != 0) return Status::invalid_argument("an odd number was given");
  return number / 2;
}

Status quarter(int number, int& out) {
  NPK_ASSIGN_OR_RETURN(const int half, half_of(number));
  NPK_ASSIGN_OR_RETURN(out, half_of(half));
  NPK_RETURN_IF_ERROR(fail_if(out == 13));
  return {};
}

TEST(Status, OkIsEmptyAndCarriesNothing) {
  const Status status;
  EXPECT_TRUE(status.is_ok());
  EXPECT_TRUE(static_cast<bool>(status));
  EXPECT_EQ(status.code(), StatusCode::kOk);
  EXPECT_EQ(status.message(), "");
  EXPECT_EQ(status.path(), "");
  EXPECT_EQ(status.offset_bytes(), std::nullopt);
  EXPECT_EQ(status.error_number(), 0);
  EXPECT_EQ(status.to_string(), "Ok");
  EXPECT_EQ(sizeof(Status), sizeof(void*));
}

TEST(Status, AnErrorMadeWithTheOkCodeIsOk) {
  EXPECT_TRUE(Status(StatusCode::kOk, "ignored").is_ok());
}

TEST(Status, EveryFactoryGivesItsCodeAndEveryCodeItsOwnName) {
  const std::vector<std::pair<Status, std::string>> all = {
      {Status::invalid_argument("m"), "InvalidArgument"},
      {Status::not_found("m"), "NotFound"},
      {Status::already_exists("m"), "AlreadyExists"},
      {Status::out_of_range("m"), "OutOfRange"},
      {Status::failed_precondition("m"), "FailedPrecondition"},
      {Status::corruption("m"), "Corruption"},
      {Status::io_error("m"), "IoError"},
      {Status::resource_exhausted("m"), "ResourceExhausted"},
      {Status::unsupported("m"), "Unsupported"},
      {Status::busy("m"), "Busy"},
      {Status::internal("m"), "Internal"}};
  std::set<StatusCode> codes;
  int32_t number = 1;  // The numbers are shared with the C API: the order above is frozen.
  for (const auto& [status, name] : all) {
    EXPECT_FALSE(status.is_ok());
    EXPECT_EQ(static_cast<int32_t>(status.code()), number++);
    EXPECT_EQ(status_code_name(status.code()), name);
    EXPECT_EQ(status.to_string(), name + ": m");
    codes.insert(status.code());
  }
  EXPECT_EQ(codes.size(), all.size());
  EXPECT_EQ(status_code_name(static_cast<StatusCode>(99)), "Unknown");
  EXPECT_EQ(status_code_name(static_cast<StatusCode>(-1)), "Unknown");
}

TEST(Status, TextNamesErrnoPathAndOffset) {
  const Status status =
      Status::io_error("cannot write 5 bytes").with_errno(ENOSPC).with_path("s/x").with_offset(7);
  EXPECT_EQ(status.to_string(),
            "IoError: cannot write 5 bytes (No space left on device) [s/x at byte 7]");
  EXPECT_EQ(status.error_number(), ENOSPC);
  EXPECT_EQ(status.path(), "s/x");
  EXPECT_EQ(status.offset_bytes(), 7u);
}

TEST(Status, TheInnermostPlaceWinsAndContextGoesInFront) {
  const Status status = Status::corruption("bad checksum")
                            .with_path("inner")
                            .with_path("outer")
                            .with_offset(0)
                            .with_offset(9)
                            .with_errno(EIO)
                            .with_errno(EPERM)
                            .with_context("sidecar")
                            .with_context("open");
  EXPECT_EQ(status.path(), "inner");
  EXPECT_EQ(status.offset_bytes(), 0u);
  EXPECT_EQ(status.error_number(), EIO);
  EXPECT_EQ(status.message(), "open: sidecar: bad checksum");
}

TEST(Status, DecoratingOkLeavesItOk) {
  EXPECT_TRUE(Status().with_path("p").with_offset(1).with_errno(EIO).with_context("c").is_ok());
}

TEST(Status, CopiesAreIndependentAndSelfAssignmentIsHarmless) {
  Status first = Status::busy("held").with_path("p");
  Status copy = first;
  first = Status::ok();
  EXPECT_EQ(copy.to_string(), "Busy: held [p]");
  const Status& alias = copy;
  copy = alias;
  EXPECT_EQ(copy.to_string(), "Busy: held [p]");
  Status target = Status::internal("old");
  target = copy;
  EXPECT_EQ(target.to_string(), copy.to_string());
  target = Status();
  EXPECT_TRUE(target.is_ok());
}

TEST(Result, HoldsAValueOrAnError) {
  const Result<int> value = half_of(8);
  ASSERT_TRUE(value.is_ok());
  EXPECT_EQ(*value, 4);
  EXPECT_TRUE(value.status().is_ok());
  const Result<int> error = half_of(7);
  EXPECT_FALSE(error.is_ok());
  EXPECT_EQ(error.status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(half_of(7).value_or(-1), -1);
  EXPECT_EQ(half_of(6).value_or(-1), 3);
}

TEST(Result, MadeFromAnOkStatusIsAnError) {
  const Result<int> result = Status::ok();
  EXPECT_FALSE(result.is_ok());
  EXPECT_EQ(result.status().code(), StatusCode::kInternal);
}

TEST(Result, HoldsWhatCanOnlyBeMoved) {
  Result<std::unique_ptr<int>> result = std::make_unique<int>(5);
  ASSERT_TRUE(result.is_ok());
  const std::unique_ptr<int> taken = *std::move(result);
  EXPECT_EQ(*taken, 5);
}

TEST(ResultDeathTest, LookingAtTheValueOfAnErrorStopsTheProgram) {
  EXPECT_DEATH(
      {
        Result<int> result = half_of(7);
        *result = 1;
      },
      "");
}

TEST(StatusMacros, ReturnTheFirstErrorAndTheValueOtherwise) {
  int out = 0;
  NPK_EXPECT_OK(quarter(16, out));
  EXPECT_EQ(out, 4);
  NPK_EXPECT_ERROR(quarter(7, out), kInvalidArgument, "odd");
  NPK_EXPECT_ERROR(quarter(6, out), kInvalidArgument, "odd");
  NPK_EXPECT_ERROR(quarter(52, out), kBusy, "lock");
}

}  // namespace
}  // namespace npk
