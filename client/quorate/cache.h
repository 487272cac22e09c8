// A copy of a subtree in this program's memory, kept true by a feed of changes.
//
//   TreeCache config(client, "/app/config");
//   if (Status seen = config.wait_until_seen(milliseconds(5'000)); !seen.ok()) return seen.error();
//   std::optional<Node> colour = config.get("/app/config/colour");     // asks no server
//
// A thread of its own reads what changed. So the copy is behind the servers by as long as that takes; each
// node in it was so at some point of the log, and never goes back. After a lost connection the feed is
// resumed where it was; where the servers' history does not reach back so far, or they were restored to a
// time before that, the subtree is read anew.
// Meant for subtrees that have room in memory and are read far more often than they change.
//
// Thread safety: all members. Must not outlive its Client.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "client/quorate/client.h"

namespace quorate::client {

class TreeCache {
 public:
  // `on_change`: called on the cache's own thread with the path of each node that was made, changed or
  // deleted, once the copy shows it. It may wait for the client, and must not drop the cache.
  TreeCache(Client& client, std::string root, std::function<void(const std::string& path)> on_change = {});
  ~TreeCache();  // waits for a read that is under way
  TreeCache(const TreeCache&) = delete;
  TreeCache& operator=(const TreeCache&) = delete;

  // None: there is no such node in the copy.
  std::optional<Node> get(std::string_view path) const;
  // Names, in byte order.
  std::vector<std::string> children(std::string_view path) const;
  size_t size() const;
  // Everything up to here is in the copy. 0: it was never whole.
  Zxid complete() const;
  // Why it does not follow at present, if so: the copy may be old.
  std::optional<Error> trouble() const;
  // Until the subtree was read for the first time. Errors: kTimeout.
  Status wait_until_seen(milliseconds wait) const;
  // Until the copy has everything up to there: a zxid of a write, for example. Errors: kTimeout.
  Status wait_until(Zxid zxid, milliseconds wait) const;

 private:
  struct Inbox;
  void run();
  Status read_all();
  Status follow();
  Status refresh(const std::set<std::string>& paths);
  void put(const std::string& path, std::optional<Node> node);
  bool stopping() const;
  bool wait(std::unique_lock<std::mutex>& lock, milliseconds wait, const std::function<bool()>& ready) const;

  Client& client_;
  const std::string root_;
  const std::function<void(const std::string&)> on_change_;

  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::map<std::string, Node, std::less<>> nodes_;  // guarded by mutex_, as all below
  Zxid complete_;
  std::optional<Error> trouble_;
  bool stopping_ = false;
  std::shared_ptr<Inbox> inbox_;
  std::function<void()> join_;  // its thread
};

}  // namespace quorate::client
