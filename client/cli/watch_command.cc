#include "client/cli/watch_command.h"

#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include <nlohmann/json.hpp>

#include "client/cli/signals.h"

namespace quorate::cli {

namespace {

using client::Changes;
using client::Event;
using client::EventKind;

std::string_view name_of(EventKind kind) {
  switch (kind) {
    case EventKind::kCreated:
      return "created";
    case EventKind::kDeleted:
      return "deleted";
    case EventKind::kDataChanged:
      return "changed";
    case EventKind::kChildrenChanged:
      break;
  }
  return "children";
}

// What the client's thread has told. It may be telling still when the watch is over and the client is not.
struct Told {
  std::mutex mutex;
  std::deque<Result<Changes>> changes;  // guarded by mutex
  Signals* listener = nullptr;          // guarded by mutex; none: nobody listens any more

  void tell(const Result<Changes>& what) {
    const std::lock_guard lock(mutex);
    changes.push_back(what);
    if (listener != nullptr) listener->wake();
  }
  std::deque<Result<Changes>> take() {
    const std::lock_guard lock(mutex);
    return std::exchange(changes, {});
  }
  void listen(Signals* to) {
    const std::lock_guard lock(mutex);
    listener = to;
  }
};

class Watcher {
 public:
  Watcher(const Globals& globals, WatchArguments args)
      : globals_(globals), args_(std::move(args)), client_(globals) {
    told_->listen(&signals_);
  }
  ~Watcher() { told_->listen(nullptr); }
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;

  int run() {
    client::WatchChangesOptions options;
    options.since = Zxid(args_.since);
    options.recursive = args_.recursive;
    const auto feed = client_->watch_changes(
        args_.path, options, [told = told_](const Result<Changes>& changes) { told->tell(changes); });
    if (!feed.ok()) return report(args_.path, feed.error());
    while (true) {
      const int signal = signals_.next();
      for (const Result<Changes>& changes : told_->take()) {
        if (!changes.ok()) return report(args_.path, changes.error());
        for (const Event& event : changes->events) tell(event);
        if (output_fails()) return kDone;
      }
      if (ends_a_command(signal)) return kDone;
    }
  }

 private:
  void tell(const Event& event) {
    if (args_.recursive || event.path == args_.path) return print(event);
    // One line for an entry, however many children it made and deleted.
    if (children_told_ == event.zxid) return;
    children_told_ = event.zxid;
    print({EventKind::kChildrenChanged, args_.path, event.zxid});
  }

  void print(const Event& event) const {
    const std::string name(name_of(event.kind));
    if (globals_.json) {
      print_json({{"event", name}, {"path", event.path}, {"zxid", event.zxid.value()}});
    } else {
      print_line(name + " " + event.path + " " + std::to_string(event.zxid.value()));
    }
  }

  const Globals& globals_;
  const WatchArguments args_;
  Signals signals_;  // before the client's thread
  const std::shared_ptr<Told> told_ = std::make_shared<Told>();
  Zxid children_told_;
  const CommandClient client_;
};

}  // namespace

int watch(const Globals& globals, const WatchArguments& args) { return Watcher(globals, args).run(); }

}  // namespace quorate::cli
