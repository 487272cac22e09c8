#include "client/cli/watch_command.h"

#include <deque>
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

class Watcher {
 public:
  Watcher(const Globals& globals, WatchArguments args)
      : globals_(globals), args_(std::move(args)), client_(globals.client_options()) {}

  int run() {
    client::WatchChangesOptions options;
    options.since = Zxid(args_.since);
    options.recursive = args_.recursive;
    const auto feed = client_.watch_changes(args_.path, options, [this](const Result<Changes>& changes) {
      const std::lock_guard lock(mutex_);
      told_.push_back(changes);
      signals_.wake();
    });
    if (!feed.ok()) return report(args_.path, feed.error());
    while (true) {
      const int signal = signals_.next();
      for (const Result<Changes>& changes : take()) {
        if (!changes.ok()) return report(args_.path, changes.error());
        for (const Event& event : changes->events) tell(event);
      }
      if (signal == SIGINT || signal == SIGTERM || signal == SIGHUP) return kDone;
    }
  }

 private:
  std::deque<Result<Changes>> take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(told_, {});
  }

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
  Signals signals_;
  std::mutex mutex_;
  std::deque<Result<Changes>> told_;  // guarded by mutex_
  Zxid children_told_;
  Client client_;  // its thread ends before what it calls back into
};

}  // namespace

int watch(const Globals& globals, const WatchArguments& args) { return Watcher(globals, args).run(); }

}  // namespace quorate::cli
