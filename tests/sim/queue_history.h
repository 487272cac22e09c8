// Whether a queue of the client library (client/quorate/queue.h) kept every message, and delivered each to
// one consumer at a time.
//
// Thread safety: none.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "base/ids.h"
#include "tests/sim/context.h"
#include "tests/sim/tree_past.h"

namespace quorate::sim {

class QueueHistory {
 public:
  // `lease_valid`, `leases_count`: as LockHistory has them.
  QueueHistory(const TreePast& past, std::string path, uint32_t tries_max,
               std::function<bool(uint32_t)> lease_valid, bool leases_count)
      : past_(past),
        path_(std::move(path)),
        tries_max_(tries_max),
        lease_valid_(std::move(lease_valid)),
        leases_count_(leases_count) {}

  // A message was made, changed or taken away by the entry that was committed last.
  Verdict committed(const std::string& item);

  // Somebody pushes a message. REQUIRES: no other one has this data. `id`: "" for none.
  void begin_push(const std::string& data, const std::string& id);
  // It was told whether the message was kept.
  Verdict pushed(const std::string& data, bool kept) const;
  // It was told that the message was not pushed.
  Verdict not_pushed(const std::string& data);

  // A consumer that asked at `from` was given a message.
  struct Told {
    std::string item, data;
    uint32_t tries = 0;
  };
  Verdict took(uint32_t client, SessionId session, Zxid from, const Told& told);
  // It acknowledges the message, and was told that this is done, or that the message is somebody else's.
  void acknowledges(const std::string& item) { ending_.insert(item); }
  Verdict acknowledged(const std::string& item);
  Verdict not_its_own(SessionId session, const std::string& item, Zxid from) const;
  // It has the message no more, or none at all.
  void let_go(uint32_t client, const std::string& item) { having_[item].erase(client); }
  void ends(uint32_t client);
  // It was told that there was no message in time, though one may have been there since `able`.
  Verdict gives_up(Zxid able) const;
  Verdict size_is(Zxid from, size_t size) const;

  size_t taken_from_the_dead() const { return taken_from_the_dead_; }
  size_t put_aside() const { return put_aside_; }

 private:
  struct Push {
    std::string id;
    std::string item{};  // "": none that is known
    bool refused = false;
  };
  std::string claim_of(const std::string& item) const;
  // Somebody could take it at once.
  bool is_free(const std::string& item, Zxid at) const;
  Verdict check_order(const std::string& item, Zxid from, Zxid claimed) const;

  const TreePast& past_;
  const std::string path_;
  const uint32_t tries_max_;
  const std::function<bool(uint32_t)> lease_valid_;
  const bool leases_count_;
  std::map<std::string, Push> pushes_;                // by data
  std::map<std::string, std::string> kept_ids_;       // which item has it
  std::map<std::string, std::set<uint32_t>> having_;  // by item: clients that believe so
  std::map<std::string, SessionId> claims_;           // by item: whose claim was the last
  std::set<std::string> ending_, done_;
  size_t taken_from_the_dead_ = 0, put_aside_ = 0;
};

}  // namespace quorate::sim
