# What `cmake --install` puts in place: the programs with their man pages, and the library for find_package(quorate), then link quorate::client, or for
# `pkg-config quorate`; then include <quorate/client.h>. Our own folders' names stay below include/quorate-devel, where they meet nobody else's.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(quorate_headers ${CMAKE_INSTALL_INCLUDEDIR}/quorate-devel)
set(quorate_package ${CMAKE_INSTALL_LIBDIR}/cmake/quorate)

install(TARGETS quorate RUNTIME)
install(TARGETS quorated RUNTIME)
# Their man pages are their help.
function(quorate_man_page program section)
  set(page ${CMAKE_CURRENT_BINARY_DIR}/${program}.${section})
  add_custom_command(OUTPUT ${page}
    COMMAND ${PROJECT_SOURCE_DIR}/cmake/man_page $<TARGET_FILE:${program}> ${section} ${PROJECT_VERSION} ${page}
    DEPENDS ${program} ${PROJECT_SOURCE_DIR}/cmake/man_page VERBATIM)
  add_custom_target(${program}_man ALL DEPENDS ${page})
  install(FILES ${page} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section})
endfunction()
quorate_man_page(quorate 1)
quorate_man_page(quorated 8)
# Where the shells look for what completes a program's commands.
function(quorate_completion shell folder name)
  set(script ${CMAKE_CURRENT_BINARY_DIR}/completion/${shell}/${name})
  file(MAKE_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/completion/${shell})
  add_custom_command(OUTPUT ${script}
    COMMAND ${CMAKE_COMMAND} -E env --unset=QUORATE_ENDPOINTS --unset=QUORATE_CREDENTIALS $<TARGET_FILE:quorate> completion ${shell} > ${script}
    DEPENDS quorate VERBATIM)
  add_custom_target(quorate_${shell}_completion ALL DEPENDS ${script})
  install(FILES ${script} DESTINATION ${CMAKE_INSTALL_DATADIR}/${folder})
endfunction()
quorate_completion(bash bash-completion/completions quorate)
quorate_completion(zsh zsh/site-functions _quorate)
file(GLOB public_headers CONFIGURE_DEPENDS quorate/*.h)
install(FILES ${public_headers} DESTINATION ${quorate_headers}/client/quorate)
foreach(path ${public_headers})
  get_filename_component(header ${path} NAME_WE)
  file(CONFIGURE OUTPUT forward/${header}.h CONTENT "#pragma once\n#include \"client/quorate/${header}.h\"\n" @ONLY)
  install(FILES ${CMAKE_CURRENT_BINARY_DIR}/forward/${header}.h DESTINATION ${quorate_headers}/quorate)
endforeach()
foreach(header check_failed error ids result strong_id)
  install(FILES ${PROJECT_SOURCE_DIR}/base/${header}.h DESTINATION ${quorate_headers}/base)
endforeach()

set_target_properties(quorate_client PROPERTIES EXPORT_NAME client)
target_include_directories(quorate_client INTERFACE $<INSTALL_INTERFACE:${quorate_headers}>)
install(TARGETS quorate_client quorate_kv quorate_proto quorate_base EXPORT quorate ARCHIVE)
install(EXPORT quorate NAMESPACE quorate:: DESTINATION ${quorate_package})
file(CONFIGURE OUTPUT quorate-config.cmake CONTENT [=[
include(CMakeFindDependencyMacro)
find_dependency(Threads)
find_dependency(Protobuf)
include(${CMAKE_CURRENT_LIST_DIR}/quorate.cmake)
]=] @ONLY)
write_basic_package_version_file(quorate-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/quorate-config.cmake ${CMAKE_CURRENT_BINARY_DIR}/quorate-config-version.cmake
  DESTINATION ${quorate_package})

# Found from where it stands, so that the prefix may be chosen when it is installed.
file(RELATIVE_PATH up /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
file(CONFIGURE OUTPUT quorate.pc CONTENT [=[
prefix=${pcfiledir}/@up@
libdir=${prefix}/@CMAKE_INSTALL_LIBDIR@
includedir=${prefix}/@quorate_headers@

Name: quorate
Description: Client of Quorate, a replicated coordination and lock service
Version: @PROJECT_VERSION@
Requires: protobuf
Cflags: -I${includedir}
Libs: -L${libdir} -lquorate_client -lquorate_kv -lquorate_proto -lquorate_base -lxxhash -pthread
]=] @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/quorate.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
