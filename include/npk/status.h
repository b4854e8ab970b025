// Status and Result: how every npk call reports failure.
//
// A Status is one pointer wide; null means OK. An error carries a code, a message that says what
// was asked, what was found and what to do, and, where they apply, the path, the byte offset and
// the errno behind it. The library never prints, exits or throws (std::bad_alloc aside).
//
// Thread safety: values; distinct objects may be used from distinct threads.
#ifndef NPK_STATUS_H_
#define NPK_STATUS_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace npk {

/// Error codes. The numbers are shared with the C API and never change.
enum class StatusCode : int32_t {
  kOk = 0,
  kInvalidArgument = 1,     ///< The arguments can never be right (type, shape, name, option).
  kNotFound = 2,            ///< No such store, array or file.
  kAlreadyExists = 3,       ///< The target exists and was not to be replaced.
  kOutOfRange = 4,          ///< A row number lies outside the array.
  kFailedPrecondition = 5,  ///< Not in this state: read-only handle, not a store, handle poisoned.
  kCorruption = 6,          ///< Bytes on disk are not what a store may hold.
  kIoError = 7,             ///< The operating system refused; see error_number().
  kResourceExhausted = 8,   ///< Disk, quota, memory or descriptors used up.
  kUnsupported = 9,         ///< Written by a newer version, or not offered for this type.
  kBusy = 10,               ///< Another process holds the writer lock.
  kInternal = 11,           ///< A bug in npk; please report.
};

/// "InvalidArgument", "NotFound", …
std::string_view status_code_name(StatusCode code) noexcept;

class [[nodiscard]] Status {
 public:
  Status() noexcept = default;
  Status(StatusCode code, std::string message);
  Status(const Status& other);
  Status& operator=(const Status& other);
  Status(Status&&) noexcept = default;
  Status& operator=(Status&&) noexcept = default;
  ~Status() = default;

  static Status ok() noexcept { return {}; }
  static Status invalid_argument(std::string message);
  static Status not_found(std::string message);
  static Status already_exists(std::string message);
  static Status out_of_range(std::string message);
  static Status failed_precondition(std::string message);
  static Status corruption(std::string message);
  static Status io_error(std::string message);
  static Status resource_exhausted(std::string message);
  static Status unsupported(std::string message);
  static Status busy(std::string message);
  static Status internal(std::string message);

  /// Adds what is known of the place; no effect on OK. The innermost caller wins: a path, offset or
  /// errno that is already set stays.
  Status&& with_path(std::string_view path) &&;
  Status&& with_offset(uint64_t offset_bytes) &&;
  Status&& with_errno(int error_number) &&;
  /// Puts "context: " before the message.
  Status&& with_context(std::string_view context) &&;

  [[nodiscard]] bool is_ok() const noexcept { return rep_ == nullptr; }
  [[nodiscard]] explicit operator bool() const noexcept { return is_ok(); }
  [[nodiscard]] StatusCode code() const noexcept;
  [[nodiscard]] const std::string& message() const noexcept;
  /// The file or store concerned; empty if none.
  [[nodiscard]] const std::string& path() const noexcept;
  /// The byte in path() where the trouble begins.
  [[nodiscard]] std::optional<uint64_t> offset_bytes() const noexcept;
  /// errno of the failed call, 0 if there was none.
  [[nodiscard]] int error_number() const noexcept;
  /// "Corruption: log record fails its checksum [store.npk/log.0 at byte 4096]"
  [[nodiscard]] std::string to_string() const;

  /// Says on purpose that a failure here changes nothing.
  void ignore() const noexcept {}

 private:
  struct Rep;
  struct RepDelete {
    void operator()(Rep* rep) const noexcept;
  };
  std::unique_ptr<Rep, RepDelete> rep_;
};

/// A value or the Status that says why there is none.
template <typename T>
class [[nodiscard]] Result {
  static_assert(!std::is_same_v<std::decay_t<T>, Status>, "use Status");

 public:
  using value_type = T;

  Result(Status status) : status_(std::move(status)) {  // NOLINT(google-explicit-constructor)
    if (status_.is_ok()) status_ = Status::internal("Result made from an OK status");
  }
  template <typename U = T>
  requires(std::is_constructible_v<T, U&&> && !std::is_same_v<std::decay_t<U>, Result> &&
           !std::is_same_v<std::decay_t<U>, Status>) Result(U&& value)
      : value_(std::forward<U>(value)) {}  // NOLINT(google-explicit-constructor)

  [[nodiscard]] bool is_ok() const noexcept { return value_.has_value(); }
  [[nodiscard]] explicit operator bool() const noexcept { return is_ok(); }
  [[nodiscard]] const Status& status() const& noexcept { return status_; }
  [[nodiscard]] Status status() && noexcept { return std::move(status_); }

  /// Requires: is_ok(). Anything else stops the program: the error was not looked at.
  [[nodiscard]] T& operator*() & { return get(); }
  [[nodiscard]] const T& operator*() const& { return const_cast<Result*>(this)->get(); }
  /// By value, so that `for (auto& x : *store.stream_load(…))` keeps what it walks over alive.
  [[nodiscard]] T operator*() && { return std::move(get()); }
  [[nodiscard]] T* operator->() { return &get(); }
  [[nodiscard]] const T* operator->() const { return &const_cast<Result*>(this)->get(); }
  [[nodiscard]] T value_or(T other) && { return is_ok() ? std::move(*value_) : std::move(other); }

 private:
  T& get() {
    if (!value_.has_value()) __builtin_trap();
    return *value_;
  }
  Status status_;
  std::optional<T> value_;
};

}  // namespace npk

/// Returns from the enclosing function if `expression` is an error.
#define NPK_RETURN_IF_ERROR(expression)       \
  do {                                        \
    ::npk::Status npk_status_ = (expression); \
    if (!npk_status_.is_ok()) [[unlikely]]    \
      return npk_status_;                     \
  } while (false)

#define NPK_CONCAT_INNER_(a, b) a##b
#define NPK_CONCAT_(a, b) NPK_CONCAT_INNER_(a, b)

/// NPK_ASSIGN_OR_RETURN(auto file, env.open(path)): the value, or return its error.
#define NPK_ASSIGN_OR_RETURN(declaration, expression) \
  NPK_ASSIGN_OR_RETURN_(NPK_CONCAT_(npk_result_, __LINE__), declaration, expression)
#define NPK_ASSIGN_OR_RETURN_(result, declaration, expression) \
  auto result = (expression);                                  \
  if (!result.is_ok()) [[unlikely]]                            \
    return std::move(result).status();                         \
  declaration = *std::move(result)

#endif  // NPK_STATUS_H_
