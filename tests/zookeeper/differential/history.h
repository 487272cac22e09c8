// Random session histories: what is asked next, whatever has been answered. Few paths, so that operations
// meet.
//
// Thread safety: none.
#pragma once

#include <string>

#include "base/random.h"
#include "proto/zookeeper.h"

namespace quorate::differential {

class History {
 public:
  // ZooKeeper up to 3.8 makes a persistent watch a one-shot, or the other way round, where both are set on
  // one path; and it does not count for a quota what a multi did before. So there are times for each.
  struct Theme {
    bool persistent_watches = false;
    bool quotas = false;
    bool all_open = false;  // no lists of permissions: then nothing that is missing can be hidden
  };

  explicit History(uint64_t seed) : random_(seed) {}

  void set_theme(const Theme& theme) { theme_ = theme; }
  const Theme& theme() const { return theme_; }
  zookeeper::RequestBody next();
  // Whether it could be next, by the theme.
  bool suits(const zookeeper::RequestBody& body) const;
  // As a client that comes back asks for its one-shot watches again; the zxid is left to the caller.
  zookeeper::SetWatches watches_again();
  // As clients write a quota's limits; no hard limit is below what is used, because then ZooKeeper refuses to
  // make smaller what is too large.
  std::string quota_limits(uint64_t bytes_used);
  // Where a quota may be.
  std::string quota_path();
  uint64_t below(uint64_t bound) { return random_.below(bound); }
  bool one_in(uint64_t count) { return random_.below(count) == 0; }
  Random& random() { return random_; }

 private:
  std::string path();
  // Fills what a create and a set have.
  void draw_data(std::string& data, bool& null_data);
  zookeeper::SetData set();
  int32_t version();
  zookeeper::Acl acl();
  zookeeper::Create create();
  zookeeper::Multi multi();
  zookeeper::MultiRead many();
  zookeeper::RequestBody watch_request();
  zookeeper::RequestBody seldom();

  Random random_;
  Theme theme_;
};

}  // namespace quorate::differential
