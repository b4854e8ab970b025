# npk_precompile_headers(TARGET [HEADER]...): the headers that most of our files include, and these,
# are read once for all sources of the target. To read them takes more than half of the time that a
# file of the store or of the command takes to compile. Every file still includes what it uses:
# CMAKE_DISABLE_PRECOMPILE_HEADERS=ON (preset clang) builds without.
set(NPK_STANDARD_HEADERS <algorithm> <array> <atomic> <bit> <complex> <concepts> <cstring>
    <functional> <map> <memory> <mutex> <optional> <shared_mutex> <span> <string> <unordered_map>
    <utility> <variant> <vector>)

function(npk_precompile_headers target)
  target_precompile_headers(${target} PRIVATE ${NPK_STANDARD_HEADERS} ${ARGN})
endfunction()
