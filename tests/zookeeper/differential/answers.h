// What the oracle answered to which operation, how often, and what was asked to be answered so.
//
// Thread safety: none.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "proto/zookeeper.h"

namespace quorate::differential {

class Answers {
 public:
  struct Asked {
    size_t session = 0;
    zookeeper::RequestBody body;
  };

  // With those in it that every history must bring: one that is never drawn any more is as rare as can be.
  Answers();

  // An answer to `what`; with the request that brought it, if asking that again may bring it again.
  void add(const std::string& what, zookeeper::ErrorCode code, const Asked* asked);
  // An answer, and each of its parts if there are several.
  void add(const Asked& asked, const zookeeper::Reply& reply);

  // A request that has brought an answer which came fewer than `often` times; the rarer it is, the likelier.
  // Nothing if there is none.
  std::optional<Asked> of_a_rare_one(Random& random, size_t often) const;
  // How many kinds of answers, those that must come among them, came fewer than `often` times.
  size_t rare(size_t often) const;
  size_t kinds() const { return answers_.size(); }
  void print() const;

 private:
  struct Answer {
    size_t count = 0;
    std::vector<Asked> asked;  // the last ones
  };
  // An operation, and the code of its answer.
  std::map<std::pair<std::string, int32_t>, Answer> answers_;
};

}  // namespace quorate::differential
