// What a server is asked for most.
#include "client/client_impl.h"

namespace quorate::client {

Call<Result<HotPaths>> AsyncClient::hot_paths(uint32_t max) {
  api::ClientFrame frame;
  frame.mutable_hot_paths()->set_max(max);
  return read_call<Result<HotPaths>>(impl_, std::move(frame), [](Outcome& reply) -> Result<HotPaths> {
    if (!reply.ok()) return reply.error();
    HotPaths hot;
    hot.window = milliseconds(reply->hot_paths().window_ms());
    hot.hidden = reply->hot_paths().hidden();
    for (const api::HotPath& each : reply->hot_paths().paths())
      hot.paths.push_back({each.path(), each.count(), each.surplus()});
    return hot;
  });
}

}  // namespace quorate::client
