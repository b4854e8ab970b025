# Installing: the command, both libraries, headers, find_package(npk), pkg-config, licence.
# tests/install builds a project outside the tree against the result, each way.
include(CMakePackageConfigHelpers)

set(NPK_CONFIG_DIR "${CMAKE_INSTALL_LIBDIR}/cmake/npk")

install(TARGETS npk_static npk_shared EXPORT npk
        ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT development
        LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT runtime
                NAMELINK_COMPONENT development
        RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}" COMPONENT runtime)
if(TARGET npk_cli)
  install(TARGETS npk_cli RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}" COMPONENT runtime)
endif()
install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/npk" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
        COMPONENT development FILES_MATCHING PATTERN "*.h")
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DOCDIR}"
        COMPONENT runtime)

# find_package(npk): the exported targets, and a config that finds what static linking needs.
install(EXPORT npk NAMESPACE npk:: FILE npk-targets.cmake DESTINATION "${NPK_CONFIG_DIR}"
        COMPONENT development)
configure_package_config_file(
  "${CMAKE_CURRENT_LIST_DIR}/npk-config.cmake.in" "${PROJECT_BINARY_DIR}/npk-config.cmake"
  INSTALL_DESTINATION "${NPK_CONFIG_DIR}")
# Before 1.0 a minor version may break its users.
write_basic_package_version_file("${PROJECT_BINARY_DIR}/npk-config-version.cmake"
                                 COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/npk-config.cmake"
              "${PROJECT_BINARY_DIR}/npk-config-version.cmake"
        DESTINATION "${NPK_CONFIG_DIR}" COMPONENT development)

# pkg-config: paths relative to the file itself, so that `cmake --install --prefix` may choose.
file(RELATIVE_PATH NPK_PC_PREFIX "/prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/prefix")
configure_file("${CMAKE_CURRENT_LIST_DIR}/npk.pc.in" "${PROJECT_BINARY_DIR}/npk.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/npk.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig"
        COMPONENT development)
