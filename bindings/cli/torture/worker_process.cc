#include "bindings/cli/torture/worker_process.h"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

#include <spawn.h>

namespace npk::testing {
namespace {

Status cannot_start(int error_number) {
  return Status::io_error("cannot start a worker process").with_errno(error_number);
}

void close_if_open(int& fd) {
  if (fd >= 0) ::close(fd);
  fd = -1;
}

}  // namespace

Result<WorkerProcess> WorkerProcess::start(const Arguments& arguments) {
  int input[2];
  int output[2];
  if (::pipe2(input, O_CLOEXEC) != 0) return cannot_start(errno);
  if (::pipe2(output, O_CLOEXEC) != 0) {
    const int error_number = errno;
    ::close(input[0]);
    ::close(input[1]);
    return cannot_start(error_number);
  }
  std::string program = "/proc/self/exe";
  std::string flag(kWorkerFlag);
  std::vector<std::string> copies = arguments;
  std::vector<char*> argv = {program.data(), flag.data()};
  for (std::string& argument : copies) argv.push_back(argument.data());
  argv.push_back(nullptr);

  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, input[0], STDIN_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, output[1], STDOUT_FILENO);
  pid_t pid = -1;
  const int error_number =
      ::posix_spawn(&pid, program.c_str(), &actions, nullptr, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(input[0]);
  ::close(output[1]);
  WorkerProcess worker(error_number == 0 ? pid : -1, input[1], output[0]);
  if (error_number != 0) return cannot_start(error_number);
  return worker;
}

WorkerProcess::WorkerProcess(WorkerProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      input_(std::exchange(other.input_, -1)),
      output_(std::exchange(other.output_, -1)) {}

WorkerProcess& WorkerProcess::operator=(WorkerProcess&& other) noexcept {
  std::swap(pid_, other.pid_);
  std::swap(input_, other.input_);
  std::swap(output_, other.output_);
  return *this;
}

WorkerProcess::~WorkerProcess() {
  close_if_open(input_);
  close_if_open(output_);
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    wait_for(pid_);
  }
}

bool WorkerProcess::send(std::string_view bytes) const {
  const auto previous = std::signal(SIGPIPE, SIG_IGN);
  ssize_t done = 1;
  while (!bytes.empty() && done > 0) {
    done = ::write(input_, bytes.data(), bytes.size());
    if (done > 0) bytes.remove_prefix(static_cast<size_t>(done));
  }
  std::signal(SIGPIPE, previous);
  return bytes.empty();
}

std::string WorkerProcess::receive(size_t count) const {
  std::string bytes(count, '\0');
  size_t have = 0;
  while (have < count) {
    const ssize_t got = ::read(output_, &bytes[have], count - have);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    have += static_cast<size_t>(got);
  }
  bytes.resize(have);
  return bytes;
}

std::string WorkerProcess::receive_all() const {
  std::string bytes;
  while (true) {
    const std::string more = receive(4'096);
    bytes += more;
    if (more.size() < 4'096) return bytes;
  }
}

void WorkerProcess::kill() const { ::kill(pid_, SIGKILL); }

int WorkerProcess::wait() { return wait_for(std::exchange(pid_, -1)); }

void write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t done = ::write(fd, bytes.data(), bytes.size());
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) std::_Exit(2);  // The parent has gone.
    bytes.remove_prefix(static_cast<size_t>(done));
  }
}

int wait_for(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) std::abort();  // No child of ours.
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace npk::testing
