// The one rule for paths, the same in every protocol and at every entrance.
//
// A path is "/" or "/a/b": absolute, valid UTF-8, without empty, "." or ".." components, without a trailing
// slash and without the characters that ZooKeeper's PathUtils forbids (NUL, U+0001-U+001F, U+007F-U+009F,
// U+D800-U+F8FF, U+FFF0-U+FFFF). PathUtils looks at UTF-16, where everything above U+FFFF is a pair of
// surrogates, so that is forbidden too.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace quorate::kv {

inline constexpr size_t kPathBytesMax = 4096;
// What a sequential create adds to the path at least.
inline constexpr size_t kSequenceDigits = 10;
// The last suffix; one with more digits would sort before those that were made earlier.
inline constexpr uint64_t kSequenceMax = 9'999'999'999;

// Errors: kBadPath with what is wrong and where; kTooLarge over kPathBytesMax. With `sequential` the last
// component may be empty ("/queue/"), because a suffix is added to it, and the suffix counts towards the
// length.
Status validate_path(std::string_view path, bool sequential = false);

// "/a/b" -> "/a"; "/a" -> "/". REQUIRES: a valid path other than "/".
std::string_view parent_of(std::string_view path);
// "/a/b" -> "b". REQUIRES: as above.
std::string_view name_of(std::string_view path);
// "/" + "a" -> "/a"; "/a" + "b" -> "/a/b".
std::string join_path(std::string_view parent, std::string_view name);

}  // namespace quorate::kv
