// The load generator speaking the native protocol to a small server made of the generated classes: sessions,
// numbers that must come without a gap, a queue for each lock, and the end of a session that was closed.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cstring>
#include <deque>
#include <map>
#include <memory>

#include "client/bench/load.h"
#include "client/bench/native_conversation.h"
#include "client/bench/net.h"
#include "proto/client.pb.h"
#include "tests/bench/process.h"

namespace quorate::bench {
namespace {

class SmallServer {
 public:
  explicit SmallServer(Fd listener) : listener_(std::move(listener)) {
    poller_.add(listener_.get(), kListener);
  }

  [[noreturn]] void run() {
    while (true) {
      for (const Poller::Event& event : poller_.wait(-1)) {
        if (event.token == kListener) {
          accept_one();
        } else {
          read(event.token);
        }
      }
      for (auto it = clients_.begin(); it != clients_.end();) {
        Client& client = *it->second;
        const bool sent = client.out.flush(client.fd.get());
        it = !sent || (client.over && client.out.empty()) ? clients_.erase(it) : std::next(it);
      }
    }
  }

 private:
  static constexpr uint64_t kListener = 0;

  struct Client {
    Fd fd;
    InBuffer in;
    OutBuffer out;
    bool greeted = false;
    bool over = false;
    uint64_t next_number = 1;
  };
  struct Contender {
    uint64_t client;
    std::string node;
  };

  void accept_one() {
    auto client = std::make_unique<Client>();
    client->fd = Fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!client->fd.valid()) return;
    poller_.add(client->fd.get(), ++last_client_);
    clients_[last_client_] = std::move(client);
  }

  void read(uint64_t id) {
    const auto found = clients_.find(id);
    if (found == clients_.end()) return;
    Client& client = *found->second;
    if (client.in.read_from(client.fd.get()) == ReadOutcome::kClosed) client.over = true;
    if (!client.greeted && client.in.bytes().size() >= kNativeMagic.size()) {
      client.greeted = client.in.bytes().substr(0, kNativeMagic.size()) == kNativeMagic;
      client.over = !client.greeted;
      client.in.consume(kNativeMagic.size());
    }
    while (client.greeted && client.in.bytes().size() >= 4) {
      uint32_t length = 0;
      std::memcpy(&length, client.in.bytes().data(), 4);
      if (client.in.bytes().size() < 4 + size_t{length}) break;
      api::ClientFrame frame;
      if (!frame.ParseFromArray(client.in.bytes().data() + 4, static_cast<int>(length))) client.over = true;
      client.in.consume(4 + size_t{length});
      serve(id, client, frame);
    }
  }

  void serve(uint64_t id, Client& client, const api::ClientFrame& frame) {
    api::ServerFrame answer;
    api::Reply* reply = answer.mutable_reply();
    reply->set_id(frame.id());
    if (frame.has_open_session()) reply->mutable_outcome()->set_session(id);
    if (frame.has_get()) reply->mutable_node()->set_data(std::string(kValueBytes, 'v'));
    if (frame.has_write()) write(id, client, frame.write(), *reply);
    send(client, answer);
    if (frame.write().has_release()) leave_queue(frame.write().release().node());
    if (client.over) {
      api::ServerFrame end;
      end.mutable_session_end()->set_session(id);
      send(client, end);
    }
  }

  void write(uint64_t id, Client& client, const api::Write& write, api::Reply& reply) {
    if (write.number() != client.next_number++ || write.acked_below() > write.number()) {
      reply.set_code(static_cast<uint32_t>(ErrorCode::kRequestGap));
      return;
    }
    reply.mutable_outcome()->set_zxid(++zxid_);
    if (write.has_acquire()) {
      std::deque<Contender>& queue = queues_[write.acquire().path()];
      const std::string node = write.acquire().path() + "/lock-" + std::to_string(zxid_);
      queue.push_back({id, node});
      reply.mutable_outcome()->set_path(node);
      reply.mutable_outcome()->set_held(queue.size() == 1);
    }
    client.over = write.has_close_session();
  }

  // The load releases only what it holds: the node is the first.
  void leave_queue(const std::string& node) {
    std::deque<Contender>& queue = queues_[node.substr(0, node.rfind('/'))];
    queue.pop_front();
    if (queue.empty()) return;
    api::ServerFrame granted;
    granted.mutable_granted()->set_node(queue.front().node);
    send(*clients_.at(queue.front().client), granted);
  }

  static void send(Client& client, const api::ServerFrame& frame) {
    const std::string bytes = frame.SerializeAsString();
    const auto length = static_cast<uint32_t>(bytes.size());
    client.out.bytes().append(reinterpret_cast<const char*>(&length), sizeof(length)).append(bytes);
  }

  Fd listener_;
  Poller poller_;
  std::map<uint64_t, std::unique_ptr<Client>> clients_;
  std::map<std::string, std::deque<Contender>> queues_;
  uint64_t last_client_ = kListener;
  uint64_t zxid_ = 0;
};

class NativeLoad : public testing::TestWithParam<Work> {};

TEST_P(NativeLoad, RunsToItsEnd) {
  auto listener = listen_on_loopback();
  ASSERT_TRUE(listener.ok());
  auto server = fork_child([&]() -> int { SmallServer(std::move(listener->first)).run(); });
  ASSERT_TRUE(server.ok());

  LoadOptions options;
  options.connect = to_loopback({listener->second});
  options.conversation = [](uint32_t number) { return std::make_unique<NativeConversation>(number); };
  // 512 outstanding on 1,000 locks: many of them wait for one another.
  options.shape = GetParam() == Work::kPrepare ? Shape{1, 1} : Shape{32, 16};
  options.work = GetParam();
  options.measure = std::chrono::milliseconds(50);
  auto result = run_load(options);
  ASSERT_TRUE(result.ok()) << result.error().message;
  EXPECT_EQ(result->latency.count(), result->operations);
  EXPECT_EQ(result->operations > 0, GetParam() != Work::kPrepare);
  EXPECT_TRUE(server->running());
}

INSTANTIATE_TEST_SUITE_P(Every, NativeLoad,
                         testing::Values(Work::kPrepare, Work::kSet, Work::kGet, Work::kMixed, Work::kLock,
                                         Work::kHandOver),
                         [](const auto& work) { return std::string(work_name(work.param)); });

}  // namespace
}  // namespace quorate::bench
