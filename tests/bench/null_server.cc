#include "tests/bench/null_server.h"

#include "tests/bench/frame_server.h"

namespace quorate::bench {

Result<NullServer> start_null_server() {
  auto listener = listen_on_loopback();
  if (!listener.ok()) return listener.error();
  auto child = fork_child([&]() -> int {
    FrameServer server(std::move(listener->first));
    while (true) {
      server.take_ready([&](FrameServer::ClientId client, const Request& request,
                            std::string_view) { server.answer(client, request); },
                        [](const Poller::Event&) {});
      server.flush();
    }
  });
  if (!child.ok()) return child.error();
  return NullServer{std::move(*child), listener->second};
}

}  // namespace quorate::bench
