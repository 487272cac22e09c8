#include "client/cli/watch_command.h"

#include <deque>
#include <mutex>
#include <utility>

#include <nlohmann/json.hpp>

#include "client/cli/signals.h"

namespace quorate::cli {

namespace {

using client::Event;
using client::EventKind;
using client::Stat;
using client::Watch;

// What was printed last, as zxids of the node's three kinds of change.
struct Known {
  bool exists = false;
  Zxid made, set, children;
  Zxid deleted;  // its last deletion, where an event told it
};

class Watcher {
 public:
  Watcher(const Globals& globals, std::string path)
      : globals_(globals), path_(std::move(path)), client_(options()) {}

  int run() {
    if (Status first = look(true); !first.ok()) return report(path_, first.error());
    while (true) {
      const int signal = signals_.next();
      if (signal == SIGINT || signal == SIGTERM || signal == SIGHUP) return kDone;
      for (const Event& event : take_events()) apply(event);
      // A watch fires once. What happened between its event and the read that sets the next one shows in that
      // read.
      Status again = look(false);
      // While no server answers nothing can be told, and nothing is missed: the next read shows it.
      while (!again.ok() && exit_code(again.code()) == kNoService) {
        const int interrupt = signals_.next(100);
        if (interrupt == SIGINT || interrupt == SIGTERM || interrupt == SIGHUP) return kDone;
        again = look(false);
      }
      if (!again.ok()) return report(path_, again.error());
    }
  }

 private:
  client::Options options() const { return globals_.client_options(); }

  std::function<void(const Event&)> queue_event() {
    return [this](const Event& event) {
      const std::lock_guard lock(mutex_);
      events_.push_back(event);
      signals_.wake();
    };
  }

  std::deque<Event> take_events() {
    const std::lock_guard lock(mutex_);
    return std::exchange(events_, {});
  }

  // Sets the watches that have fired, and prints what has changed since the last look.
  Status look(bool first) {
    if (!children_.armed()) {
      Watch next(queue_event());
      const Result<std::vector<std::string>> names = client_.children(path_, &next);
      if (!names.ok() && names.code() != ErrorCode::kNoNode) return names.error();
      if (names.ok()) children_ = std::move(next);
    }
    // Read last: its stat also shows what happened while the children's watch was being set.
    std::optional<Watch> next;
    if (!data_.armed()) next.emplace(queue_event());
    const Result<std::optional<Stat>> stat = client_.exists(path_, next ? &*next : nullptr);
    if (!stat.ok()) return stat.error();
    if (next) data_ = std::move(*next);
    if (first)
      remember(*stat);
    else
      compare(*stat);
    // A node that was made meanwhile has children to watch.
    if (*stat && !children_.armed()) return look(false);
    return {};
  }

  void remember(const std::optional<Stat>& stat) {
    known_.exists = stat.has_value();
    if (!stat) return;
    known_.made = stat->czxid;
    known_.set = stat->mzxid;
    known_.children = stat->pzxid;
  }

  void apply(const Event& event) {
    switch (event.kind) {
      case EventKind::kCreated:
        if (known_.exists || event.zxid <= known_.made) return;
        known_ = Known{true, event.zxid, event.zxid, event.zxid, known_.deleted};
        print("created", event.zxid);
        break;
      case EventKind::kDeleted:
        // Both watches tell it.
        if (!known_.exists || event.zxid <= known_.made) return;
        known_.exists = false;
        known_.deleted = event.zxid;
        print("deleted", event.zxid);
        break;
      case EventKind::kDataChanged:
        if (event.zxid <= known_.set) return;
        known_.set = event.zxid;
        print("changed", event.zxid);
        break;
      case EventKind::kChildrenChanged:
        if (event.zxid <= known_.children) return;
        known_.children = event.zxid;
        print("children", event.zxid);
        break;
    }
  }

  void compare(const std::optional<Stat>& stat) {
    const bool another = known_.exists && stat && stat->czxid != known_.made;
    if (known_.exists && (!stat || another)) {
      known_.exists = false;
      print("deleted", Zxid());
    }
    if (!stat) return;
    if (!known_.exists) {
      known_ = Known{true, stat->czxid, stat->czxid, stat->czxid, known_.deleted};
      print("created", stat->czxid);
    }
    if (stat->mzxid > known_.set) print("changed", stat->mzxid);
    if (stat->pzxid > known_.children) print("children", stat->pzxid);
    remember(stat);
  }

  void print(const char* what, Zxid zxid) const {
    if (globals_.json) {
      nlohmann::json out{{"event", what}, {"path", path_}};
      if (zxid != Zxid()) out["zxid"] = zxid.value();
      print_json(out);
    } else {
      print_line(std::string(what) + " " + path_);
    }
  }

  const Globals& globals_;
  const std::string path_;
  Signals signals_;
  std::mutex mutex_;
  std::deque<Event> events_;  // guarded by mutex_
  Known known_;
  Client client_;
  Watch data_, children_;  // end before the client does
};

}  // namespace

int watch(const Globals& globals, const std::string& path) { return Watcher(globals, path).run(); }

}  // namespace quorate::cli
