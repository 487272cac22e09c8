// A queue of messages between programs: each is delivered at least once, in the order of arrival, and is gone
// once its consumer has acknowledged it.
//
//   Queue queue(client, "/queues/mail");
//   queue.push("hello", {.id = "order-4711"});            // a second push of this id does nothing
//
//   Result<Delivery> mail = queue.take();                 // waits for one
//   if (mail.ok() && send(mail->data())) mail->acknowledge();
//
// A delivery belongs to its consumer's session. If that ends before the acknowledgement, or the guard does,
// the message is delivered again, to whoever asks next: a consumer must be able to see a message twice. What
// was delivered `tries_max` times and never acknowledged is put aside (dead letters).
//
// Below its path: `items`, a node for each message in the order of arrival, whose version counts its
// deliveries; `taken`, an ephemeral node for each that is being worked on; `ids`, a node with a time to live
// for each id; `dead`, what was put aside. All steps are single entries of the log, so that a message is
// never in two states or in none. Meant for thousands of messages, not for millions: each is a node.
//
// Thread safety: all members. A Queue and its Deliveries must not outlive their Client.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "client/quorate/client.h"

namespace quorate::client {

struct QueueOptions {
  uint32_t tries_max = 5;                            // the same for all consumers; from 1 on
  milliseconds ids_kept = std::chrono::minutes(10);  // how long an id is remembered
  size_t message_bytes_max = 256 << 10;
};

struct PushOptions {
  // Of two messages with one id only the first is kept. A name as one part of a path.
  std::string id{};
};

// A message that this consumer has.
class Delivery {
 public:
  ~Delivery();  // gives it back, unless it was acknowledged
  Delivery(Delivery&& other) noexcept : client_(std::exchange(other.client_, nullptr)) { take_over(other); }
  Delivery& operator=(Delivery&& other) noexcept;

  const std::string& data() const { return data_; }
  const std::string& node() const { return item_; }  // "/queues/mail/items/m-0000000007"
  uint32_t tries() const { return tries_; }          // this one counted

  // It is done: the message goes. Errors: kSessionExpired and kNoNode when it belongs to somebody else by
  // now; those of writes.
  Status acknowledge();
  // Somebody may have it at once, this consumer too. Where an error says that nothing was done, it may be
  // given back again.
  Status give_back();

 private:
  friend class Queue;
  Delivery(Client& client, std::string item, std::string claim, std::string data, uint32_t tries)
      : client_(&client),
        item_(std::move(item)),
        claim_(std::move(claim)),
        data_(std::move(data)),
        tries_(tries) {}
  void take_over(Delivery& other);

  Client* client_;  // null: it is done
  std::string item_, claim_, data_;
  uint32_t tries_ = 0;
};

class Queue {
 public:
  Queue(Client& client, std::string path, QueueOptions options = {})
      : client_(client), path_(std::move(path)), options_(options) {}

  // Whether it was kept: false for an id that was seen before. Errors: kTooLarge, kBadPath for an id that is
  // no name; those of writes.
  Result<bool> push(std::string_view data, const PushOptions& options = {});
  // The first that nobody has. Errors: kTimeout when there was none in time.
  Result<Delivery> take(std::optional<milliseconds> wait = {});
  // Those that wait and those that are being worked on.
  Result<size_t> size();
  // The nodes of what was put aside, in that order; to be read and removed as any others.
  Result<std::vector<std::string>> dead();

 private:
  Result<std::optional<Delivery>> take_first();
  Result<std::optional<Delivery>> try_to_take(const std::string& name);
  void put_aside(const std::string& name, const Node& item);

  Client& client_;
  const std::string path_;
  const QueueOptions options_;
};

}  // namespace quorate::client
