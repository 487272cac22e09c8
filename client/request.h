// What the parts of the engine share: a request on its way, and what leaves the engine.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "proto/client.pb.h"

namespace quorate::client {

// Called inside the engine, once for a request. A reply here has code 0 or is the final refusal turned into
// an Error.
using OnReply = std::function<void(Instant now, Result<api::Reply> reply)>;

// What must be done: frames in this order on the current connection; completions (the callers' code) after
// the step.
struct Sink {
  std::vector<api::ClientFrame> frames;
  std::vector<std::function<void()>> completions;
};

// Ids of frames, unique in a client's life. A request keeps its id when it is sent again.
class RequestIds {
 public:
  uint64_t next() { return ++last_; }

 private:
  uint64_t last_ = 0;
};

inline std::string seconds_text(Duration d) {
  const int64_t ms = to_ms(d);
  return ms % 1000 == 0 ? std::to_string(ms / 1000) + " s" : std::to_string(ms) + " ms";
}

}  // namespace quorate::client
