# Precompiled headers, shared by the targets that name the same set: parsed once in a clean build.
#
#   quorate_precompile(TARGET SET)    after quorate_precompiled_set(SET LINKS libraries HEADERS <a.h> <b.h> ... [OPTIONS -O0])
# ccache needs the first to know what is in precompiled headers, and g++ 12 sees writes out of bounds in its own std::string when that comes
# out of them.
set(QUORATE_PCH_OPTIONS $<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess> $<$<CXX_COMPILER_ID:GNU>:-Wno-array-bounds>
                        $<$<CXX_COMPILER_ID:GNU>:-Wno-stringop-overflow>)
function(quorate_precompiled_set set)
  cmake_parse_arguments(ARG "" "" "LINKS;HEADERS;OPTIONS" ${ARGN})
  # clang wants every definition of a target in the headers' one, too: only what the fuzzers are built of has none.
  if(TARGET ${set} OR NOT (CMAKE_CXX_COMPILER_ID STREQUAL "GNU" OR QUORATE_FUZZ))
    return()
  endif()
  file(WRITE ${PROJECT_BINARY_DIR}/${set}.cc "")
  add_library(${set} STATIC ${PROJECT_BINARY_DIR}/${set}.cc)
  target_link_libraries(${set} PRIVATE ${ARG_LINKS})
  target_precompile_headers(${set} PRIVATE ${ARG_HEADERS})
  target_compile_options(${set} PRIVATE ${QUORATE_PCH_OPTIONS} ${ARG_OPTIONS})
endfunction()

function(quorate_precompile name set)
  if(NOT TARGET ${set})
    return()
  endif()
  target_precompile_headers(${name} REUSE_FROM ${set})
  target_compile_options(${name} PRIVATE ${QUORATE_PCH_OPTIONS})
endfunction()

set(QUORATE_STANDARD_HEADERS
    <algorithm> <array> <chrono> <cstdint> <deque> <functional> <map> <memory> <optional> <set> <span> <string> <string_view> <unordered_map>
    <utility> <variant> <vector>)

# One static library a folder. A target links what its folder may include (docs/architecture.md), nothing else.
# Its sources are compiled over the precompiled SET, or over the standard library's headers. TOGETHER: several at a time, for
# where what they all include is most of the work.
#
#   quorate_library(NAME [TOGETHER] SOURCES a.cc b.cc LINKS quorate_base ... [HEADERS SET])
function(quorate_library name)
  cmake_parse_arguments(ARG "TOGETHER" "HEADERS" "SOURCES;LINKS;PRIVATE_LINKS" ${ARGN})
  if(NOT ARG_SOURCES)
    # A folder of headers only.
    add_library(${name} INTERFACE)
    target_include_directories(${name} INTERFACE $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>)
    target_link_libraries(${name} INTERFACE ${ARG_LINKS})
    return()
  endif()
  add_library(${name} STATIC ${ARG_SOURCES})
  target_include_directories(${name} PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>)
  target_link_libraries(${name} PUBLIC ${ARG_LINKS} PRIVATE ${ARG_PRIVATE_LINKS})
  if(NOT ARG_HEADERS)
    set(ARG_HEADERS quorate_standard_headers)
    quorate_precompiled_set(quorate_standard_headers HEADERS ${QUORATE_STANDARD_HEADERS})
  endif()
  quorate_precompile(${name} ${ARG_HEADERS})
  if(ARG_TOGETHER)
    set_target_properties(${name} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 4)
  endif()
endfunction()

# One test program, registered with CTest as a whole. A header of the project that all its files include can be precompiled with the
# test libraries': worth its seconds from about ten files on. BUSY: one that runs for seconds, and so is to be optimised.
# Four files are compiled at a time, so what their unnamed namespaces hold needs names of its own, or a header that they share.
#
#   quorate_test(NAME [BUSY] SOURCES a_test.cc LINKS quorate_raft ... [HEADERS server/replica.h])
function(quorate_test name)
  cmake_parse_arguments(ARG "BUSY" "" "SOURCES;LINKS;HEADERS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_LINKS} rapidcheck GTest::gtest GTest::gtest_main)
  # The code under test is built as it ships; the tests around it build in two thirds of the time with less.
  set(level $<$<CONFIG:Release>:-O0>)
  set(set quorate_test_headers)
  if(ARG_BUSY)
    set(level $<$<CONFIG:Release>:-O1>)
    set(set quorate_busy_test_headers)
  endif()
  if(QUORATE_FUZZ)
    list(APPEND level -fno-sanitize=fuzzer-no-link)  # what is tested is followed, not the tests
  endif()
  target_compile_options(${name} PRIVATE ${level})
  if(ARG_HEADERS)
    set(set ${name}_headers)
    list(TRANSFORM ARG_HEADERS PREPEND ${PROJECT_SOURCE_DIR}/)
  endif()
  quorate_precompiled_set(${set} OPTIONS ${level}
    LINKS rapidcheck GTest::gtest ${ARG_LINKS}
    HEADERS <gtest/gtest.h> <rapidcheck/gtest.h> <algorithm> <chrono> <cstdint> <deque> <functional> <map> <memory> <optional> <set>
            <string> <string_view> <unordered_map> <variant> <vector> ${ARG_HEADERS})
  quorate_precompile(${name} ${set})
  set_target_properties(${name} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 4)
  add_test(NAME ${name} COMMAND ${name})
endfunction()
