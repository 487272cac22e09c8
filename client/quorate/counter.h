// A number that many change: the data of one node, in decimal.
//
// Each change is applied once, however often the connection breaks. Where the code is kOutcomeUnknown, it may
// or may not have been.
//
// Thread safety: all members. Must not outlive its Client.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "client/quorate/client.h"

namespace quorate::client {

class Counter {
 public:
  Counter(Client& client, std::string path) : client_(client), path_(std::move(path)) {}

  // 0 where there is no node. Errors: kMalformed when the node holds no number.
  Result<int64_t> get();
  // Gives the value behind it. Tries again while others change it at the same time. Errors: kInvalidArgument,
  // where 64 bits do not hold the sum; kMalformed.
  Result<int64_t> add(int64_t difference);
  // Whether it was `expected`, and so was changed.
  Result<bool> compare_and_set(int64_t expected, int64_t value);

 private:
  struct Seen {
    int64_t value = 0;
    int32_t version = -1;  // -1: there is no node
  };
  Result<Seen> look();
  // Whether nobody changed it meanwhile.
  Result<bool> replace(const Seen& seen, int64_t value);

  Client& client_;
  const std::string path_;
};

}  // namespace quorate::client
