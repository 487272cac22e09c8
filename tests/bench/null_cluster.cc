#include "tests/bench/null_cluster.h"

#include <sys/socket.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <vector>

#include "tests/bench/frame_server.h"

namespace quorate::bench {
namespace {

constexpr int kFailed = 1;

struct Follower {
  Fd fd;
  InBuffer in;
  OutBuffer out;
  uint64_t synced = 0;
  bool wants_write = false;
};

class Leader {
 public:
  Leader(Fd listener, Fd first, Fd second, ZeroFile file)
      : server_(std::move(listener)), file_(std::move(file)) {
    followers_[0].fd = std::move(first);
    followers_[1].fd = std::move(second);
    for (uint64_t i = 0; i < followers_.size(); ++i) {
      set_nonblocking(followers_[i].fd.get());
      server_.poller().add(followers_[i].fd.get(), FrameServer::kOwnTokens + i);
    }
    begin_batch();
  }

  int run() {
    while (ok_) {
      server_.take_ready(
          [this](FrameServer::ClientId client, const Request& request, std::string_view frame) {
            if (!null_step_writes(request.step)) {
              server_.answer(client, request);
              return;
            }
            batch_.append(frame);
            pending_.push_back({batch_number_, client, request});
          },
          [this](const Poller::Event& event) {
            Follower& follower = followers_[event.token - FrameServer::kOwnTokens];
            if (event.readable) take_acknowledgements(follower);
            if (event.writable) send(follower, event.token);
          });
      answer_committed();
      server_.flush();
      if (batch_.size() > kBatchHeaderBytes) {
        replicate();
        answer_committed();
        server_.flush();
      }
    }
    return kFailed;
  }

 private:
  struct Pending {
    uint64_t batch;
    FrameServer::ClientId client;
    Request request;
  };

  void begin_batch() {
    ++batch_number_;
    batch_.assign(kBatchHeaderBytes, '\0');
  }

  void replicate() {
    const auto length = static_cast<uint32_t>(batch_.size() - kBatchHeaderBytes);
    std::memcpy(batch_.data(), &length, 4);
    std::memcpy(batch_.data() + 4, &batch_number_, 8);
    for (uint64_t i = 0; i < followers_.size(); ++i) {
      followers_[i].out.bytes().append(batch_);
      send(followers_[i], FrameServer::kOwnTokens + i);
    }
    if (!file_.write_and_sync(batch_)) ok_ = false;
    synced_ = batch_number_;
    begin_batch();
  }

  void send(Follower& follower, uint64_t token) {
    if (!follower.out.flush(follower.fd.get())) ok_ = false;
    const bool waits = !follower.out.empty();
    if (waits == follower.wants_write) return;
    follower.wants_write = waits;
    server_.poller().want_write(follower.fd.get(), token, waits);
  }

  void take_acknowledgements(Follower& follower) {
    if (follower.in.read_from(follower.fd.get()) == ReadOutcome::kClosed) ok_ = false;
    while (follower.in.bytes().size() >= 8) {
      std::memcpy(&follower.synced, follower.in.bytes().data(), 8);
      follower.in.consume(8);
    }
  }

  // Two of three have synced: the middle one of the three numbers.
  void answer_committed() {
    std::array<uint64_t, 3> synced{synced_, followers_[0].synced, followers_[1].synced};
    std::sort(synced.begin(), synced.end());
    while (answered_ < pending_.size() && pending_[answered_].batch <= synced[1]) {
      server_.answer(pending_[answered_].client, pending_[answered_].request);
      ++answered_;
    }
    if (answered_ == pending_.size()) {
      pending_.clear();
      answered_ = 0;
    }
  }

  FrameServer server_;
  ZeroFile file_;
  std::array<Follower, 2> followers_;
  std::string batch_;
  uint64_t batch_number_ = 0;
  uint64_t synced_ = 0;
  std::vector<Pending> pending_;  // in the order of their batches; those before answered_ are done
  size_t answered_ = 0;
  bool ok_ = true;
};

}  // namespace

int run_null_follower(const Fd& listener, const std::string& file_path, size_t file_bytes) {
  auto file = ZeroFile::create(file_path, file_bytes);
  if (!file.ok()) {
    std::fprintf(stderr, "null follower: %s\n", file.error().message.c_str());
    return kFailed;
  }
  Fd leader(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!leader.valid()) return kFailed;
  set_nodelay(leader.get());
  // The leader waits for this: from then on the file is ready.
  uint64_t last = 0;
  if (!write_exactly(leader.get(), &last, sizeof(last))) return kFailed;
  InBuffer in;
  while (in.read_from(leader.get()) != ReadOutcome::kClosed) {
    const std::string_view bytes = in.bytes();
    size_t whole = 0;
    while (bytes.size() - whole >= kBatchHeaderBytes) {
      uint32_t length = 0;
      std::memcpy(&length, bytes.data() + whole, 4);
      if (bytes.size() - whole - kBatchHeaderBytes < length) break;
      std::memcpy(&last, bytes.data() + whole + 4, 8);
      whole += kBatchHeaderBytes + length;
    }
    if (whole == 0) continue;
    if (!file->write_and_sync(bytes.substr(0, whole))) return kFailed;
    in.consume(whole);
    if (!write_exactly(leader.get(), &last, sizeof(last))) return kFailed;
  }
  return 0;
}

Result<NullCluster> start_null_cluster(const std::string& folder, size_t file_bytes) {
  NullCluster cluster;
  std::array<Fd, 2> to_followers;
  for (size_t i = 0; i < 2; ++i) {
    auto listener = listen_on_loopback();
    if (!listener.ok()) return listener.error();
    auto child = fork_child([&]() -> int {
      return run_null_follower(listener->first, folder + "/null-" + std::to_string(i + 2), file_bytes);
    });
    if (!child.ok()) return child.error();
    cluster.processes[i] = std::move(*child);
    auto fd = connect_to_loopback(listener->second);
    if (!fd.ok()) return fd.error();
    to_followers[i] = std::move(*fd);
    listener->first.reset();
    uint64_t ready = 0;
    if (!read_exactly(to_followers[i].get(), &ready, sizeof(ready))) {
      return Error{ErrorCode::kIo, "a follower of the null cluster did not start"};
    }
  }
  auto file = ZeroFile::create(folder + "/null-1", file_bytes);
  if (!file.ok()) return file.error();
  auto listener = listen_on_loopback();
  if (!listener.ok()) return listener.error();
  cluster.port = listener->second;
  auto child = fork_child([&]() -> int {
    Leader leader(std::move(listener->first), std::move(to_followers[0]), std::move(to_followers[1]),
                  std::move(*file));
    return leader.run();
  });
  if (!child.ok()) return child.error();
  cluster.processes[2] = std::move(*child);
  return cluster;
}

}  // namespace quorate::bench
