// The state as records of a sorted key-value store: what a checkpoint writes, a snapshot streams and a
// restart loads. One format for all three.
//
// Keys begin with a byte for their kind, so that in ascending order of key a node's parent comes before it:
//   'a'  which state this is: index, term, configuration (server/store_job.h)
//   'm'  what the state machine knows of itself: index, zxid base, stamp, hash
//   'n' + path                      one node
//   'q' + path                      the limits of one quota
//   's' + session id, big-endian    one session with its kept outcomes
//   'c' + zxid, place, big-endian   one change of the history
// What else is needed gets a letter of its own. Values begin with a version.
//
// Thread safety: plain values.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/codec.h"

namespace quorate::kv {

struct Record {
  std::string key;
  std::optional<std::string> value;  // nothing: the key is erased
};

// A run of records as a snapshot carries them, one behind the other: key, then value, each as codec string.
// Only records with a value travel.
inline void append_record(std::string& out, std::string_view key, std::string_view value) {
  ByteWriter writer(out);
  writer.string(key);
  writer.string(value);
}

}  // namespace quorate::kv
