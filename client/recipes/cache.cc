#include "client/quorate/cache.h"

#include "client/host.h"
#include "client/recipes/reads.h"

namespace quorate::client {
namespace {

constexpr milliseconds kTryAgain(200);

std::string below(const std::string& parent, const std::string& name) {
  return parent == "/" ? parent + name : parent + "/" + name;
}

}  // namespace

// What the feed told and the copy does not show yet. Shared with the feed, whose last call may come while the
// cache goes.
struct TreeCache::Inbox {
  std::mutex mutex;
  std::condition_variable changed;
  std::set<std::string> paths;  // guarded by mutex, as all below
  Zxid complete;
  std::optional<Error> ended;
  bool stopping = false;
};

TreeCache::TreeCache(Client& client, std::string root, std::function<void(const std::string&)> on_change)
    : client_(client),
      root_(std::move(root)),
      on_change_(std::move(on_change)),
      join_(Host::of(client).start_thread([this] { run(); })) {}

TreeCache::~TreeCache() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
    if (inbox_) {
      const std::lock_guard inbox_lock(inbox_->mutex);
      inbox_->stopping = true;
      inbox_->changed.notify_all();
    }
  }
  join_();
}

bool TreeCache::wait(std::unique_lock<std::mutex>& lock, milliseconds wait,
                     const std::function<bool()>& ready) const {
  Host& host = Host::of(client_);
  return host.wait(lock, changed_, host.in(wait), ready);
}

bool TreeCache::stopping() const {
  const std::lock_guard lock(mutex_);
  return stopping_;
}

void TreeCache::run() {
  while (!stopping()) {
    const Status followed = follow();
    std::unique_lock lock(mutex_);
    if (followed.ok()) return;
    // What happened in between is not told any more, or the cluster was restored to a time before it:
    // everything is read anew.
    if (followed.code() == ErrorCode::kHistoryGone || followed.code() == ErrorCode::kInvalidArgument)
      complete_ = Zxid();
    trouble_ = followed.error();
    changed_.notify_all();
    if (followed.code() == ErrorCode::kShuttingDown) return;
    wait(lock, kTryAgain, [this] { return stopping_; });
  }
}

// Until it is told to stop; an error is for the next try.
Status TreeCache::follow() {
  const auto inbox = std::make_shared<Inbox>();
  Zxid since;
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return {};
    inbox_ = inbox;
    since = complete_;
  }
  const Result<ChangeFeed> feed =
      client_.watch_changes(root_, {.since = since}, [inbox](const Result<Changes>& changes) {
        const std::lock_guard lock(inbox->mutex);
        if (!changes.ok()) {
          inbox->ended = changes.error();
        } else {
          for (const Event& event : changes->events) inbox->paths.insert(event.path);
          inbox->complete = changes->complete;
        }
        inbox->changed.notify_all();
      });
  if (!feed.ok()) return feed.error();
  // Behind the feed's beginning: what changes from here on is told.
  if (since.value() == 0) {
    if (Status read = read_all(); !read.ok()) return read;
  }
  while (true) {
    std::set<std::string> paths;
    Zxid complete;
    {
      std::unique_lock lock(inbox->mutex);
      Host::of(client_).wait(lock, inbox->changed, kNever,
                             [&] { return inbox->stopping || inbox->ended || inbox->complete > since; });
      if (inbox->stopping) return {};
      if (inbox->ended) return *inbox->ended;
      paths.swap(inbox->paths);
      since = complete = inbox->complete;
    }
    if (Status read = refresh(paths); !read.ok()) return read;
    const std::lock_guard lock(mutex_);
    complete_ = complete;
    trouble_.reset();
    changed_.notify_all();
  }
}

void TreeCache::put(const std::string& path, std::optional<Node> node) {
  bool differs = false;
  {
    const std::lock_guard lock(mutex_);
    const auto known = nodes_.find(path);
    if (!node) {
      differs = known != nodes_.end();
      if (differs) nodes_.erase(known);
    } else {
      differs = known == nodes_.end() || known->second.stat.czxid != node->stat.czxid ||
                known->second.stat.mzxid != node->stat.mzxid;
      nodes_[path] = std::move(*node);
    }
  }
  if (differs && on_change_) on_change_(path);
}

Status TreeCache::refresh(const std::set<std::string>& paths) {
  std::vector<ReadRequest> reads;
  for (const std::string& path : paths) reads.push_back({path});
  std::optional<Error> wrong;
  const Status read = read_each(client_, reads, [&](const ReadRequest& asked, const ReadResult& node) {
    if (node.error.ok()) {
      put(asked.path, Node{node.data, node.stat});
    } else if (node.error.code == ErrorCode::kNoNode || node.error.code == ErrorCode::kDenied) {
      put(asked.path, std::nullopt);
    } else {
      wrong = node.error;
    }
  });
  return !read.ok() || !wrong ? read : Status(*wrong);
}

// From the root on, level by level. What is not found again has gone while nobody told.
Status TreeCache::read_all() {
  std::set<std::string> seen, level{root_};
  while (!level.empty()) {
    if (stopping()) return {};
    if (Status read = refresh(level); !read.ok()) return read;
    seen.insert(level.begin(), level.end());
    std::set<std::string> next;
    for (const std::string& path : level) {
      if (!get(path) || get(path)->stat.children == 0) continue;
      const Status listed = client_.for_each_child(path, [&](const std::string& name) {
        next.insert(below(path, name));
        return true;
      });
      if (!listed.ok() && listed.code() != ErrorCode::kNoNode && listed.code() != ErrorCode::kDenied)
        return listed;
    }
    level = std::move(next);
  }
  std::vector<std::string> gone;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [path, node] : nodes_)
      if (!seen.contains(path)) gone.push_back(path);
  }
  for (const std::string& path : gone) put(path, std::nullopt);
  return {};
}

// ---- what it shows

std::optional<Node> TreeCache::get(std::string_view path) const {
  const std::lock_guard lock(mutex_);
  const auto node = nodes_.find(path);
  return node == nodes_.end() ? std::nullopt : std::optional<Node>(node->second);
}

std::vector<std::string> TreeCache::children(std::string_view path) const {
  const std::string prefix = path == "/" ? "/" : std::string(path) + "/";
  std::vector<std::string> names;
  const std::lock_guard lock(mutex_);
  for (auto at = nodes_.upper_bound(prefix); at != nodes_.end() && at->first.starts_with(prefix); ++at) {
    const std::string name = at->first.substr(prefix.size());
    if (name.find('/') == std::string::npos) names.push_back(name);
  }
  return names;
}

size_t TreeCache::size() const {
  const std::lock_guard lock(mutex_);
  return nodes_.size();
}

Zxid TreeCache::complete() const {
  const std::lock_guard lock(mutex_);
  return complete_;
}

std::optional<Error> TreeCache::trouble() const {
  const std::lock_guard lock(mutex_);
  return trouble_;
}

Status TreeCache::wait_until_seen(milliseconds wait) const { return wait_until(Zxid(1), wait); }

Status TreeCache::wait_until(Zxid zxid, milliseconds wait) const {
  std::unique_lock lock(mutex_);
  if (this->wait(lock, wait, [&] { return complete_ >= zxid; })) return {};
  return Error{ErrorCode::kTimeout,
               trouble_ ? trouble_->message : "the copy of " + root_ + " did not come so far in time"};
}

}  // namespace quorate::client
