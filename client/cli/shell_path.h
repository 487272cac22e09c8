// Paths as a shell's user writes them: from where he is.
//
// Thread safety: pure functions.
#pragma once

#include <string>
#include <string_view>

namespace quorate::cli {

// `text` itself if it begins with /; else it is below `folder`, with "." and ".." for what they mean
// elsewhere: resolve_path("/a/b", "../c") is "/a/c". Whether it is a valid path is for others to say.
std::string resolve_path(std::string_view folder, std::string_view text);

}  // namespace quorate::cli
