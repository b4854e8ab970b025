// Runs a part of a test in a process of its own: as another user, under other limits, or to be
// killed.
#ifndef NPK_TESTS_IO_CHILD_PROCESS_H_
#define NPK_TESTS_IO_CHILD_PROCESS_H_

#include <csignal>
#include <cstdlib>
#include <string>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

namespace npk::io {

/// A child that runs `body`, hands over what it returned, and then waits to be killed.
class WaitingChild {
 public:
  /// Returns when the body has run, or when the child died in it.
  template <typename Body>
  explicit WaitingChild(const Body& body) {
    int ends[2];
    if (::pipe(ends) != 0) std::abort();
    pid_ = ::fork();
    if (pid_ < 0) std::abort();
    if (pid_ == 0) {
      ::close(ends[0]);
      std::string message = body();
      message += '\0';
      const ssize_t written = ::write(ends[1], message.data(), message.size());
      ::close(ends[1]);
      if (written == static_cast<ssize_t>(message.size())) ::pause();
      ::_exit(1);
    }
    ::close(ends[1]);
    char buffer[512];
    for (ssize_t count = 0; (count = ::read(ends[0], buffer, sizeof(buffer))) > 0;) {
      message_.append(buffer, static_cast<size_t>(count));
    }
    ::close(ends[0]);
    // The NUL says that the body came to its end.
    if (message_.empty() || message_.back() != '\0') {
      message_ += "(the child died)";
    } else {
      message_.pop_back();
    }
  }
  ~WaitingChild() { kill(); }
  WaitingChild(const WaitingChild&) = delete;
  WaitingChild& operator=(const WaitingChild&) = delete;

  [[nodiscard]] const std::string& message() const { return message_; }
  /// SIGKILL; returns when it is gone.
  void kill() {
    if (pid_ < 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

 private:
  pid_t pid_ = -1;
  std::string message_;
};

/// What `body` returned in a process of its own: "" for success, else what is wrong.
template <typename Body>
std::string in_child(const Body& body) {
  const WaitingChild child([&body] { return std::string(body()); });
  return child.message();
}

}  // namespace npk::io

#endif  // NPK_TESTS_IO_CHILD_PROCESS_H_
