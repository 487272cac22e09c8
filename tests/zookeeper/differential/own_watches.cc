#include "tests/zookeeper/differential/own_watches.h"

namespace quorate::differential {

using namespace zookeeper;

void OwnWatches::answered(const RequestBody& body, const Reply& reply) {
  const bool ok = reply.error == zookeeper::ErrorCode::kOk;
  if (const auto* exists = std::get_if<Exists>(&body)) {
    if (exists->watch && (ok || reply.error == zookeeper::ErrorCode::kNoNode)) data_.insert(exists->path);
  }
  if (!ok) return;
  if (const auto* get = std::get_if<GetData>(&body); get != nullptr && get->watch) data_.insert(get->path);
  if (const auto* list = std::get_if<GetChildren>(&body); list != nullptr && list->watch)
    children_.insert(list->path);
  if (const auto* add = std::get_if<AddWatch>(&body)) persistent_.insert(add->path);
  if (const auto* remove = std::get_if<RemoveWatches>(&body)) {
    if (remove->type != 1) data_.erase(remove->path);
    if (remove->type != 2) children_.erase(remove->path);
    persistent_.erase(remove->path);
  }
}

void OwnWatches::told(const Event& event) {
  if (event.type != EventType::kChildrenChanged) data_.erase(event.path);
  if (event.type == EventType::kChildrenChanged || event.type == EventType::kDeleted)
    children_.erase(event.path);
}

void OwnWatches::again(const SetWatches& request) {
  data_ = {request.data.begin(), request.data.end()};
  data_.insert(request.exists.begin(), request.exists.end());
  children_ = {request.children.begin(), request.children.end()};
  persistent_ = {request.persistent.begin(), request.persistent.end()};
  persistent_.insert(request.recursive.begin(), request.recursive.end());
}

bool OwnWatches::has(const std::string& path, int32_t type) const {
  return (type != 1 && data_.contains(path)) || (type != 2 && children_.contains(path)) ||
         persistent_.contains(path);
}

}  // namespace quorate::differential
