// The engine's watches: each fires once, and is set again on every new connection until then.
#include <utility>

#include "client/engine.h"

namespace quorate::client {

void Engine::on_watch_reply(const Read& read, const api::Reply& reply) {
  const bool is_get = read.frame.has_get();
  const auto it = watches_.find(is_get ? read.frame.get().watch() : read.frame.children().watch());
  if (it == watches_.end()) return;
  const bool exists = reply.code() == 0;
  const bool missing = is_get && static_cast<ErrorCode>(reply.code()) == ErrorCode::kNoNode;
  if (!exists && !missing) {
    watches_.erase(it);
    return;
  }
  it->second.armed = true;
  it->second.resume.set_seen(reply.zxid());
  it->second.resume.set_existed(exists);
}

void Engine::on_watch_event(const api::WatchEvent& event) {
  const auto it = watches_.find(event.watch());
  if (it == watches_.end() || event.kind() < 1 || event.kind() > 4) return;
  OnEvent on_event = std::move(it->second.on_event);
  watches_.erase(it);
  if (!on_event) return;
  sink_.completions.push_back([on_event = std::move(on_event), kind = static_cast<EventKind>(event.kind()),
                               path = event.path(), zxid = Zxid(event.zxid())] {
    on_event({kind, path, zxid});
  });
}

void Engine::remove_watch(Instant now, uint64_t watch) {
  begin(now);
  if (watches_.erase(watch) == 0) return;
  if (link_ == Link::kReady) {
    api::ClientFrame frame;
    frame.mutable_remove_watch()->set_watch(watch);
    ask(
        now, std::move(frame), kNever, [](Instant, const Result<api::Reply>&) {}, true);
  }
  pump(now);
}

void Engine::resume_watches(Instant now) {
  for (const auto& [id, watch] : watches_) {
    if (!watch.armed) continue;
    api::ClientFrame frame;
    *frame.mutable_resume_watch() = watch.resume;
    ask(
        now, std::move(frame), kNever,
        [this, watch_id = id](Instant, const Result<api::Reply>& reply) { on_resumed(watch_id, reply); },
        true);
  }
}

// A server that cannot take the watch over (it has too many) will not tell what happens: the watch fires, and
// whoever reads again is told why it cannot be set.
void Engine::on_resumed(uint64_t id, const Result<api::Reply>& reply) {
  const auto it = watches_.find(id);
  if (reply.ok() || it == watches_.end()) return;
  const bool children = it->second.resume.kind() == 2;
  api::WatchEvent event;
  event.set_watch(id);
  event.set_kind(static_cast<uint32_t>(children ? EventKind::kChildrenChanged : EventKind::kDataChanged));
  event.set_path(it->second.resume.path());
  event.set_zxid(it->second.resume.seen());
  on_watch_event(event);
}

}  // namespace quorate::client
