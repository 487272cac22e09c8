// A frame through the codec of the client port, for its tests.
#pragma once

#include <gtest/gtest.h>

#include <string_view>
#include <utility>

#include "proto/client.pb.h"
#include "server/shell/client_codec.h"

namespace quorate::server {

inline constexpr ConnectionId kConnection{5};

inline Result<ClientRequest> decoded(const api::ClientFrame& frame) {
  ClientCodec codec;
  uint64_t id = 0;
  return codec.decode(kConnection, frame.SerializeAsString(), id);
}

template <class Request>
Request request_of(const api::ClientFrame& frame) {
  auto request = decoded(frame);
  EXPECT_TRUE(request.ok());
  EXPECT_EQ(request->connection, kConnection);
  EXPECT_EQ(request->id, frame.id());
  return std::get<Request>(request->body);
}

inline api::ServerFrame encoded(const ClientMessage& message) {
  ClientCodec codec;
  OutputQueue out;
  codec.encode(message, out);
  iovec piece[1];
  EXPECT_EQ(out.gather(piece), 1u);
  const std::string_view bytes(static_cast<char*>(piece[0].iov_base), piece[0].iov_len);
  EXPECT_EQ(*client_frame_size(bytes, bytes.size()), bytes.size());
  api::ServerFrame frame;
  EXPECT_TRUE(frame.ParseFromArray(bytes.data() + 4, static_cast<int>(bytes.size() - 4)));
  return frame;
}

inline api::Reply reply_of(ReplyBody body) {
  const auto frame = encoded({kConnection, ClientReply{9, {}, Zxid(70), std::move(body)}});
  EXPECT_EQ(frame.reply().id(), 9u);
  EXPECT_EQ(frame.reply().zxid(), 70u);
  return frame.reply();
}

}  // namespace quorate::server
