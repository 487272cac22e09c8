// ZooKeeper's messages (zookeeper.h) as bytes: big-endian numbers, strings and lists behind their length as
// 32 bits, -1 meaning null.
//
// Nothing is allocated because of a length or a count that somebody claims: each is held against the bytes
// that are really there first.
//
// Thread safety: pure functions.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <variant>

#include "base/result.h"
#include "proto/zookeeper.h"

namespace quorate::zookeeper {

// The size of the whole frame that `bytes` begins with, its length included, or 0 if the length is not there
// yet. Errors: kMalformed for a length that is not positive, kTooLarge over `bytes_max`.
Result<size_t> frame_size(std::string_view bytes, size_t bytes_max);

// ---- reading: `frame` is what follows the length. Errors of all: kMalformed, after which a connection
// cannot go on. An operation that is not offered to clients is no error (Unknown); bytes behind the end of a
// known request are passed over, as ZooKeeper does.

Result<ConnectRequest> decode_connect_request(std::string_view frame);
Result<ConnectReply> decode_connect_reply(std::string_view frame);
Result<Request> decode_request(std::string_view frame);
// `op` is that of the request which it answers; a client learns its xid first, by reply_xid().
Result<Reply> decode_reply(std::string_view frame, OpCode op);
Result<Event> decode_event(std::string_view frame);
// The number of the request that a frame answers, or kNotificationXid for an event. Errors: as above.
Result<int32_t> reply_xid(std::string_view frame);

// ---- writing: appends a whole frame, with its length.

void append_connect_request(std::string& out, const ConnectRequest& request);
void append_connect_reply(std::string& out, const ConnectReply& reply);
void append_request(std::string& out, const Request& request);
void append_reply(std::string& out, const Reply& reply);
void append_event(std::string& out, const Event& event);

}  // namespace quorate::zookeeper
