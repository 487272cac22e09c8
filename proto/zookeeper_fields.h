// The fields of each message in their order on the wire, for a WireReader and a WireWriter alike. Not for
// others than the codec to include.
#pragma once

#include <type_traits>

#include "proto/zookeeper_wire.h"

namespace quorate::zookeeper {

// A reader fills the message, a writer only looks at it.
template <class Io, class Message>
using Of = std::conditional_t<Io::kReads, Message, const Message>;

// The least that an item of a list takes: its empty strings' lengths and its numbers.
inline constexpr size_t kStringBytesMin = 4;
inline constexpr size_t kAclEntryBytesMin = 12;
inline constexpr size_t kWhoBytesMin = 8;

template <class Io>
void fields(Io& io, Of<Io, Stat>& m) {
  io.number(m.czxid);
  io.number(m.mzxid);
  io.number(m.ctime_ms);
  io.number(m.mtime_ms);
  io.number(m.version);
  io.number(m.cversion);
  io.number(m.aversion);
  io.number(m.ephemeral_owner);
  io.number(m.data_length);
  io.number(m.num_children);
  io.number(m.pzxid);
}

template <class Io>
void fields(Io& io, Of<Io, Acl>& acl) {
  io.list(acl, kAclEntryBytesMin, [&io](auto& entry) {
    io.number(entry.permissions);
    io.string(entry.scheme);
    io.string(entry.id);
  });
}

template <class Io>
void strings(Io& io, Of<Io, std::vector<std::string>>& list) {
  io.list(list, kStringBytesMin, [&io](auto& item) { io.string(item); });
}

// ---- requests

template <class Io>
void fields(Io& io, Of<Io, Create>& m) {
  io.string(m.path);
  io.data(m.data, m.null_data);
  fields(io, m.acl);
  io.number(m.flags);
  if (m.op == OpCode::kCreateTtl) io.number(m.ttl_ms);
}
template <class Io>
void fields(Io& io, Of<Io, Delete>& m) {
  io.string(m.path);
  io.number(m.version);
}
template <class Io>
void fields(Io& io, Of<Io, Exists>& m) {
  io.string(m.path);
  io.boolean(m.watch);
}
template <class Io>
void fields(Io& io, Of<Io, GetData>& m) {
  io.string(m.path);
  io.boolean(m.watch);
}
template <class Io>
void fields(Io& io, Of<Io, SetData>& m) {
  io.string(m.path);
  io.data(m.data, m.null_data);
  io.number(m.version);
}
template <class Io>
void fields(Io& io, Of<Io, GetAcl>& m) {
  io.string(m.path);
}
template <class Io>
void fields(Io& io, Of<Io, SetAcl>& m) {
  io.string(m.path);
  fields(io, m.acl);
  io.number(m.version);
}
template <class Io>
void fields(Io& io, Of<Io, GetChildren>& m) {
  io.string(m.path);
  io.boolean(m.watch);
}
template <class Io>
void fields(Io& io, Of<Io, Sync>& m) {
  io.string(m.path);
}
template <class Io>
void fields(Io& io, Of<Io, Check>& m) {
  io.string(m.path);
  io.number(m.version);
}
template <class Io>
void fields(Io& io, Of<Io, Reconfig>& m) {
  io.string(m.joining);
  io.string(m.leaving);
  io.string(m.new_members);
  io.number(m.configuration);
}
template <class Io>
void fields(Io& io, Of<Io, CheckWatches>& m) {
  io.string(m.path);
  io.number(m.type);
}
template <class Io>
void fields(Io& io, Of<Io, RemoveWatches>& m) {
  io.string(m.path);
  io.number(m.type);
}
template <class Io>
void fields(Io& io, Of<Io, AddWatch>& m) {
  io.string(m.path);
  io.number(m.mode);
}
template <class Io>
void fields(Io& io, Of<Io, Auth>& m) {
  io.number(m.type);
  io.string(m.scheme);
  io.string(m.proof);
}
template <class Io>
void fields(Io& io, Of<Io, Sasl>& m) {
  io.string(m.token);
}
template <class Io>
void fields(Io& io, Of<Io, SetWatches>& m) {
  io.number(m.relative_zxid);
  strings(io, m.data);
  strings(io, m.exists);
  strings(io, m.children);
  if (!m.second) return;
  strings(io, m.persistent);
  strings(io, m.recursive);
}
template <class Io>
void fields(Io& io, Of<Io, GetEphemerals>& m) {
  io.string(m.prefix);
}
template <class Io>
void fields(Io& io, Of<Io, GetAllChildrenNumber>& m) {
  io.string(m.path);
}
template <class Io>
void fields(Io&, Of<Io, Ping>&) {}
template <class Io>
void fields(Io&, Of<Io, WhoAmI>&) {}
template <class Io>
void fields(Io&, Of<Io, CloseSession>&) {}
template <class Io>
void fields(Io&, Of<Io, Unknown>&) {}

// What stands before each operation of a multi, and with done at its end.
struct MultiHeader {
  int32_t op = -1;
  bool done = false;
  int32_t error = -1;
};
template <class Io>
void fields(Io& io, Of<Io, MultiHeader>& m) {
  io.number(m.op);
  io.boolean(m.done);
  io.number(m.error);
}

// ---- replies

template <class Io>
void fields(Io& io, Of<Io, ConnectRequest>& m) {
  io.number(m.protocol_version);
  io.number(m.last_zxid_seen);
  io.number(m.timeout_ms);
  io.number(m.session);
  io.password(m.password);
}
template <class Io>
void fields(Io& io, Of<Io, ConnectReply>& m) {
  io.number(m.protocol_version);
  io.number(m.timeout_ms);
  io.number(m.session);
  io.password(m.password);
}
// Whether the Stat is there follows from the operation: a reader's caller sets it before.
template <class Io>
void fields(Io& io, Of<Io, CreateReply>& m) {
  io.string(m.path);
  if (m.stat) fields(io, *m.stat);
}
template <class Io>
void fields(Io& io, Of<Io, StatReply>& m) {
  fields(io, m.stat);
}
template <class Io>
void fields(Io& io, Of<Io, DataReply>& m) {
  io.data(m.data, m.null_data);
  fields(io, m.stat);
}
template <class Io>
void fields(Io& io, Of<Io, AclReply>& m) {
  fields(io, m.acl);
  fields(io, m.stat);
}
template <class Io>
void fields(Io& io, Of<Io, ChildrenReply>& m) {
  strings(io, m.names);
  if (m.stat) fields(io, *m.stat);
}
template <class Io>
void fields(Io& io, Of<Io, PathReply>& m) {
  io.string(m.path);
}
template <class Io>
void fields(Io& io, Of<Io, EphemeralsReply>& m) {
  strings(io, m.paths);
}
template <class Io>
void fields(Io& io, Of<Io, CountReply>& m) {
  io.number(m.count);
}
template <class Io>
void fields(Io& io, Of<Io, WhoAmIReply>& m) {
  io.list(m.who, kWhoBytesMin, [&io](auto& who) {
    io.string(who.scheme);
    io.string(who.user);
  });
}
template <class Io>
void fields(Io& io, Of<Io, SaslReply>& m) {
  io.string(m.token);
}

}  // namespace quorate::zookeeper
