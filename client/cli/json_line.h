// A line of what `import` reads: a node as `export` writes it (client/cli/json_lines.h).
//
// Thread safety: pure.
#pragma once

#include <string>

#include "base/result.h"
#include "client/quorate/types.h"

namespace quorate::cli {

struct Line {
  std::string path, data;
  client::Acl acl;  // empty: open to all
};

// Errors: kInvalidArgument, kBadPath.
Result<Line> parse_line(const std::string& text);

}  // namespace quorate::cli
