#include "client/quorate/group.h"

#include "client/recipes/reads.h"
#include "client/recipes/remove_own.h"
#include "client/recipes/wait.h"

namespace quorate::client {
Membership& Membership::operator=(Membership&& other) noexcept {
  if (this != &other) {
    give_up_own(client_, node_);
    client_ = std::exchange(other.client_, nullptr);
    node_ = std::move(other.node_);
  }
  return *this;
}

Membership::~Membership() {
  give_up_own(client_, node_);
}

Status Membership::set_data(std::string_view data) {
  if (client_ == nullptr) return Error{ErrorCode::kNoNode, "it has left the group"};
  const Result<Stat> set = client_->set(node_, data);
  return set.ok() ? Status() : Status(set.error());
}

Status Membership::leave() {
  if (client_ == nullptr) return Error{ErrorCode::kNoNode, "it has left the group"};
  return remove_own(client_, node_);
}

Result<Membership> Group::join(std::string_view id, std::string_view data) {
  if (id.empty() || id.find('/') != std::string_view::npos)
    return Error{ErrorCode::kBadPath, "a member's id must be one part of a path, without /"};
  const Result<Created> made =
      client_.create(path_ + "/" + std::string(id), data, {.ephemeral = true, .parents = true});
  if (!made.ok()) return made.error();
  return Membership(client_, made->path);
}

Result<std::vector<Member>> Group::members() {
  const Result<std::vector<std::string>> names = client_.children(path_);
  std::vector<Member> all;
  if (names.code() == ErrorCode::kNoNode) return all;
  if (!names.ok()) return names.error();
  std::vector<ReadRequest> reads;
  for (const std::string& name : *names) reads.push_back({path_ + "/" + name});
  const Status read = read_each(client_, reads, [&](const ReadRequest& asked, const ReadResult& node) {
    // Gone meanwhile, or nobody's member.
    if (!node.error.ok() || node.stat.ephemeral_owner.value() == 0) return;
    all.push_back({asked.path.substr(path_.size() + 1), node.data, node.stat.ephemeral_owner});
  });
  if (!read.ok()) return read.error();
  return all;
}

Result<std::vector<Member>> Group::next_members(const std::vector<Member>& known,
                                                std::optional<milliseconds> wait) {
  using Members = std::vector<Member>;
  return wait_for<Members>(client_, path_, wait, "the members did not change in time",
                           [&]() -> Result<std::optional<Members>> {
                             Result<Members> now = members();
                             if (!now.ok()) return now.error();
                             if (*now == known) return std::optional<Members>();
                             return std::optional<Members>(std::move(*now));
                           });
}

}  // namespace quorate::client
