#include "tests/sim/library_watches_client.h"

#include <algorithm>
#include <memory>
#include <optional>

#include "client/quorate/client.h"

namespace quorate::sim {

using client::Event;
using client::Watch;

namespace {

constexpr uint64_t kChildren = 3;

std::string child_path(uint64_t i) { return std::string(kWatchedPath) + "/c" + std::to_string(i); }

}  // namespace

void LibraryWatchesClient::act(client::Client& client) {
  const uint64_t dice = random_.below(10);
  if (dice < 4) {
    change(client);
  } else if (dice < 8) {
    watch_node(client);
  } else {
    watch_children(client);
  }
}

bool LibraryWatchesClient::done_or(std::initializer_list<ErrorCode> expected, const Error& error) {
  if (std::find(expected.begin(), expected.end(), error.code) == expected.end()) return served(error);
  done_one();
  return false;
}

void LibraryWatchesClient::change(client::Client& client) {
  const std::string child = child_path(random_.below(kChildren));
  const std::string path = random_.chance(0.3) ? kWatchedPath : child;
  const uint64_t dice = random_.below(10);
  if (dice < 4) {
    client::CreateOptions options;
    options.parents = true;
    const auto made = client.create(path, "", options);
    done_or({ErrorCode::kNodeExists}, made.ok() ? Error() : made.error());
  } else if (dice < 7) {
    const auto set = client.set(path, std::to_string(unique()));
    done_or({ErrorCode::kNoNode}, set.ok() ? Error() : set.error());
  } else {
    const Status removed = dice < 9 ? client.remove(path) : client.remove_all(path);
    done_or({ErrorCode::kNoNode, ErrorCode::kNotEmpty}, removed.ok() ? Error() : removed.error());
  }
}

template <class Silent>
std::optional<Event> LibraryWatchesClient::wait(client::Client& client, Watch& watch, Silent silent) {
  const Duration asked = context_.now();
  // Some through all of the trouble: what happens while nobody can be reached must be told in the end.
  const bool waits_on = random_.chance(0.4);
  Result<Event> event = watch.wait(patience());
  while (waits_on && event.code() == ErrorCode::kTimeout && goes_on(client) && !able_since(asked)) {
    done_one();
    event = watch.wait(patience());
  }
  if (!goes_on(client)) return std::nullopt;
  if (event.code() == ErrorCode::kTimeout) {
    done_one();
    if (const auto able = able_since(asked)) check(silent(*able));
    return std::nullopt;
  }
  if (!served(event)) return std::nullopt;
  ++context_.statistics.library_watches_fired;
  if (watch.armed() || !watch.event()) check(std::string("has a watch that fired, and does not say so"));
  return *event;
}

void LibraryWatchesClient::watch_node(client::Client& client) {
  const std::string path = random_.chance(0.4) ? kWatchedPath : child_path(random_.below(kChildren));
  const auto calls = std::make_shared<uint64_t>(0);
  Watch watch = random_.chance(0.5) ? Watch() : Watch([calls](const Event&) { ++*calls; });
  const Zxid from = past_.now();
  const Result<client::Node> node = client.get(path, &watch);
  WatchedHistory::Seen seen;
  if (node.ok()) seen = {true, node->stat.czxid, node->stat.version};
  if (!done_or({ErrorCode::kNoNode}, node.ok() ? Error() : node.error()) && node.code() != ErrorCode::kNoNode)
    return;
  check(histories_.watched.shows(path, from, seen));
  const std::optional<Event> event =
      wait(client, watch, [&](Zxid able) { return histories_.watched.is_silent(path, able, seen); });
  if (*calls > 1) check(std::string("was told of one event twice"));
  if (!event) return;
  if (event->path != path) check("was told of " + event->path + ", and watches " + path);
  check(histories_.watched.fires(path, from, seen, event->kind));
}

void LibraryWatchesClient::watch_children(client::Client& client) {
  Watch watch;
  const Zxid from = past_.now();
  const Result<std::vector<std::string>> names = client.children(kWatchedPath, &watch);
  if (!done_or({ErrorCode::kNoNode}, names.ok() ? Error() : names.error())) return;
  check(histories_.watched.lists(kWatchedPath, from, *names));
  const std::optional<Event> event = wait(client, watch, [&](Zxid able) {
    return histories_.watched.list_is_silent(kWatchedPath, able, *names);
  });
  if (event) check(histories_.watched.list_fires(kWatchedPath, from, *names, event->kind));
}

}  // namespace quorate::sim
