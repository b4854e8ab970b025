# npk_warnings: what our own code must compile without. npk_instrumentation: sanitizers, coverage.
add_library(npk_warnings INTERFACE)
target_compile_options(npk_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Werror -Wshadow -Wconversion -Wsign-conversion -Wnon-virtual-dtor
  -Wold-style-cast -Wcast-qual -Woverloaded-virtual -Wextra-semi)

add_library(npk_instrumentation INTERFACE)
if(NPK_SANITIZE)
  target_compile_options(npk_instrumentation INTERFACE
    -fsanitize=${NPK_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all
    # GCC 12 takes instrumented moves of std::variant for uses of what is not initialised.
    $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
  # vptr opens descriptors to look at memory, and calls objects bad where a test has used them up.
  target_compile_options(npk_instrumentation INTERFACE -fno-sanitize=vptr)
  target_link_options(npk_instrumentation INTERFACE -fsanitize=${NPK_SANITIZE})
endif()
if(NPK_SANITIZE MATCHES "thread")
  # Fences, which it does not follow, order what other processes see; threads have locks for that.
  target_compile_options(npk_instrumentation INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-tsan>)
endif()
if(NPK_COVERAGE)
  if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    message(FATAL_ERROR "NPK_COVERAGE needs Clang: scripts/coverage reads its source-based counts")
  endif()
  target_compile_options(npk_instrumentation INTERFACE -fprofile-instr-generate -fcoverage-mapping)
  target_link_options(npk_instrumentation INTERFACE -fprofile-instr-generate)
endif()
if(NPK_FUZZ)
  target_compile_options(npk_instrumentation INTERFACE -fsanitize=fuzzer-no-link)
endif()
