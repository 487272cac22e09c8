// What a server is asked for most.
#include "client/client_impl.h"

namespace quorate::client {

Result<HotPaths> Client::hot_paths(uint32_t max) {
  api::ClientFrame frame;
  frame.mutable_hot_paths()->set_max(max);
  const Result<api::Reply> reply = impl_->read(std::move(frame));
  if (!reply.ok()) return reply.error();
  HotPaths hot;
  hot.window = milliseconds(reply->hot_paths().window_ms());
  hot.hidden = reply->hot_paths().hidden();
  for (const api::HotPath& each : reply->hot_paths().paths())
    hot.paths.push_back({each.path(), each.count(), each.surplus()});
  return hot;
}

}  // namespace quorate::client
