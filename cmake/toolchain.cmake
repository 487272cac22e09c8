# Compiler settings that every target shares.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()

find_program(QUORATE_CCACHE ccache)
if(QUORATE_CCACHE)
  # The sloppiness is what it asks for to keep objects that were built with precompiled headers.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros ${QUORATE_CCACHE})
endif()
# The default linker, on purpose: programs linked by lld 14 end in std::terminate where a handler for the exception exists.

add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wimplicit-fallthrough -Wno-missing-field-initializers
                    -Werror -fno-omit-frame-pointer)
# g++ 12 takes the alternatives that a moved std::variant does not hold for read; clang and the sanitizers watch instead.
add_compile_options($<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
# g++ collects its memory again and again while it stands above 128 MB, where the precompiled headers alone bring it; left to grow
# by 100 MB more, each file is compiled in 0.75 to 0.88 of the time.
add_compile_options($<$<CXX_COMPILER_ID:GNU>:--param=ggc-min-heapsize=524288>)
# Checks stay on in release: CHECK does not depend on NDEBUG.
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")
set(CMAKE_CXX_FLAGS_DEBUG "-Og -g")
if(QUORATE_FUZZ OR QUORATE_SANITIZE)
  set(CMAKE_CXX_FLAGS_RELEASE "-O1 -DNDEBUG")  # sooner built than with more, and run for minutes at most
endif()
if(QUORATE_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
if(QUORATE_SANITIZE)
  add_compile_options(-fsanitize=${QUORATE_SANITIZE} -fno-sanitize-recover=all -g1)
  add_link_options(-fsanitize=${QUORATE_SANITIZE})
  # Asio has fences, which g++ says the thread sanitizer does not see; its locks beside them are seen.
  if(QUORATE_SANITIZE MATCHES thread AND CMAKE_CXX_COMPILER_ID STREQUAL GNU)
    add_compile_options(-Wno-tsan)
  endif()
endif()
