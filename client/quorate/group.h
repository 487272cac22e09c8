// Who of a group is there: each member is an ephemeral node, and goes with its session.
//
//   Group group(client, "/services/planner/members");
//   Result<Membership> here = group.join("node-7", "10.0.0.7:9000");
//   Result<std::vector<Member>> all = group.next_members({}, {});     // and again behind each change
//
// Thread safety: all members. A Group and its Memberships must not outlive their Client.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "client/quorate/client.h"

namespace quorate::client {

struct Member {
  std::string id;
  std::string data;
  SessionId session;

  friend bool operator==(const Member&, const Member&) = default;
};

class Membership {
 public:
  ~Membership();  // leaves
  Membership(Membership&& other) noexcept
      : client_(std::exchange(other.client_, nullptr)), node_(std::move(other.node_)) {}
  Membership& operator=(Membership&& other) noexcept;

  const std::string& node() const { return node_; }
  // What the others see. Errors: kNoNode when the session was lost; those of writes.
  Status set_data(std::string_view data);
  // Where an error says that nothing was done, it is there yet, and may leave again.
  Status leave();

 private:
  friend class Group;
  Membership(Client& client, std::string node) : client_(&client), node_(std::move(node)) {}
  Client* client_;  // null: it has left
  std::string node_;
};

class Group {
 public:
  Group(Client& client, std::string path) : client_(client), path_(std::move(path)) {}

  // Errors: kNodeExists where somebody is there under that id; kBadPath for an id that is no part of a path.
  Result<Membership> join(std::string_view id, std::string_view data = {});
  // By id.
  Result<std::vector<Member>> members();
  // Waits until they are others than `known`, or say something else. Errors: kTimeout.
  Result<std::vector<Member>> next_members(const std::vector<Member>& known,
                                           std::optional<milliseconds> wait = {});

 private:
  Client& client_;
  const std::string path_;
};

}  // namespace quorate::client
