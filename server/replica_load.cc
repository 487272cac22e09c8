// What this server is asked for most: who counts, and who is told.
#include <algorithm>
#include <type_traits>
#include <utility>

#include "kv/path.h"
#include "server/replica_impl.h"

namespace quorate::server {

namespace {

constexpr size_t kHotPathsToldMax = kHotPathsMax;

// A place in a queue is asked for by its holder alone: the lock is what many ask for.
bool names_a_place(kv::OperationKind kind) {
  return kind == kv::OperationKind::kRelease || kind == kv::OperationKind::kUpgrade ||
         kind == kv::OperationKind::kDowngrade;
}

}  // namespace

void Replica::Impl::note_hot(const kv::OperationView& operation) {
  for (const kv::OperationView& each : operation.operations) note_hot(each);
  // Nobody has looked at the path yet: it may be anything.
  if (operation.path.find('/') == std::string_view::npos) return;
  note_hot(names_a_place(operation.kind) ? kv::parent_of(operation.path) : operation.path);
}

void Replica::Impl::note_hot(const zookeeper::RequestBody& request) {
  std::visit(
      [this](const auto& body) {
        using Body = std::decay_t<decltype(body)>;
        if constexpr (std::is_same_v<Body, zookeeper::Multi> || std::is_same_v<Body, zookeeper::MultiRead>) {
          for (const auto& part : body.parts)
            std::visit([this](const auto& one) { note_hot(std::string_view(one.path)); }, part);
        } else if constexpr (requires { body.path; }) {
          note_hot(std::string_view(body.path));
        }
      },
      request);
}

// A path says that somebody uses it, and what it is called: that is for those who may read what is there, or,
// where there is nothing, the deepest node on the way to it.
void Replica::Impl::serve_hot_paths(const WaitingRead& read, const HotPathsRequest& request) {
  const kv::View view = view_of(read.session);
  HotPathsReply answer;
  size_t bytes = 0;
  for (HotPaths::Hot& hot : hot_paths.hottest(now.instant)) {
    if (answer.paths.size() >= std::min(request.max, kHotPathsToldMax)) break;
    if (!view.nearest_readable(hot.path).ok()) {
      ++answer.hidden;
      continue;
    }
    bytes += hot.path.size();
    answer.paths.push_back({std::move(hot.path), hot.count, hot.surplus});
  }
  answer.window = hot_paths.window(now.instant);
  count_reply(connections.at(read.asker.connection), bytes);
  reply(read.asker, std::move(answer));
}

}  // namespace quorate::server
