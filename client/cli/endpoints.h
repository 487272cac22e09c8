// What a client has told of its endpoints, and what of it is said: one line for each that does not work, once
// another does. While none does there is nothing to say but the error of what is asked.
//
// Thread safety: all members.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "base/error.h"

namespace quorate::cli {

class Endpoints {
 public:
  enum class Tell { kAtOnce, kWhenAsked };
  Endpoints(size_t count, Tell when) : count_(count), when_(when) {}

  // Options::on_endpoint.
  void changed(const std::string& endpoint, const Error& trouble);
  // All were tried, and none works.
  bool none_answers() const;
  // Says what was not said yet.
  void tell();

 private:
  const size_t count_;
  const Tell when_;
  mutable std::mutex mutex_;
  std::map<std::string, std::string> troubled_;  // why; guarded by mutex_
  std::map<std::string, std::string> unsaid_;    // of these; guarded by mutex_
  std::vector<std::string> lines_;               // to be said; guarded by mutex_
};

}  // namespace quorate::cli
