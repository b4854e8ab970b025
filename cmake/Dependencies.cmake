# npk_dependencies: the libraries behind npk, all from the distribution.
# All HWY_ macros belong on npk_hwy and nowhere else: mixed macros break Highway's dispatch.
find_package(Threads REQUIRED)
find_package(nlohmann_json 3.11 REQUIRED)
find_package(TBB REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(NPK_HWY REQUIRED IMPORTED_TARGET libhwy>=1.0.3)
pkg_check_modules(NPK_URING REQUIRED IMPORTED_TARGET liburing>=2.2)

add_library(npk_hwy INTERFACE)
target_link_libraries(npk_hwy INTERFACE PkgConfig::NPK_HWY)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)")
  # Our kernels take SVE vectors of any length; the targets for one length would be the same again.
  target_compile_definitions(npk_hwy INTERFACE "HWY_DISABLED_TARGETS=(HWY_SVE_256|HWY_SVE2_128)")
else()
  # Nobody has a processor that ends at SSSE3 any more (2007); SCALAR serves it.
  target_compile_definitions(npk_hwy INTERFACE "HWY_DISABLED_TARGETS=HWY_SSSE3")
endif()

add_library(npk_dependencies INTERFACE)
target_link_libraries(npk_dependencies INTERFACE npk_hwy TBB::tbb PkgConfig::NPK_URING
                      nlohmann_json::nlohmann_json Threads::Threads)
