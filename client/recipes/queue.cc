#include "client/quorate/queue.h"

#include <set>

#include "client/recipes/remove_own.h"
#include "client/recipes/wait.h"

namespace quorate::client {
namespace {

// Looked at together: so many consumers find work without asking again.
constexpr uint32_t kPage = 200;

std::string items(const std::string& path) { return path + "/items"; }
std::string taken(const std::string& path) { return path + "/taken"; }
std::string dead_letters(const std::string& path) { return path + "/dead"; }

bool exists_already(const Status& made) { return made.ok() || made.code() == ErrorCode::kNodeExists; }

Status make(Client& client, const std::string& path) {
  const Result<Created> made = client.create(path, {}, {.parents = true});
  return made.ok() ? Status() : Status(made.error());
}

}  // namespace

// ---- what a consumer has

void Delivery::take_over(Delivery& other) {
  item_ = std::move(other.item_);
  claim_ = std::move(other.claim_);
  data_ = std::move(other.data_);
  tries_ = other.tries_;
}

Delivery& Delivery::operator=(Delivery&& other) noexcept {
  if (this != &other) {
    give_up_own(client_, claim_);
    client_ = std::exchange(other.client_, nullptr);
    take_over(other);
  }
  return *this;
}

Delivery::~Delivery() {
  give_up_own(client_, claim_);
}

// The claim is ours for as long as our session lives, and without it our writes are refused.
Status Delivery::acknowledge() {
  if (client_ == nullptr)
    return Error{ErrorCode::kNoNode, "the message was given back or acknowledged before"};
  Multi multi;
  multi.remove(claim_).remove(item_);
  const MultiResult done = client_->run(multi);
  if (done.ok() || done.error.code == ErrorCode::kNoNode) client_ = nullptr;
  return done.error.ok() ? Status() : Status(done.error);
}

Status Delivery::give_back() {
  if (client_ == nullptr)
    return Error{ErrorCode::kNoNode, "the message was given back or acknowledged before"};
  return remove_own(client_, claim_);
}

// ---- producers

Result<bool> Queue::push(std::string_view data, const PushOptions& options) {
  if (data.size() > options_.message_bytes_max) {
    return Error{ErrorCode::kTooLarge, "the message has " + std::to_string(data.size()) + " bytes, and " +
                                           std::to_string(options_.message_bytes_max) +
                                           " are allowed: put it elsewhere and its place into the queue"};
  }
  if (options.id.find('/') != std::string::npos)
    return Error{ErrorCode::kBadPath, "the id of a message must be one part of a path, without /"};
  Multi multi;
  if (!options.id.empty())
    multi.create(path_ + "/ids/" + options.id, {}, {.parents = true, .ttl = options_.ids_kept});
  multi.create(items(path_) + "/m-", data, {.sequential = true, .parents = true});
  const MultiResult pushed = client_.run(multi);
  if (pushed.ok()) return true;
  if (!options.id.empty() && pushed.error.code == ErrorCode::kNodeExists) return false;
  return pushed.error;
}

// ---- consumers

// Or somebody else does.
void Queue::put_aside(const std::string& name, const Node& item) {
  Multi multi;
  multi.check_absent(taken(path_) + "/" + name);
  multi.create(dead_letters(path_) + "/" + name, item.data, {.parents = true});
  multi.remove(items(path_) + "/" + name, item.stat.version);
  client_.run(multi);
}

Result<std::optional<Delivery>> Queue::try_to_take(const std::string& name) {
  const std::string path = items(path_) + "/" + name, claim = taken(path_) + "/" + name;
  Result<Node> item = client_.get(path);
  if (item.code() == ErrorCode::kNoNode) return std::optional<Delivery>();
  if (!item.ok()) return item.error();
  const auto tries = static_cast<uint32_t>(item->stat.version);
  if (tries >= options_.tries_max) {
    put_aside(name, *item);
    return std::optional<Delivery>();
  }
  // Its version counts the deliveries, and lets only one of those who try at once have it.
  Multi multi;
  multi.set(path, item->data, item->stat.version).create(claim, {}, {.ephemeral = true});
  const MultiResult done = client_.run(multi);
  switch (done.error.code) {
    case ErrorCode::kOk:
      return std::optional<Delivery>(Delivery(client_, path, claim, std::move(item->data), tries + 1));
    case ErrorCode::kNoNode:
      // There was never a consumer before, or the message is gone.
      if (Status made = make(client_, taken(path_)); !exists_already(made)) return made.error();
      return std::optional<Delivery>();
    case ErrorCode::kBadVersion:
    case ErrorCode::kNodeExists:
      return std::optional<Delivery>();
    default:
      return done.error;
  }
}

// The first that nobody has; those that others were quicker with are passed over.
Result<std::optional<Delivery>> Queue::take_first() {
  std::optional<ChildCursor> after;
  while (true) {
    const Result<std::vector<std::string>> busy = client_.children(taken(path_));
    if (busy.code() == ErrorCode::kNoNode) {
      if (Status made = make(client_, taken(path_)); !exists_already(made)) return made.error();
    } else if (!busy.ok()) {
      return busy.error();
    }
    const std::set<std::string> claimed =
        busy.ok() ? std::set<std::string>(busy->begin(), busy->end()) : std::set<std::string>();
    const Result<ChildrenPage> page = client_.children_page(items(path_), {.after = after, .max = kPage});
    if (page.code() == ErrorCode::kNoNode) return std::optional<Delivery>();
    if (!page.ok()) return page.error();
    for (const std::string& name : page->names) {
      if (claimed.contains(name)) continue;
      Result<std::optional<Delivery>> got = try_to_take(name);
      if (!got.ok() || *got) return got;
    }
    if (!page->next) return std::optional<Delivery>();
    after = page->next;
  }
}

Result<Delivery> Queue::take(std::optional<milliseconds> wait) {
  return wait_for<Delivery>(client_, path_, wait, "no message came in time", [this] { return take_first(); });
}

Result<size_t> Queue::size() {
  const Result<std::optional<Stat>> stat = client_.exists(items(path_));
  if (!stat.ok()) return stat.error();
  return *stat ? size_t{(*stat)->children} : size_t{0};
}

Result<std::vector<std::string>> Queue::dead() {
  std::vector<std::string> nodes;
  const Status listed = client_.for_each_child(dead_letters(path_), [&](const std::string& name) {
    nodes.push_back(dead_letters(path_) + "/" + name);
    return true;
  });
  if (!listed.ok() && listed.code() != ErrorCode::kNoNode) return listed.error();
  return nodes;
}

}  // namespace quorate::client
