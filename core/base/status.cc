#include "npk/status.h"

#include <cstring>

#include "npk/internal/text.h"

namespace npk {

struct Status::Rep {
  StatusCode code;
  std::string message;
  std::string path;
  std::optional<uint64_t> offset_bytes;
  int error_number = 0;
};

namespace {

constexpr std::string_view kCodeNames[] = {"Ok",
                                           "InvalidArgument",
                                           "NotFound",
                                           "AlreadyExists",
                                           "OutOfRange",
                                           "FailedPrecondition",
                                           "Corruption",
                                           "IoError",
                                           "ResourceExhausted",
                                           "Unsupported",
                                           "Busy",
                                           "Internal"};

const std::string kEmpty;

}  // namespace

std::string_view status_code_name(StatusCode code) noexcept {
  const auto index = static_cast<size_t>(code);
  return index < std::size(kCodeNames) ? kCodeNames[index] : "Unknown";
}

void Status::RepDelete::operator()(Rep* rep) const noexcept { delete rep; }

Status::Status(StatusCode code, std::string message) {
  if (code != StatusCode::kOk) rep_.reset(new Rep{code, std::move(message), {}, {}, 0});
}
Status::Status(const Status& other) {
  if (other.rep_ != nullptr) rep_.reset(new Rep(*other.rep_));
}
Status& Status::operator=(const Status& other) {
  if (this != &other) rep_.reset(other.rep_ != nullptr ? new Rep(*other.rep_) : nullptr);
  return *this;
}

Status Status::invalid_argument(std::string message) {
  return {StatusCode::kInvalidArgument, std::move(message)};
}
Status Status::not_found(std::string message) {
  return {StatusCode::kNotFound, std::move(message)};
}
Status Status::already_exists(std::string message) {
  return {StatusCode::kAlreadyExists, std::move(message)};
}
Status Status::out_of_range(std::string message) {
  return {StatusCode::kOutOfRange, std::move(message)};
}
Status Status::failed_precondition(std::string message) {
  return {StatusCode::kFailedPrecondition, std::move(message)};
}
Status Status::corruption(std::string message) {
  return {StatusCode::kCorruption, std::move(message)};
}
Status Status::io_error(std::string message) { return {StatusCode::kIoError, std::move(message)}; }
Status Status::resource_exhausted(std::string message) {
  return {StatusCode::kResourceExhausted, std::move(message)};
}
Status Status::unsupported(std::string message) {
  return {StatusCode::kUnsupported, std::move(message)};
}
Status Status::busy(std::string message) { return {StatusCode::kBusy, std::move(message)}; }
Status Status::internal(std::string message) { return {StatusCode::kInternal, std::move(message)}; }

Status&& Status::with_path(std::string_view path) && {
  if (rep_ != nullptr && rep_->path.empty()) rep_->path = path;
  return std::move(*this);
}
Status&& Status::with_offset(uint64_t offset_bytes) && {
  if (rep_ != nullptr && !rep_->offset_bytes) rep_->offset_bytes = offset_bytes;
  return std::move(*this);
}
Status&& Status::with_errno(int error_number) && {
  if (rep_ != nullptr && rep_->error_number == 0) rep_->error_number = error_number;
  return std::move(*this);
}
Status&& Status::with_context(std::string_view context) && {
  if (rep_ != nullptr) rep_->message = internal::concat(context, ": ", rep_->message);
  return std::move(*this);
}

StatusCode Status::code() const noexcept { return rep_ == nullptr ? StatusCode::kOk : rep_->code; }
const std::string& Status::message() const noexcept {
  return rep_ == nullptr ? kEmpty : rep_->message;
}
const std::string& Status::path() const noexcept { return rep_ == nullptr ? kEmpty : rep_->path; }
std::optional<uint64_t> Status::offset_bytes() const noexcept {
  return rep_ == nullptr ? std::nullopt : rep_->offset_bytes;
}
int Status::error_number() const noexcept { return rep_ == nullptr ? 0 : rep_->error_number; }

std::string Status::to_string() const {
  if (is_ok()) return "Ok";
  std::string text = internal::concat(status_code_name(rep_->code), ": ", rep_->message);
  if (rep_->error_number != 0) {
    text += internal::concat(" (", std::strerror(rep_->error_number), ")");
  }
  if (!rep_->path.empty()) {
    text += internal::concat(" [", rep_->path);
    if (rep_->offset_bytes) text += internal::concat(" at byte ", *rep_->offset_bytes);
    text += ']';
  }
  return text;
}

}  // namespace npk
