#include "tests/bench/frame_server.h"

#include <sys/socket.h>

namespace quorate::bench {

FrameServer::FrameServer(Fd listener) : listener_(std::move(listener)) {
  poller_.add(listener_.get(), kListener);
}

void FrameServer::take_ready(const OnFrame& on_frame, const OnOther& on_other) {
  for (const Poller::Event& event : poller_.wait(-1)) {
    if (event.token >= kOwnTokens) {
      on_other(event);
    } else if (event.token == kListener) {
      accept_one();
    } else {
      const auto id = static_cast<ClientId>(event.token);
      if (event.readable) read(id, on_frame);
      if (event.writable) flush_one(id);
    }
  }
}

void FrameServer::accept_one() {
  Fd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!fd.valid()) return;
  set_nodelay(fd.get());
  poller_.add(fd.get(), clients_.size());
  clients_.push_back(std::make_unique<Client>());
  clients_.back()->fd = std::move(fd);
}

void FrameServer::read(ClientId id, const OnFrame& on_frame) {
  Client* client = clients_[id].get();
  if (client == nullptr) return;
  const ReadOutcome outcome = client->in.read_from(client->fd.get());
  if (outcome == ReadOutcome::kClosed) {
    clients_[id].reset();
    return;
  }
  while (auto frame = take_null_frame(client->in.bytes())) {
    if (frame->bytes == 0) {
      clients_[id].reset();
      return;
    }
    on_frame(id, frame->request, client->in.bytes().substr(0, frame->bytes));
    client->in.consume(frame->bytes);
  }
}

void FrameServer::answer(ClientId id, const Request& request) {
  Client* client = clients_[id].get();
  if (client == nullptr) return;
  put_null_frame(request, request.step == Step::kGet ? kValueBytes : 0, client->out.bytes());
  if (!client->dirty) {
    client->dirty = true;
    dirty_.push_back(id);
  }
}

void FrameServer::flush() {
  for (const ClientId id : dirty_) {
    if (clients_[id] != nullptr) {
      clients_[id]->dirty = false;
      flush_one(id);
    }
  }
  dirty_.clear();
}

void FrameServer::flush_one(ClientId id) {
  Client* client = clients_[id].get();
  if (client == nullptr) return;
  if (!client->out.flush(client->fd.get())) {
    clients_[id].reset();
    return;
  }
  const bool waits = !client->out.empty();
  if (waits == client->wants_write) return;
  client->wants_write = waits;
  poller_.want_write(client->fd.get(), id, waits);
}

}  // namespace quorate::bench
